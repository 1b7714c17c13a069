/* QUIT (RFC 5321 §4.1.1.10). */
#include "gateway/submission/session.h"
#include "gateway/submission/verbs.h"

void cmd_quit(struct session *s, struct span args)
{
    (void)args;
    session_end_with(s, REPLY_BYE);
}
