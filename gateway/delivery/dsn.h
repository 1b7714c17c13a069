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
    int64_t received_ms;  /* of the original */
    int64_t now_ms;
    struct recipient *const *recipients; /* that failed */
    size_t n;
    struct span header; /* of the original: all of it that is shown; never more, never a body */
};

/* Does the sender want to hear of R's failure (RFC 3461 §4.1: NOTIFY)? */
bool dsn_is_wanted(const struct recipient *r);

/* Appends the whole message: CRLF lines, 7bit. */
void dsn_write(const struct dsn *dsn, struct buf *out);

/* "5.1.1" etc. → what the sender can do about it. */
const char *dsn_advice(const struct result *result);

#endif
