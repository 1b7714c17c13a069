/* NOOP (RFC 5321 §4.1.1.9); its argument is ignored. */
#include "gateway/submission/session.h"
#include "gateway/submission/verbs.h"

void cmd_noop(struct session *s, struct span args)
{
    (void)args;
    session_reply(s, REPLY_OK);
}
