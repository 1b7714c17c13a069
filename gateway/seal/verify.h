/* Proves a finished copy by parsing it again (promise 5, A12). */
#ifndef SEALGATE_SEAL_VERIFY_H
#define SEALGATE_SEAL_VERIFY_H

#include "gateway/seal/sealed_copy.h"

/*
 * COPY is, in CRLF lines, exactly: the outer header of ORDER, which names no Bcc and holds no MIME field; the
 * MIME fields of its format; and a body that is the sealed entity and nothing before, behind or beside it,
 * readable by ORDER's certificates and no others (pgp_check_message, smime_check_start). Else STATUS_INTERNAL
 * with what is wrong, or STATUS_TEMPORARY when memory is short.
 */
MUST_USE enum status verify_copy(struct span copy, const struct sealed_order *order, struct error *err);

#endif
