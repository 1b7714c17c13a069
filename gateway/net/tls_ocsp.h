/* OCSP responses for stapling (RFC 6066 §8, RFC 6960), read from files that something else keeps fresh. */
#ifndef SEALGATE_NET_TLS_OCSP_H
#define SEALGATE_NET_TLS_OCSP_H

#include <openssl/x509.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

struct tls_ocsp {
    struct buf der;       /* owned */
    int64_t next_wall_ms; /* from then on it is stale */
};

/*
 * Reads the DER file PATH and checks it: a successful response that says "good" for LEAF, with a nextUpdate,
 * and signed by its issuer or for it, when the issuer is in CHAIN (may be NULL). STATUS_INVALID otherwise. A
 * stale one is no error: it is only never to be sent. Free with tls_ocsp_free.
 */
MUST_USE enum status tls_ocsp_read(const char *path, X509 *leaf, STACK_OF(X509) * chain,
                                   struct tls_ocsp *ocsp_out, struct error *err);
void tls_ocsp_free(struct tls_ocsp *ocsp);

#endif
