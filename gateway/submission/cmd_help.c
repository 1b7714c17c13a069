/* HELP (RFC 5321 §4.1.1.8). */
#include "gateway/submission/session.h"
#include "gateway/submission/verbs.h"

void cmd_help(struct session *s, struct span args)
{
    (void)args;
    session_reply(s, REPLY_HELP);
}
