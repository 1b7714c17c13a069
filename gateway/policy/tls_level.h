/* The one place that decides which TLS a destination must speak (Postfix's names and meaning). Pure. */
#ifndef SEALGATE_POLICY_TLS_LEVEL_H
#define SEALGATE_POLICY_TLS_LEVEL_H

#include <stdbool.h>
#include <stddef.h>

enum tls_level {
    TLS_LEVEL_NONE, /* never STARTTLS */
    TLS_LEVEL_MAY,  /* STARTTLS when offered, certificate not looked at; clear when it is not offered or fails
                     */
    TLS_LEVEL_ENCRYPT, /* STARTTLS or defer; certificate not looked at */
    TLS_LEVEL_VERIFY,  /* and a trusted certificate for the MX host name */
    TLS_LEVEL_SECURE, /* and a trusted certificate for the recipient's domain (or the fixed route's host name)
                       */
};

/* "none", "may", …; NULL-terminated table for configuration, index = level. */
const char *tls_level_word(enum tls_level level);

struct tls_policy {
    const char *domain; /* "partner.example", or ".partner.example" for it and its subdomains */
    enum tls_level level;
};

struct tls_level_settings {
    enum tls_level level; /* default */
    const struct tls_policy *policies;
    size_t n_policies;
};

/* Where a message is about to go. */
struct tls_hop {
    const char *domain;  /* the recipient's, as A-label */
    const char *mx_host; /* the host connected to */
    bool fixed_route;    /* the administrator named that host */
    bool mx_secure;      /* DNSSEC vouches for the MX record that named it */
    bool requiretls;     /* the sender demands TLS all the way (RFC 8689) */
};

struct tls_demand {
    enum tls_level level;
    const char *match_name; /* the name the certificate must carry (verify, secure); else NULL */
    const char *why;        /* the domain of the tls-policy that decided, "delivery tls" or "REQUIRETLS"; from
                               SETTINGS, or static */
    bool requiretls;        /* a host that cannot meet it may never get the message: the next one, or none */
};

/*
 * The policy for the domain itself decides, else the one for its nearest parent, else the default. REQUIRETLS
 * raises whatever they say to secure; then a host named by a secure MX record is to show a certificate for
 * its own name (RFC 8689 §4.2.1). match_name is one of HOP's strings.
 */
struct tls_demand tls_level_decide(const struct tls_level_settings *settings, const struct tls_hop *hop);

/* May a message whose copy is not sealed, or any message, leave in clear at this level after STARTTLS was not
 * offered or failed? Only may and none. */
bool tls_level_allows_clear(enum tls_level level);

#endif
