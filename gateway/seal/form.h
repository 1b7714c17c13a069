/*
 * How a message looks in copies of one kind: what stands outside, what is sealed or goes clear, who signs.
 * Made once, shared by the copies that the rules treat alike.
 */
#ifndef SEALGATE_SEAL_FORM_H
#define SEALGATE_SEAL_FORM_H

#include "gateway/message/plain_text.h"
#include "gateway/message/protect.h"
#include "gateway/seal/bodies.h"
#include "gateway/seal/job.h"
#include "gateway/seal/signed_entity.h"

/* What of the message is the same in all forms. */
struct form_source {
    const struct seal *seal;
    const struct seal_job *job;
    struct span missing; /* Date and Message-ID, when the message lacks them */
    struct span front;   /* what stands in front outside: trace fields and the missing ones */
};

#define FORM_PIECES_MAX (SIGNED_PIECES_MAX + 2)

struct form {
    const struct policy_rule *rule;
    enum policy_action action;          /* ACTION_SEAL, ACTION_CLEAR or ACTION_PASS */
    enum certificate_format format;     /* of ACTION_SEAL */
    const struct seal_signing *signing; /* whose key signs; NULL: nobody's */
    bool signs_inside;                  /* OpenPGP signs what it encrypts, so nothing of it shows here */
    char fingerprint[CERTIFICATE_FINGERPRINT_SIZE]; /* of that key; "": nobody signs */
    char unsigned_why[ERROR_TEXT_MAX];   /* why a key that there is does not sign; "": it does, or is none */
    const char *inline_charset;          /* CONTENT is text for OpenPGP without MIME; NULL: an entity */
    struct span outer;                   /* ACTION_SEAL: the header outside */
    struct span pieces[FORM_PIECES_MAX]; /* ACTION_SEAL: what is sealed; else: the whole message */
    size_t n_pieces;
    struct seal_place place; /* where a whole message was stored already; length 0: not yet */

    /* what the spans above point into, beside the message; owned */
    struct message_parts parts;
    struct buf header;
    struct protected protected;
    struct plain_text text;
    struct signed_entity signed_entity;
};

static inline struct spans form_content(const struct form *form)
{
    return (struct spans){.items = form->pieces, .n = form->n_pieces};
}

/*
 * Makes the form for ACTION and FORMAT under RULE. A failure says in *OUTCOME_OUT how to answer the client:
 * STATUS_INVALID (SUBMIT_REFUSED_SMTPUTF8): a field outside must not stand there; STATUS_DENIED
 * (SUBMIT_REFUSED_POLICY): the rule requires a signature, and the sender has no key; STATUS_TEMPORARY
 * (SUBMIT_LATER_SIGNING): the key that it requires may not sign any more; all else SUBMIT_LATER.
 * *FORM_OUT is on the heap: form_free.
 */
MUST_USE enum status form_make(const struct form_source *source, const struct policy_rule *rule,
                               enum policy_action action, enum certificate_format format,
                               struct form **form_out, enum submit_outcome *outcome_out, struct error *err);
void form_free(struct form *form);

#endif
