/* One sealed copy: encrypted, wrapped, and proven. */
#ifndef SEALGATE_SEAL_SEALED_COPY_H
#define SEALGATE_SEAL_SEALED_COPY_H

#include "gateway/seal/bodies.h"
#include "gateway/seal/job.h"

struct sealed_order {
    struct span outer;  /* header so far: Received and the outer fields */
    struct spans inner; /* the entity to be encrypted */
    bool smtputf8;      /* the outer header may hold UTF-8 */
    enum certificate_format format;
    const struct certificate *const *certificates; /* at least one, all of FORMAT */
    size_t n;
    /* OpenPGP */
    const struct seal_signing *signing; /* whose key signs inside; NULL: nobody's */
    const char *inline_charset;         /* no MIME: INNER is text in this charset; NULL: PGP/MIME */
    /* S/MIME */
    bool gcm;
    enum policy_transport transport;
};

struct sealed_made {
    struct seal_place place;
    char cipher[PGP_CIPHER_SIZE]; /* "AES256", "AES-256-CBC", …, for the audit trail */
};

/* Is this recipient's RSA key to be used with OAEP? */
bool sealed_with_oaep(const struct sealed_order *order, const struct certificate *certificate);

/*
 * Writes the whole copy behind what BODIES hold, and proves it with verify_copy. STATUS_OK: what lies at
 * MADE_OUT's place is sealed to exactly these certificates. After anything else BODIES are worthless.
 */
MUST_USE enum status sealed_copy(const struct seal *seal, const struct sealed_order *order,
                                 struct seal_bodies *bodies, struct sealed_made *made_out, struct error *err);

#endif
