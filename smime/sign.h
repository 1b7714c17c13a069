/*
 * Signing: detached SignedData for multipart/signed (RFC 8551 §3.5.3), with a key from PKCS#12, PEM or a
 * PKCS#11 token.
 */
#ifndef SEALGATE_SMIME_SIGN_H
#define SEALGATE_SMIME_SIGN_H

#include "smime/smime.h"

#define SMIME_MICALG_SIZE 16

struct smime_signer_settings {
    const char *name;        /* for messages: the file or URI as configured */
    struct span certificate; /* bytes of a PKCS#12 or PEM file (with its chain); empty: CERTIFICATE_URI */
    struct span key;         /* bytes of a PEM file; empty: in CERTIFICATE, or KEY_URI */
    const char *certificate_uri, *key_uri; /* RFC 7512 "pkcs11:…"; NULL: none */
    const char *pkcs11_module;             /* library of the token; NULL: none */
    const char *passphrase;                /* of the file, or the PIN; NULL: none */
    unsigned capabilities; /* SMIME_CAPABILITY_* that the signatures announce beside AES-CBC: partners will
                              then seal in that way to the people it signs for, so their programs must read
                              it */
};

struct smime_signer;

/*
 * Reads certificate, chain and key, which must belong together. STATUS_INVALID: damaged, no pair, wrong
 * passphrase, an algorithm that is not used (under RSA 2048, X25519, …); STATUS_DENIED: the token refuses the
 * PIN, or has locked it; STATUS_TEMPORARY: the token does not answer. The bytes of SETTINGS are not needed
 * afterwards.
 */
MUST_USE enum status smime_signer_open(const struct smime_signer_settings *settings,
                                       struct smime_signer **signer_out, struct error *err);
void smime_signer_close(struct smime_signer *signer);

/* SHA-256 of the certificate, upper-case hex. */
const char *smime_signer_fingerprint(const struct smime_signer *signer);

/* When the certificate expires, or before it one of its chain: seconds since 1970. */
int64_t smime_signer_expires(const struct smime_signer *signer);

/* May it sign mail at NOW (dates, KU digitalSignature or nonRepudiation, EKU emailProtection)? STATUS_DENIED
 * with the reason. */
MUST_USE enum status smime_signer_check(const struct smime_signer *signer, int64_t now, struct error *err);

/*
 * A detached SignedData of ENTITY (its bytes as they are, in CRLF lines) in DER, appended to DER_OUT: SHA-256
 * (P-384: SHA-384, P-521: SHA-512), signed attributes with signing time and SMIMECapabilities, the chain
 * without its root. MICALG_OUT: "sha-256", …. Proven: parsed again, and the signature verified over ENTITY.
 * STATUS_TEMPORARY when the token fails, also after it was opened once more; STATUS_DENIED when it refuses
 * the PIN then. Any failure leaves DER_OUT reset.
 */
MUST_USE enum status smime_sign(struct smime_signer *signer, struct spans entity, struct buf *der_out,
                                char micalg_out[SMIME_MICALG_SIZE], struct error *err);

#endif
