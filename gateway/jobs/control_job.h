/*
 * control → keys, queue, delivery, auth, supervisor: one JSON object {"verb": "queue.list", …} as the body;
 * the reply is one JSON object,
 * {"ok": true, …} or {"ok": false, "class": "not-found", "error": "what, why, what to do"}.
 */
#ifndef SEALGATE_JOBS_CONTROL_JOB_H
#define SEALGATE_JOBS_CONTROL_JOB_H

#include <jansson.h>

#include "base/call.h"

enum { CONTROL_REQUEST = 64, CONTROL_REPLY = 65 };

#define CONTROL_REQUEST_MAX (4u << 20)

/* Parses a request's body: an object with a string "verb"; else NULL and err. New reference. */
json_t *control_request_parse(struct span body, struct error *err);

/*
 * TEXT as JSON, a new reference. Texts that were cut, or came from outside, may be no UTF-8, which jansson
 * refuses: then what is not printable ASCII is a "?".
 */
json_t *control_text(const char *text);

/* Answers REQUEST with OBJECT (stolen reference; NULL: out of memory) or, with ERR non-NULL, with the error.
 * Does not free the request. */
void control_reply_json(struct request *request, json_t *object);
void control_reply_error(struct request *request, const struct error *err);

#endif
