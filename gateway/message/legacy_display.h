/*
 * Legacy display (RFC 9788 §5.2.2, §5.2.3): what is hidden outside, repeated at the top of the texts, for
 * readers who know nothing of protected headers. Put there without touching what was submitted, or not at
 * all.
 */
#ifndef SEALGATE_MESSAGE_LEGACY_DISPLAY_H
#define SEALGATE_MESSAGE_LEGACY_DISPLAY_H

#include "gateway/message/main_body.h"
#include "gateway/message/protect.h"

/* A Content-Type with its parameter, and what is shown. */
#define LEGACY_DISPLAY_EDITS_MAX (2 * MAIN_BODY_PARTS_MAX)

struct legacy_edit {
    struct span cut; /* of the message's body; may be empty */
    size_t len;      /* bytes of TEXT in its place */
};

struct legacy_display {
    struct legacy_edit edits[LEGACY_DISPLAY_EDITS_MAX]; /* in their order; n 0: nothing is shown */
    size_t n;
    bool at_root;    /* the message is the text itself: its Content-Type wants the parameter */
    struct buf text; /* of all edits, one behind the other; owned */
};

/*
 * Makes what the main body parts of ORDER's message are to show: the fields that the outside hides or
 * changes, in front of a text/plain, and where the body of a text/html begins. Nothing in a part whose
 * charset or encoding does not allow for it, nor where nothing is hidden.
 */
void legacy_display_find(const struct protect_order *order, struct legacy_display *display_out);
void legacy_display_free(struct legacy_display *display);

#endif
