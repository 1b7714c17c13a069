/*
 * Where the signature and the signed bytes lie in a mail (RFC 8551 §3.5). The little of MIME that is needed
 * here: this folder lies below gateway/message.
 */
#ifndef SEALGATE_SMIME_MAIL_H
#define SEALGATE_SMIME_MAIL_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"

struct smime_mail {
    struct buf lines;    /* a mail saved with LF lines in CRLF, as it was signed; owned */
    struct buf cms;      /* the CMS, decoded; owned */
    bool detached;       /* multipart/signed */
    struct span content; /* detached: the first part with its header, without the CRLF before the delimiter;
                            points into LINES or the mail given */
};

/*
 * Splits a mail whose whole content is multipart/signed with a PKCS#7 signature or application/pkcs7-mime.
 * STATUS_NOT_FOUND: it is no mail or another kind of mail; STATUS_INVALID: damaged. Free with
 * smime_mail_free, also after an error. MAIL must outlive the result.
 */
MUST_USE enum status smime_mail_split(struct span mail, struct smime_mail *mail_out, struct error *err);
void smime_mail_free(struct smime_mail *mail);

#endif
