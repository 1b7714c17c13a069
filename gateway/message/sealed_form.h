/*
 * Does a message claim to be sealed or signed already, and where is what must prove it (A12)? By structure
 * alone; the content is read by pgp/message.h and smime/message.h.
 */
#ifndef SEALGATE_MESSAGE_SEALED_FORM_H
#define SEALGATE_MESSAGE_SEALED_FORM_H

#include "base/buf.h"
#include "gateway/message/header.h"

enum sealed_form {
    SEALED_FORM_NONE,
    SEALED_FORM_PGP_MIME,      /* RFC 3156 §4: exactly two parts, nothing beside them */
    SEALED_FORM_PGP_INLINE,    /* text/plain whose whole body is one armored message */
    SEALED_FORM_SMIME,         /* application/pkcs7-mime or x-pkcs7-mime, the whole body */
    SEALED_FORM_SIGNED_PGP,    /* RFC 3156 §5: multipart/signed of two parts; CONTENT is the signature */
    SEALED_FORM_SIGNED_SMIME,  /* RFC 8551 §3.5.3: the same with a detached SignedData */
    SEALED_FORM_SIGNED_OPAQUE, /* RFC 8551 §3.5.2: pkcs7-mime with smime-type=signed-data */
};

struct sealed_content {
    enum sealed_form form;
    struct span content; /* armored or binary OpenPGP message, or CMS in BER; in the message or in DECODED */
    struct span micalg;  /* of multipart/signed */
    struct buf decoded;  /* base64 undone; owned */
};

/*
 * Strict: whatever a lenient reader could see beside the sealed content (text before or behind a part, a
 * third part, a header field that is no MIME field in a part's header, a malformed or repeated Content-Type)
 * makes it SEALED_FORM_NONE; then the message is sealed as any other. In front of what is signed stands what
 * programs put there for readers who know no MIME. STATUS_TEMPORARY: out of memory. Free with
 * sealed_content_free.
 */
MUST_USE enum status sealed_form_find(const struct message_parts *parts, struct sealed_content *content_out,
                                      struct error *err);
void sealed_content_free(struct sealed_content *content);

#endif
