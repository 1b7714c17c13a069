/*
 * The envelope of a message and what is known of its client, as they travel from submission to seal and
 * queue.
 */
#ifndef SEALGATE_MESSAGE_ENVELOPE_H
#define SEALGATE_MESSAGE_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/id.h"
#include "base/pack.h"

#define ENVELOPE_RECIPIENTS_MAX 1000
#define ENVELOPE_SEND_AS_MAX 1000

struct envelope_recipient {
    char *address; /* forward-path as given, without brackets; owned */
    char *notify;  /* DSN NOTIFY (RFC 3461 §4.1), "NEVER" or as "SUCCESS,DELAY"; NULL: none; owned */
    char *orcpt;   /* DSN ORCPT, "rfc822;xtext" as given or "utf-8;…" (RFC 6533 §3) in ASCII; NULL: none;
                      owned */
};

struct envelope {
    char id[ID_SIZE];
    int64_t received_ms;  /* wall clock */
    char *reverse_path;   /* without brackets; "" for <>; owned */
    char *user;           /* authenticated name; "" for a relay client; owned */
    char *client;         /* name of the relay client; "" for a user; owned */
    char *listener;       /* as configured, "[::]:465"; owned */
    char *client_address; /* "192.0.2.1", "2001:db8::1"; owned */
    char *helo;           /* EHLO or HELO argument; owned */
    bool plain_smtp;      /* it was HELO */
    char *tls_version;    /* "TLSv1.3"; owned */
    char *tls_cipher;     /* owned */
    bool body_8bit;       /* BODY=8BITMIME */
    bool smtputf8;
    bool requiretls; /* RFC 8689 */
    char *envid;     /* DSN ENVID as given (xtext), NULL: none (RFC 3461); owned */
    char *ret;       /* "FULL" or "HDRS", NULL: none; owned */
    char **send_as;  /* patterns of the addresses that From and Sender may have
                        (policy/sender.h); only on the way to seal; owned */
    size_t n_send_as;
    struct envelope_recipient *recipients; /* owned */
    size_t n_recipients;
};

void envelope_init(struct envelope *e);
void envelope_free(struct envelope *e);
void envelope_recipient_free(struct envelope_recipient *recipient);

/* Appends a recipient; ADDRESS is copied. STATUS_LIMIT over ENVELOPE_RECIPIENTS_MAX. */
MUST_USE enum status envelope_add_recipient(struct envelope *e, const char *address, struct error *err);

/* Copies the N PATTERNS into send_as, in place of what is there. STATUS_LIMIT over ENVELOPE_SEND_AS_MAX. */
MUST_USE enum status envelope_set_send_as(struct envelope *e, char *const *patterns, size_t n,
                                          struct error *err);
void envelope_forget_send_as(struct envelope *e);

void envelope_pack(struct buf *b, const struct envelope *e);
/* Frees nothing in E first; on failure (u->failed, or STATUS from unpack_done later) E is safe to free. */
void envelope_unpack(struct unpack *u, struct envelope *e);

#endif
