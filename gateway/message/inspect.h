/*
 * What rules and the plan want to know of a message, read with GMime (read only; nothing is ever written back
 * through it). Call prescan_message first, in a worker with limits: GMime can loop, GLib aborts when out of
 * memory.
 */
#ifndef SEALGATE_MESSAGE_INSPECT_H
#define SEALGATE_MESSAGE_INSPECT_H

#include "base/error.h"
#include "base/span.h"

struct address_list {
    char **items; /* addr-specs; owned */
    size_t n;
};

struct message_facts {
    char *subject;    /* decoded (RFC 2047) to UTF-8, all Subject fields joined by LF; "" when none; owned */
    char *message_id; /* without angle brackets; owned, may be NULL */
    struct address_list from; /* every From field */
    struct address_list sender;
    struct address_list
        named; /* To and Cc, and Resent-To, Resent-Cc: a recipient not among them is a Bcc recipient */
    char *content_type;  /* "text/plain", lower case; owned */
    bool has_attachment; /* some part, also of a message inside, is an attachment or has a file name */
};

/* Once per process, before the first inspection (g_mime_init). */
void message_inspect_start(void);

/* STATUS_OK even for malformed MIME: facts are then what could be read. */
MUST_USE enum status message_inspect(struct span message, struct message_facts *facts_out, struct error *err);
void message_facts_free(struct message_facts *facts);

#endif
