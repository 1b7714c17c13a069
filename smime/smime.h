/*
 * S/MIME with OpenSSL: inspect a certificate, encrypt, check what came out (RFC 8551, RFC 5652).
 *
 * Knows nothing of SMTP, policy or the database. Fitness is judged here, not by OpenSSL's purposes
 * (pitfalls: X509_PURPOSE_SMIME_ENCRYPT rejects keyAgreement, CMS_encrypt takes serverAuth).
 */
#ifndef SEALGATE_SMIME_SMIME_H
#define SEALGATE_SMIME_SMIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/sink.h"
#include "base/span.h"

#define SMIME_FINGERPRINT_SIZE 65        /* SHA-256 of the DER certificate, upper-case hex and NUL */
#define SMIME_CERTIFICATE_MAX (1u << 16) /* bytes of one DER certificate */
#define SMIME_FILE_MAX (1u << 20)        /* bytes of a file with certificates */

enum smime_fitness {
    SMIME_USABLE,
    SMIME_EXPIRED,
    SMIME_NOT_YET_VALID,
    SMIME_WRONG_USAGE, /* EKU without emailProtection/any; KU without keyEncipherment (RSA) or keyAgreement
                          (EC); a CA */
    SMIME_UNSUPPORTED, /* X25519, X448, DSA, unknown curve, RSA under 2048 bits, MD5 or SHA-1 signature
                          (unless self-signed root) */
    SMIME_UNTRUSTED,   /* roots are configured and no chain leads to one */
    SMIME_INVALID,     /* damaged, no address */
    SMIME_REVOKED,     /* by a CRL of its issuer, or one of its chain is */
    SMIME_UNCHECKED,   /* a fresh CRL is required and there is none */
};

/* What the programs of a certificate's owner say they read (RFC 8551 §2.5.2, RFC 4262). */
enum { SMIME_CAPABILITY_AES256_GCM = 1, SMIME_CAPABILITY_RSA_OAEP = 2 };

struct smime_certificate_info {
    enum smime_fitness fitness;
    char reason[160]; /* for people; "" when usable */
    char fingerprint[SMIME_FINGERPRINT_SIZE];
    char algorithm[32];            /* "rsa2048", "nistp256", … */
    int64_t not_before, not_after; /* seconds since 1970 */
    char *subject;                 /* RFC 2253, UTF-8; owned */
    char *issuer;                  /* owned */
    char *serial;                  /* hex; owned */
    char **addresses; /* SAN rfc822Name and SmtpUTF8Mailbox, then emailAddress of the DN only if the SAN has
                         none; owned */
    size_t n_addresses;
    unsigned capabilities; /* SMIME_CAPABILITY_*, of the certificate's sMIMECapabilities extension */
};

/*
 * Trust anchors and revocation lists. NULL roots_path: no chain is asked for (certificates the administrator
 * added are trusted by that).
 *
 * CRL files hold PEM (one or more CRLs) or DER (one). Every CRL given counts, also past its nextUpdate; delta
 * and indirect CRLs are refused. crl_required: a certificate, or one of its chain below the root, that no CRL
 * within its dates covers is not used. A CRL file that changed is read again at the next judgement, which is
 * STATUS_TEMPORARY while the file is damaged or gone.
 */
struct smime_trust;
struct smime_trust_settings {
    const char *roots_path;       /* PEM bundle; NULL: none */
    const char *const *crl_paths; /* n_crl_paths files; copied */
    size_t n_crl_paths;
    bool crl_required;
};
MUST_USE enum status smime_trust_open(const struct smime_trust_settings *settings,
                                      struct smime_trust **trust_out, struct error *err);
void smime_trust_close(struct smime_trust *trust);

/*
 * For who keeps judgements: reads CRL files that changed again, and sets *CHANGED_OUT to the last time
 * (seconds since 1970) at which the CRLs began to say something else: opened, read again, or one
 * of them came to its thisUpdate or over its nextUpdate. A judgement made then or before no longer counts.
 * INT64_MIN: there are none (also when TRUST is NULL). STATUS_TEMPORARY: a file cannot be read, no judgement
 * counts.
 */
MUST_USE enum status smime_trust_refresh(const struct smime_trust *trust, int64_t now, int64_t *changed_out,
                                         struct error *err);

struct smime_certificates {
    struct buf *items; /* each one DER certificate */
    size_t n;
};

/*
 * Cuts a file (PEM with one or more CERTIFICATE blocks, DER, PKCS#7 certs-only in PEM or DER) into DER
 * certificates. CA certificates are kept in the list too (info says so). A private key anywhere in it is
 * STATUS_INVALID; none found and a damaged one are STATUS_INVALID; more than MAX or a file over
 * SMIME_FILE_MAX bytes is STATUS_LIMIT. Free with smime_certificates_free (after an error the list is empty).
 */
