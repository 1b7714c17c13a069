/* Delivery status notifications (RFC 3464, RFC 6522): what a sender is told, in words that say what to do. */
#ifndef SEALGATE_DELIVERY_DSN_H
#define SEALGATE_DELIVERY_DSN_H

#include <stdint.h>

#include "base/buf.h"
#include "gateway/delivery/transaction.h"

struct dsn {
    const char *id;       /* queue id of the notification */
    const char *hostname; /* of this gateway */
    const char *to;       /* original reverse-path, not "" */
    const char *envid;    /* ENVID of the original (xtext), NULL: none */
    int64_t received_ms;  /* of the original */
    int64_t now_ms;
    struct recipient *const *recipients; /* FAILURE_NONE in the result: relayed; late: delayed; else
                                            failed */
    size_t n;
    bool
        tls_optional; /* the original had TLS-Required: No, which counts for the way back too (RFC 8689 §5) */
    bool as_sealed;   /* a rule demands TLS of the original, and nothing of the way back: no more is shown
                         than of a sealed message */
    struct span header; /* of the original: all of it that is shown; never more, never a body */
};

/*
 * Does the sender want to hear of this OUTCOME of R's (RFC 3461 §4.1: NOTIFY)? Of a delivered one only when
 * the host that took it does not know DSN and so will never tell (§5.2.2); of a deferred one once, when it is
 * late.
 */
bool dsn_is_wanted(const struct recipient *r, enum delivery_outcome outcome);

/* Appends the whole message: CRLF lines, 7bit, whatever RET said (A32). */
void dsn_write(const struct dsn *dsn, struct buf *out);

/* "5.1.1" etc. → what the sender can do about it. */
const char *dsn_advice(const struct result *result);

#endif
