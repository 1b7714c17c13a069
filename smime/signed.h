/*
 * A signed mail from the past: whose certificate made the signature, and what its owner's programs say in it
 * that they read (RFC 8551 §2.5.2).
 */
#ifndef SEALGATE_SMIME_SIGNED_H
#define SEALGATE_SMIME_SIGNED_H

#include "smime/smime.h"

#define SMIME_SIGNED_MAX (4u << 20) /* bytes of the mail */
#define SMIME_SIGNED_OTHERS_MAX 64  /* certificates beside the signer's */

struct smime_signed {
    struct buf certificate;           /* the signer's, DER; judged by nobody yet */
    struct smime_certificates others; /* what else lay in the message: covered by no signature, so they only
                                         help to build a chain */
    unsigned capabilities;            /* SMIME_CAPABILITY_* */
    int64_t signed_at;                /* signing time, seconds since 1970, as the signer says; 0: none */
};

/*
 * Reads BYTES: a mail (RFC 5322, header first, CRLF or LF lines) whose whole content is multipart/signed or
 * application/pkcs7-mime with SignedData, or a bare SignedData (DER, BER or PEM) with its content inside.
 * STATUS_OK only if there is one signer, whose certificate is in it, and its signature holds over the content
 * as it was signed, with a digest of SHA-256 or better. What the certificate is worth is asked of
 * smime_certificate_inspect; From: and the like are not looked at.
 *
 * STATUS_NOT_FOUND: it is none of these (another kind of file, a SignedData without signers).
 * STATUS_INVALID: it is one and proves nothing: damaged, content changed, several signers, a detached
 * signature (.p7s) without its mail. STATUS_LIMIT: over SMIME_SIGNED_MAX bytes or too many certificates.
 * Free with smime_signed_free (after an error there is nothing in it).
 */
MUST_USE enum status smime_signed_read(struct span bytes, struct smime_signed *signed_out, struct error *err);
void smime_signed_free(struct smime_signed *mail);

#endif
