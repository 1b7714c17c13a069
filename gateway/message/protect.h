/*
 * Header protection by RFC 9788: what is sealed or signed (the payload) and what stands outside.
 *
 * The payload is the submitted message, byte for byte, but for: Bcc and Resent-Bcc; HP-Outer fields of
 * others; the fields that were missing (complete.h); "hp" and "protected-headers" as parameters of its
 * Content-Type; one HP-Outer field per field that stands outside; with legacy display, its lines. Where the
 * Content-Type cannot be extended so that all readers see the same (malformed, more than one, no separator),
 * the entity becomes the one part of a multipart/mixed instead, with the header fields on that.
 */
#ifndef SEALGATE_MESSAGE_PROTECT_H
#define SEALGATE_MESSAGE_PROTECT_H

#include "base/buf.h"
#include "gateway/message/header.h"

enum protect_policy {
    PROTECT_HCP_NONE,     /* RFC 9788 §3.2.3 hcp_no_confidentiality: all inside, outside as submitted */
    PROTECT_HCP_BASELINE, /* §3.2.1: Subject is "[...]" outside */
    PROTECT_HCP_SHY,      /* §3.2.2: also no display names, and Date in UTC */
};

struct protect_order {
    const struct message_parts *parts;
    struct span missing; /* fields that the message lacked: inside and outside */
    struct span front;   /* trace fields: outside alone, in front */
    bool smtputf8;
    bool encrypted; /* hp="cipher"; else hp="clear": signed alone, the outside as submitted, no HP-Outer */
    enum protect_policy policy;
    bool legacy_display;
};

/* What was made up to the body, and two edits in each of four texts (legacy_display.h) with what is between
 * them. */
#define PROTECT_PIECES_MAX 20

struct protected
{
    struct span pieces[PROTECT_PIECES_MAX]; /* the payload; of the message's memory and of MADE */
    size_t n_pieces;
    struct buf made;  /* what was made for the payload; owned */
    struct buf outer; /* header outside, without MIME fields; owned */
};

static inline struct spans protected_payload(const struct protected *p)
{
    return (struct spans){.items = p->pieces, .n = p->n_pieces};
}

/*
 * STATUS_INVALID: a field outside holds what must not stand there (text for a 550 5.6.7; see
 * outer_check_charset). Free with protected_free (after an error there is nothing to free). The message's
 * memory must outlive it.
 */
MUST_USE enum status protect_message(const struct protect_order *order, struct protected *protected_out,
                                     struct error *err);
void protected_free(struct protected *protected);

#endif
