/* One X.509 certificate and its public key, as the rest of the module sees them. */
#ifndef SEALGATE_SMIME_CERTIFICATE_H
#define SEALGATE_SMIME_CERTIFICATE_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/x509.h>

#include "base/error.h"
#include "base/span.h"
#include "smime/smime.h"

/*
 * Fills ERR with WHAT and OpenSSL's newest reason, empties OpenSSL's error queue (TLS code in the same
 * process reads it) and returns STATUS, or STATUS_TEMPORARY when memory ran out.
 */
enum status smime_failure(struct error *err, enum status status, const char *what);

/*
 * Reads DER, which must be one whole certificate of at most SMIME_CERTIFICATE_MAX bytes. STATUS_INVALID: it
 * is not. The caller frees *cert_out with X509_free.
 */
MUST_USE enum status smime_certificate_parse(struct span der, X509 **cert_out, struct error *err);

/* Appends CERT to LIST in DER; STATUS_LIMIT: MAX are in it. */
MUST_USE enum status smime_certificates_append(struct smime_certificates *list, size_t max, X509 *cert,
                                               struct error *err);

enum smime_key_type { SMIME_KEY_OTHER, SMIME_KEY_RSA, SMIME_KEY_EC };

struct smime_key {
    enum smime_key_type type;
    char name[32];       /* "rsa2048", "nistp256", "brainpoolP256r1", "x25519", … */
    size_t size;         /* RSA: bytes of the modulus; EC: bytes of an uncompressed point; else 0 */
    const char *problem; /* why nothing can be encrypted to it, static text; NULL: it can */
};

/* Describes the public key of CERT; never fails: what is unknown has a problem. */
void smime_key_read(const X509 *cert, struct smime_key *key_out);

#endif
