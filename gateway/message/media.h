/*
 * What prescan wants of the Content-Type and Content-Transfer-Encoding fields of one header: does something
 * nest in this part, and behind which boundary? Where a parser may see something else than we do, it is
 * UNCLEAR instead of guessed.
 */
#ifndef SEALGATE_MESSAGE_MEDIA_H
#define SEALGATE_MESSAGE_MEDIA_H

#include <stdbool.h>

#include "gateway/message/header.h"

struct media {
    bool multipart;
    bool digest;          /* parts without a type are messages (RFC 2046 §5.1.5) */
    bool message;         /* message/rfc822 and its kin: a header follows */
    bool typed;           /* the last Content-Type has a type and a subtype */
    bool encoded;         /* base64 and the like: what is inside does not nest */
    bool odd_encoding;    /* readers may differ in whether it is encoded */
    bool unclear;         /* readers may differ in any of the rest */
    unsigned types;       /* Content-Type fields seen */
    unsigned encodings;   /* Content-Transfer-Encoding fields seen */
    struct span boundary; /* of a multipart, within the memory of the message; empty: none */
};

/* Takes in one more field of the header; MEDIA starts as {0}. */
void media_add(struct media *media, const struct header_field *field);

#endif
