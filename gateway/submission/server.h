/* What all sessions of a submission process share. */
#ifndef SEALGATE_SUBMISSION_SERVER_H
#define SEALGATE_SUBMISSION_SERVER_H

#include <stdbool.h>

#include "gateway/submission/limits.h"
#include "gateway/submission/submission.h"

struct event_base;
struct session;
struct refused_call;

struct server_state {
    const struct submission_settings *settings;
    struct event_base *base;
    struct limits limits;         /* of clients */
    struct limits users;          /* of authenticated users, by limits_user_key */
    struct session *sessions;     /* all of them, newest first */
    struct refused_call *refused; /* audit records on their way to queue */
    unsigned n_refused;           /* of them */
    size_t in_hand;               /* bytes of messages in memory files */
    unsigned clear_tries;         /* tries without TLS on their way to auth */
    bool retired;                 /* SIGHUP came: no new sessions, those that are here go on */
    bool draining;                /* SIGTERM came: no session begins anything new */
    /* Called when retired or draining and the last session or audit record is gone. */
    void (*on_empty)(struct server_state *server);
    void *owner;
};

/* Calls on_empty if the time has come. */
void server_check_empty(struct server_state *server);

#endif
