/* One sealctl on the Unix socket: a JSON object per line in, a JSON object per line out (A25: anything else
 * drops that client only). */
#ifndef SEALGATE_CONTROL_SESSION_H
#define SEALGATE_CONTROL_SESSION_H

#include <jansson.h>

#include "base/error.h"
#include "gateway/control/control.h"

struct event_base;

/* Owns FD from now on; ends by itself. Root and the service's own user may speak, all others are refused. */
void control_session_start(struct event_base *base, const struct control_settings *settings, int fd);

struct session;

/* Answers the request in hand, once; OBJECT's reference is stolen. */
void control_session_answer(struct session *session, json_t *object);
void control_session_answer_error(struct session *session, const struct error *err);

struct event_base *control_session_base(struct session *session);
const struct control_settings *control_session_settings(struct session *session);

#endif
