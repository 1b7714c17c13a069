/* The texts of a message that its reader is shown first: its main body parts (RFC 9787 §7.1). */
#ifndef SEALGATE_MESSAGE_MAIN_BODY_H
#define SEALGATE_MESSAGE_MAIN_BODY_H

#include "gateway/message/content_type.h"

#define MAIN_BODY_PARTS_MAX 4

struct main_body_part {
    struct span header, body;
    bool at_root;                   /* the message is this text itself */
    bool typed;                     /* has a Content-Type; else text/plain in us-ascii, and at the root */
    struct header_field type_field; /* of the rest when TYPED */
    struct content_type type;
};

struct main_body {
    struct main_body_part parts[MAIN_BODY_PARTS_MAX];
    size_t n; /* in their order in the message */
};

/*
 * The parts of PARTS, a whole message, that are text/plain or text/html: the first of multipart/mixed, every
 * one of multipart/alternative, the root of multipart/related, at most MAIN_BODY_PARTS_MAX. Never an
 * attachment, what is signed, or what readers could cut differently.
 */
void main_body_find(const struct message_parts *parts, struct main_body *body_out);

#endif
