/* The parts of a notification, put together by dsn.c. */
#ifndef SEALGATE_DELIVERY_DSN_PRIVATE_H
#define SEALGATE_DELIVERY_DSN_PRIVATE_H

#include "gateway/delivery/dsn.h"

/* Was the message for R handed on, to a host that will not tell what becomes of it? */
static inline bool dsn_is_relayed(const struct recipient *r)
{
    return r->result.failure == FAILURE_NONE;
}

/* dsn.c: the head of a part; ENCODING: "7bit", "quoted-printable". */
void dsn_put_part(const struct dsn *dsn, const char *type, const char *encoding, struct buf *out);

/* dsn_words.c: the part for people. */
void dsn_put_words(const struct dsn *dsn, struct buf *out);
/* dsn_status.c: the part for programs. */
void dsn_put_status(const struct dsn *dsn, struct buf *out);

#endif
