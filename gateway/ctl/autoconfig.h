/*
 * What a mail program has to know to send through this server, and the formats in which mail programs want to
 * be told. All of it follows from the configuration; nothing asks the running gateway.
 */
#ifndef SEALGATE_CTL_AUTOCONFIG_H
#define SEALGATE_CTL_AUTOCONFIG_H

#include "base/buf.h"
#include "base/error.h"
#include "conf/conf.h"

struct autoconfig_server {
    char *host; /* A-labels; owned */
    unsigned port;
    bool implicit; /* TLS from the first byte; else STARTTLS */
};

enum autoconfig_login {
    AUTOCONFIG_PASSWORD,    /* PLAIN or LOGIN; always inside TLS here */
    AUTOCONFIG_SCRAM,       /* nothing but SCRAM is offered */
    AUTOCONFIG_CERTIFICATE, /* nothing but EXTERNAL is offered */
};

/* How to reach the servers. */
struct autoconfig_site {
    struct autoconfig_server submission[2]; /* best first: implicit TLS (RFC 8314 §3.3) */
    size_t n_submission;                    /* 1 or 2 */
    struct autoconfig_server incoming;      /* IMAP; host NULL: not configured */
    enum autoconfig_login login;
};

/* Whom the settings are for. */
struct autoconfig_account {
    char *address;   /* UTF-8; NULL: everybody in DOMAIN */
    char *domain;    /* A-labels */
    char *name;      /* what mail programs call the account */
    char *user;      /* user name; NULL when address is */
    bool short_user; /* user names are local parts */
};

/* STATUS_INVALID: the configuration holds something that cannot be told to mail programs. Free with
 * autoconfig_site_free, on failure too. */
MUST_USE enum status autoconfig_site(const struct conf *conf, struct autoconfig_site *site_out,
                                     struct error *err);
void autoconfig_site_free(struct autoconfig_site *site);

/*
 * WHOM is an address (RFC 5321, RFC 6531) or, when WHOLE_DOMAIN, a domain; internationalised domains are
 * taken in either form. STATUS_INVALID: it is neither. Free with autoconfig_account_free, on failure too.
 */
MUST_USE enum status autoconfig_account(const struct conf *conf, const char *whom, bool whole_domain,
                                        struct autoconfig_account *account_out, struct error *err);
void autoconfig_account_free(struct autoconfig_account *account);

/* True for UTF-8 without control characters and without code points that XML 1.0 §2.2 excludes. */
bool autoconfig_text_is_plain(const char *text);

/* Each appends a whole document to the empty *OUT, which the caller frees with buf_free; see buf_check. */

/* Mozilla's config-v1.1.xml, for Thunderbird, K-9, Evolution, KMail. Without an address the placeholders
 * %EMAILADDRESS% and %EMAILLOCALPART% stand in it, which the mail program fills. */
void autoconfig_mozilla(const struct autoconfig_site *site, const struct autoconfig_account *account,
                        struct buf *out);

/* The answer of Microsoft's Autodiscover (POX, MS-OXDSCLI §2.2.4), for Outlook. */
void autoconfig_outlook(const struct autoconfig_site *site, const struct autoconfig_account *account,
                        struct buf *out);

/* An Apple configuration profile. Its identifiers follow from address and server, so that a profile made
 * again replaces the one before. ACCOUNT must have an address. */
void autoconfig_apple(const struct autoconfig_site *site, const struct autoconfig_account *account,
                      struct buf *out);

/* SRV records as lines of a zone file (RFC 6186, RFC 8314 §5.1). */
void autoconfig_srv(const struct autoconfig_site *site, const struct autoconfig_account *account,
                    struct buf *out);

/*
 * Writes TEXT to FOLDER/NAME, making the folders on the way; NAME is relative and ours. Who reads meanwhile
 * sees the old file or the new one, never half of one. STATUS_DENIED: it cannot be written.
 */
MUST_USE enum status autoconfig_write(const char *folder, const char *name, struct span text,
                                      struct error *err);

#endif
