/* PGP/MIME (RFC 3156 §4): what stands around the armored message. */
#ifndef SEALGATE_SEAL_PGP_MIME_H
#define SEALGATE_SEAL_PGP_MIME_H

#include "base/buf.h"
#include "base/id.h"

/* Field values and the first part's content, which the check of the finished copy expects again. */
#define PGP_MIME_TYPE "multipart/encrypted; protocol=\"application/pgp-encrypted\""
#define PGP_MIME_CONTROL_TYPE "application/pgp-encrypted"
#define PGP_MIME_CONTROL "Version: 1\r\n"
#define PGP_MIME_DATA_TYPE "application/octet-stream; name=\"encrypted.asc\""
#define PGP_MIME_DATA_DISPOSITION "inline; filename=\"encrypted.asc\""

/* With "=" and "_", which base64 and armor lines do not begin with, it can stand in no part (RFC 2045 §6.7).
 */
#define PGP_MIME_BOUNDARY_START "=_"
#define PGP_MIME_BOUNDARY_SIZE (2 + ID_SIZE) /* with NUL */

void pgp_mime_boundary(char boundary_out[PGP_MIME_BOUNDARY_SIZE]);

/* Appends the MIME fields, the first part and the second part's header; the armored message goes behind it.
 */
void pgp_mime_begin(struct buf *copy, const char *boundary);

/* OpenPGP without MIME: the fields of a text/plain entity whose body is the armored message. */
#define PGP_INLINE_TYPE "text/plain; charset="
#define PGP_INLINE_ENCODING "7bit"
void pgp_inline_begin(struct buf *copy, const char *charset);

/* Appends what ends the last part. */
void pgp_mime_end(struct buf *copy, const char *boundary);

#endif