MUST_USE enum status smime_certificates_split(struct span file, size_t max,
                                              struct smime_certificates *list_out, struct error *err);
void smime_certificates_free(struct smime_certificates *list);

/*
 * Judges one DER certificate at NOW (seconds since 1970). TRUST NULL: neither chain nor revocation is asked
 * for. EXTRA (may be NULL) are intermediates, and issuers of CRLs. Unfit is STATUS_OK with a fitness and a
 * reason.
 */
MUST_USE enum status smime_certificate_inspect(struct span der, const struct smime_trust *trust,
                                               const struct smime_certificates *extra, int64_t now,
                                               struct smime_certificate_info *info_out, struct error *err);

/*
 * The same for a certificate that the administrator pinned: no chain to a root is asked for. All else is,
 * revocation too.
 */
MUST_USE enum status smime_certificate_inspect_pinned(struct span der, const struct smime_trust *trust,
                                                      const struct smime_certificates *extra, int64_t now,
                                                      struct smime_certificate_info *info_out,
                                                      struct error *err);
void smime_certificate_info_free(struct smime_certificate_info *info);

enum smime_cipher {
    SMIME_AES256_CBC, /* EnvelopedData; everybody reads it, nothing protects it against changes */
    SMIME_AES256_GCM, /* AuthEnvelopedData (RFC 5083, RFC 5084) */
};

struct smime_recipient {
    struct span certificate; /* DER */
    bool oaep;               /* RSA keys: RSAES-OAEP, else PKCS#1 v1.5; no meaning for EC keys */
};

/* What a process remembers of certificates that it encrypted to: it need not parse them again. Bounded. NULL:
 * out of memory. */
struct smime_parsed;
struct smime_parsed *smime_parsed_new(void);
void smime_parsed_free(struct smime_parsed *parsed); /* NULL is fine */

/* Whom a message is encrypted to, and how. One certificate may serve several recipients (info@ and sales@):
 * it gets one RecipientInfo, as its first entry says. */
struct smime_order {
    const struct smime_recipient *recipients;
    size_t n;
    enum smime_cipher cipher;
    struct smime_parsed *parsed; /* NULL: every certificate is parsed */
};

/*
 * Encrypts PLAINTEXT (a whole MIME entity in CRLF; its bytes stay as they are) and writes one ContentInfo in
 * DER to DER, piece by piece: what is held does not grow with the message. One RecipientInfo per certificate
 * with issuerAndSerialNumber:
 *   RSA   PKCS#1 v1.5 (RFC 3370 §4.2.1), or RSAES-OAEP with SHA-256, MGF1 with SHA-256 and an empty label
 *         (RFC 4055 §4.1: one hash for both);
 *   EC    ephemeral-static ECDH (RFC 5753 §3.1), X9.63 KDF with SHA-256, for curves over 256 bits SHA-384,
 * and AES-256 key wrap. Fitness is not judged again, but a key that cannot be encrypted to is STATUS_INVALID,
 * and then nothing was written. No recipients: STATUS_INVALID. More than others can read (2 GiB):
 * STATUS_LIMIT. After any failure what was written is worthless.
 */
MUST_USE enum status smime_encrypt(const struct smime_order *order, struct spans plaintext,
                                   const struct sink *der, struct error *err);

/*
 * Proves that the bytes fed are what smime_encrypt writes for ORDER: one whole ContentInfo with EnvelopedData
 * or AuthEnvelopedData, as its cipher says, in DER (indefinite lengths are refused), lengths consume every
 * byte, content type data, that cipher, the RecipientInfos are exactly those of the certificates (none
 * missing, none more, no password or KEK recipients) with the algorithms named above, no originator
 * certificates, no attributes, the encrypted content as long as a plaintext of PLAINTEXT_LEN bytes makes it,
 * and for GCM a MAC of 16 bytes. Issuer, serial number and key are read from the certificates' bytes without
 * OpenSSL's parser, and nothing is shared with smime_encrypt. Holds the part before the content, which is
 * bounded by the certificates, and none of the content.
 *
 * STATUS_INVALID at the start: no certificates, or one of them is none in DER. STATUS_INTERNAL from feed or
 * end: it is not proven; ORDER's recipients may go after the start. After a failed start there is no check;
 * one that failed later still has to be freed. End frees the check whatever its verdict.
 */
struct smime_check;
MUST_USE enum status smime_check_start(const struct smime_order *order, size_t plaintext_len,
                                       struct smime_check **check_out, struct error *err);
MUST_USE enum status smime_check_feed(struct smime_check *check, struct span der, struct error *err);
MUST_USE enum status smime_check_end(struct smime_check *check, struct error *err);
void smime_check_free(struct smime_check *check); /* NULL is fine */

#endif
