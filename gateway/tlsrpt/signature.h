/* DKIM (RFC 6376), which mail with TLS reports must carry (RFC 8460 §3); by libopendkim. */
#ifndef SEALGATE_TLSRPT_SIGNATURE_H
#define SEALGATE_TLSRPT_SIGNATURE_H

#include "base/buf.h"

struct tlsrpt_dkim {
    const char *domain;   /* d=, NULL: mail is not signed */
    const char *selector; /* s= */
    const char *key;      /* RSA, PEM */
};

/* Appends the field "DKIM-Signature: …" with its CRLF, which belongs before MESSAGE (CRLF lines, 7bit):
 * relaxed, rsa-sha256, over all of it. STATUS_INVALID: the key cannot sign. */
MUST_USE enum status tlsrpt_sign(const struct tlsrpt_dkim *dkim, struct span message, struct buf *out,
                                 struct error *err);

#endif
