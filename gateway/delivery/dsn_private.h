/* The parts of a notification, put together by dsn.c. */
#ifndef SEALGATE_DELIVERY_DSN_PRIVATE_H
#define SEALGATE_DELIVERY_DSN_PRIVATE_H

#include "gateway/delivery/dsn.h"

/* What is told of R (RFC 3464 §2.3.3). RELAYED: handed on, to a host that will not tell what becomes of it.
 */
enum dsn_action { DSN_FAILED, DSN_DELAYED, DSN_RELAYED };

static inline enum dsn_action dsn_action(const struct recipient *r)
{
    if (r->result.failure == FAILURE_NONE)
        return DSN_RELAYED;
    return r->late ? DSN_DELAYED : DSN_FAILED;
}

/* Of how many is ACTION told? */
size_t dsn_count(const struct dsn *dsn, enum dsn_action action);

/* dsn.c: the head of a part; ENCODING: "7bit", "quoted-printable". */
void dsn_put_part(const struct dsn *dsn, const char *type, const char *encoding, struct buf *out);

/* dsn_words.c: the part for people. */
void dsn_put_words(const struct dsn *dsn, struct buf *out);
/* dsn_status.c: the part for programs. */
void dsn_put_status(const struct dsn *dsn, struct buf *out);

#endif
