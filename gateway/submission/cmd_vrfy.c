/* VRFY (RFC 5321 §3.5.3): tells nobody which addresses exist. */
#include "gateway/submission/session.h"
#include "gateway/submission/verbs.h"

void cmd_vrfy(struct session *s, struct span args)
{
    session_reply(s, args.len > 0 ? REPLY_CANNOT_VERIFY : REPLY_BAD_ARGUMENTS);
}
