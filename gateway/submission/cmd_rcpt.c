/* RCPT (RFC 5321 §4.1.1.3). */
#include <stdio.h>
#include <stdlib.h>

#include "gateway/submission/rcpt_decision.h"
#include "gateway/submission/session.h"
#include "gateway/submission/verbs.h"

/* False: answered. */
static bool parse(struct session *s, struct span args, struct path *path)
{
    static const char keyword[] = "TO:";
    struct span rest, which;
    if (!span_starts(args, keyword)) {
        session_reply(s, REPLY_BAD_RECIPIENT);
        return false;
    }
    args = span_of(args.p + sizeof keyword - 1, args.len - (sizeof keyword - 1));
    enum path_result path_result = path_parse_forward(args, path, &rest);
    if (path_result != PATH_OK) {
        session_reply(s, reply_for_path(path_result, false));
        return false;
    }
    enum param_result param_result = param_parse_rcpt(rest, &which);
    if (param_result != PARAM_OK) {
        session_reply(s, reply_for_param(param_result));
        return false;
    }
    return true;
}

/* <postmaster> without a domain is ours (RFC 5321 §4.1.1.3). */
static char *address_of(const struct session *s, const struct path *path)
{
    char *address = NULL;
    if (!path->postmaster)
        return span_dup(path->address);
    if (asprintf(&address, "postmaster@%s", s->server->settings->hostname) < 0)
        return NULL;
    return address;
}

void cmd_rcpt(struct session *s, struct span args)
{
    struct path path;
    if (!parse(s, args, &path))
        return;
    if (s->transaction.envelope.n_recipients >= s->server->settings->limits.recipients_max) {
        session_reply(s, REPLY_TOO_MANY_RECIPIENTS);
        return;
    }
    char *address = address_of(s, &path);
    if (address)
        rcpt_decide(s, address);
    else
        session_reply(s, REPLY_LATER_MEMORY);
}
