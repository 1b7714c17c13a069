/* multipart/signed (RFC 1847 §2.1): an entity and a signature of ours over it, as pieces. */
#ifndef SEALGATE_SEAL_SIGNED_ENTITY_H
#define SEALGATE_SEAL_SIGNED_ENTITY_H

#include "gateway/message/protect.h"
#include "gateway/seal/signers.h"

#define SIGNED_PIECES_MAX (PROTECT_PIECES_MAX + 3)

struct signed_entity {
    struct span pieces[SIGNED_PIECES_MAX]; /* Content-Type field and separator; then the body */
    size_t n_pieces;
    struct buf header, head, tail;                  /* what was made around ENTITY; owned */
    char fingerprint[CERTIFICATE_FINGERPRINT_SIZE]; /* of the key or certificate that signed */
};

/*
 * Signs ENTITY (a whole MIME entity in CRLF lines, whose memory must outlive the result) with SIGNING's key
 * of FORMAT: RFC 3156 §5, or RFC 8551 §3.5.3. Any failure is STATUS_TEMPORARY. Free with signed_entity_free,
 * also after a failure.
 */
MUST_USE enum status signed_entity_make(struct seal_signers *signers, const struct seal_signing *signing,
                                        enum certificate_format format, struct spans entity,
                                        struct signed_entity *signed_out, struct error *err);
void signed_entity_free(struct signed_entity *signed_entity);

static inline struct spans signed_entity_pieces(const struct signed_entity *s)
{
    return (struct spans){.items = s->pieces, .n = s->n_pieces};
}

#endif
