/* S/MIME (RFC 8551 §3.3): enveloped-data as one MIME entity, and its base64. */
#ifndef SEALGATE_SEAL_SMIME_MIME_H
#define SEALGATE_SEAL_SMIME_MIME_H

#include "base/buf.h"

/* Field values, which the check of the finished copy expects again. */
#define SMIME_MIME_TYPE "application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m"
#define SMIME_MIME_ENCODING "base64"
#define SMIME_MIME_DISPOSITION "attachment; filename=smime.p7m"

/* Characters of a full base64 line (RFC 2045 §6.8: at most 76) and the bytes they stand for. */
#define SMIME_MIME_LINE 76
#define SMIME_MIME_LINE_BYTES 57

/* Appends OUTER (the header so far), the MIME fields, the separator, and DER in base64 with CRLF. */
void smime_mime_write(struct buf *copy, struct span outer, struct span der);

/*
 * Decodes the base64 that smime_mime_write wrote, appended to DER_OUT. STATUS_INVALID: any other form, be it
 * one more blank, a line too short, or unused bits that are not zero.
 */
MUST_USE enum status smime_mime_decode(struct span text, struct buf *der_out, struct error *err);

#endif
