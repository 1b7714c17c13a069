/* S/MIME (RFC 8551 §3.3): what stands around the base64 of enveloped data. */
#ifndef SEALGATE_SEAL_SMIME_MIME_H
#define SEALGATE_SEAL_SMIME_MIME_H

/* Field values, which the check of the finished copy expects again. */
#define SMIME_MIME_TYPE "application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m"
#define SMIME_MIME_TYPE_GCM "application/pkcs7-mime; smime-type=authEnveloped-data; name=smime.p7m"
#define SMIME_MIME_ENCODING "base64"
#define SMIME_MIME_DISPOSITION "attachment; filename=smime.p7m"

/* What follows the outer header up to the base64; with TYPE one of the above. */
#define SMIME_MIME_HEADER(type)                                                                              \
    "MIME-Version: 1.0\r\n"                                                                                  \
    "Content-Type: " type "\r\n"                                                                             \
    "Content-Transfer-Encoding: " SMIME_MIME_ENCODING "\r\n"                                                 \
    "Content-Disposition: " SMIME_MIME_DISPOSITION "\r\n"                                                    \
    "\r\n"

#endif
