/*
 * A streaming look at a message before GMime sees it (A16): bounds on depth, parts and header size, so that
 * no message can make the parser eat the machine. It over-counts rather than under-counts.
 */
#ifndef SEALGATE_MESSAGE_PRESCAN_H
#define SEALGATE_MESSAGE_PRESCAN_H

#include "base/error.h"
#include "base/span.h"

struct prescan_limits {
    size_t header_max;   /* bytes of the outermost header, and of each part's header */
    unsigned parts_max;  /* boundary-like lines that could open a part */
    unsigned depth_max;  /* nesting of multipart and message/rfc822 */
    size_t field_max;    /* bytes of one field with its folds */
    unsigned fields_max; /* fields in one header */
};

/* STATUS_LIMIT with a text for the client: "more than 1000 MIME parts". Linear time, constant memory but for
 * the boundaries open at once. */
MUST_USE enum status prescan_message(struct span message, const struct prescan_limits *limits,
                                     struct error *err);

#endif
