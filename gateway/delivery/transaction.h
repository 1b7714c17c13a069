/* One mail transaction to be: a message and those of its recipients that go the same way. */
#ifndef SEALGATE_DELIVERY_TRANSACTION_H
#define SEALGATE_DELIVERY_TRANSACTION_H

#include <stdbool.h>
#include <sys/queue.h>

#include "base/span.h"
#include "gateway/delivery/outcome.h"
#include "gateway/delivery/tls.h"

/* RFC 5321 §4.5.3.1.8: every server takes so many. */
#define TRANSACTION_RECIPIENTS_MAX 100

/* The connection a result came over; strings of the giver's, NULL where there was none. */
struct peer {
    const char *host; /* "mx.example.org [192.0.2.1]:25" */
    const char *tls_version;
    const char *tls_cipher;
    const char *tls_peer; /* "verified for mx.example.org (pkix); level verify by delivery tls" */
    enum tls_way way;
};

struct recipient {
    const struct lease_recipient *lease;
    char *domain;   /* lower case, as A-label, or "[192.0.2.1]"; owned */
    bool smtputf8;  /* its address is beyond ASCII */
    bool asked;     /* its RCPT was sent over this connection */
    bool dsn_known; /* … to a host that knows DSN: it tells the sender what the sender asked to hear */
    bool accepted;  /* … and answered 2xx; the message itself is not there yet */
    bool unfit;     /* the host of this connection lacks what it needs */
    bool next_turn; /* the host takes so many at a time: it is asked for this one behind them */
    bool put_off;   /* RESULT is what a host said, and another may do better */
    bool done;      /* RESULT is final for this attempt */
    bool abandoned; /* not tried: we are about to stop */
    bool reported;  /* told to queue */
    bool late;      /* deferred, for so long by now that the sender should hear of it */
    struct result result;
    char *host, *tls_version, *tls_cipher, *tls_peer; /* owned */
    enum tls_way way;
};

/* What all transactions of one copy share. */
struct mail {
    const char *id; /* queue id */
    const char *reverse_path;
    struct span message;
    bool eight_bit;    /* bytes over 127 anywhere in the message */
    bool smtputf8;     /* the reverse-path or the header needs SMTPUTF8 (RFC 6531), whoever it goes to */
    bool requiretls;   /* RFC 8689 */
    bool tls_optional; /* TLS-Required: No (RFC 8689 §3), and not REQUIRETLS */
    struct tls_rule rule;
    const char *envid; /* DSN parameters of MAIL, NULL: none (RFC 3461) */
    const char *ret;
};

struct transaction {
    TAILQ_ENTRY(transaction) link; /* of its destination's queue */
    const struct mail *mail;
    struct recipient **recipients;
    size_t n;
    unsigned put_back;              /* so many times it went back to wait for another connection */
    void (*on_progress)(void *arg); /* some recipients are done, and others are still tried */
    void (*on_done)(void *arg, struct transaction *t); /* no recipient is open any more; frees it */
    void *arg;
};
TAILQ_HEAD(transaction_list, transaction);

/* NULL: out of memory. */
struct transaction *transaction_new(const struct mail *mail, struct recipient **recipients, size_t n);
void transaction_free(struct transaction *t);

/* Is a recipient neither done nor abandoned? */
bool transaction_is_open(const struct transaction *t);
/* Has every one that is open an answer that may stand? */
bool transaction_is_put_off(const struct transaction *t);
/* Is there one that the same host is to be asked for in its next turn? */
bool transaction_has_next_turn(const struct transaction *t);

/* The result for one open recipient, or for all that are open; PEER may be NULL. */
void transaction_result(struct recipient *r, const struct result *result, const struct peer *peer);
void transaction_fail(struct transaction *t, const struct result *result, const struct peer *peer);
/* The same for those whose RCPT was accepted over this connection. */
void transaction_fail_accepted(struct transaction *t, const struct result *result, const struct peer *peer);

/* Not the last word, as long as another host can be asked. "Try later" of one host outweighs "never" of the
 * next. */
void transaction_put_off(struct recipient *r, const struct result *result, const struct peer *peer);
void transaction_put_off_all(struct transaction *t, const struct result *result, const struct peer *peer);
/* A host that is to be preferred could not be asked: what was put off for good is so only for now. */
void transaction_soften(struct transaction *t);
/* Nobody else is asked: what was put off stands, and WHY is the result of all others that are open. */
void transaction_give_up(struct transaction *t, const struct result *why);
/* The open ones will not be tried by this process. */
void transaction_abandon(struct transaction *t);

void recipient_free(struct recipient *r);

#endif
