/* gzip (RFC 1952), as reports travel (RFC 8460 §5.2). */
#ifndef SEALGATE_TLSRPT_GZIP_H
#define SEALGATE_TLSRPT_GZIP_H

#include "base/buf.h"

/* Appends BYTES compressed; the same for the same bytes. STATUS_LIMIT: it does not fit into OUT. */
MUST_USE enum status gzip_bytes(struct span bytes, struct buf *out, struct error *err);

#endif
