/* Can mail be encrypted to this certificate? Judged here, not by OpenSSL's purposes. */
#ifndef SEALGATE_SMIME_FITNESS_H
#define SEALGATE_SMIME_FITNESS_H

#include <stdbool.h>
#include <stdint.h>

#include <openssl/x509.h>

#include "base/error.h"
#include "smime/certificate.h"
#include "smime/smime.h"

/* What is judged: INFO has its dates and addresses already and gets fitness and reason. */
struct smime_judged {
    X509 *cert;
    const struct smime_key *key;
    const struct smime_trust *trust;        /* NULL: no chain is asked for */
    const struct smime_certificates *extra; /* NULL: no intermediates */
    bool pinned;                            /* no chain is asked for in spite of roots */
    int64_t now;                            /* seconds since 1970 */
    struct smime_certificate_info *info;
};

/*
 * Sets INFO->fitness and reason to the first thing found unfit, else SMIME_USABLE and "". In this order:
 * form, usage, key, signature, addresses, time, chain, revocation.
 */
MUST_USE enum status smime_fitness_judge(const struct smime_judged *judged, struct error *err);

/* Extended key usage is absent, or has emailProtection or anyExtendedKeyUsage (RFC 8550 §4.4.4). */
bool smime_fitness_eku_allows_mail(X509 *cert);

#endif
