/*
 * Legacy display (RFC 9788 §5.2.2): what is hidden outside, repeated at the top of the text, for readers who
 * know nothing of protected headers. Put in front of the text without touching what was submitted, or not at
 * all.
 */
#ifndef SEALGATE_MESSAGE_LEGACY_DISPLAY_H
#define SEALGATE_MESSAGE_LEGACY_DISPLAY_H

#include "gateway/message/content_type.h"
#include "gateway/message/protect.h"

struct legacy_display {
    size_t n;                       /* fields shown; 0: nothing is shown, and nothing below is set */
    bool at_root;                   /* the message is the text itself */
    struct span body;               /* of the part: TEXT goes in front */
    struct buf text;                /* in the part's encoding; owned */
    struct header_field type_field; /* the part's Content-Type, when it is not the root's */
    struct content_type type;
};

/*
 * Finds the first text of ORDER's message, whose root has TYPE (NULL: none), through multipart/mixed, related
 * and alternative, and makes what it is to show: the fields that the
 * outside hides or changes. Nothing where the text is signed, is no
 * text/plain, is an attachment, where its charset or encoding does not allow for it, or nothing is hidden.
 */
void legacy_display_find(const struct protect_order *order, const struct content_type *type,
                         struct legacy_display *display_out);
void legacy_display_free(struct legacy_display *display);

#endif
