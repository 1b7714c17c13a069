/* RSET (RFC 5321 §4.1.1.5): ends the transaction, not the session or its login. */
#include "gateway/submission/session.h"
#include "gateway/submission/verbs.h"

void cmd_rset(struct session *s, struct span args)
{
    (void)args;
    session_end_transaction(s);
    session_reply(s, REPLY_OK);
}
