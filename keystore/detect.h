/* Which kind of certificates does a file hold? By content; file names are not asked. */
#ifndef SEALGATE_KEYSTORE_DETECT_H
#define SEALGATE_KEYSTORE_DETECT_H

#include "keystore/keystore.h"

/*
 * Binary OpenPGP has the first bit set in its first byte (RFC 4880 §4.2), DER begins with a long SEQUENCE,
 * and text is told by its BEGIN lines (RFC 4880 §6.2, RFC 7468 §2). STATUS_INVALID: none of these, or both
 * kinds in one file.
 */
MUST_USE enum status keystore_detect_format(struct span file, enum certificate_format *format_out,
                                            struct error *err);

#endif
