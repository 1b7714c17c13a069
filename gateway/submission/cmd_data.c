/* DATA (RFC 5321 §4.1.1.4). */
#include "gateway/submission/session.h"
#include "gateway/submission/verbs.h"

void cmd_data(struct session *s, struct span args)
{
    (void)args;
    if (s->transaction.envelope.n_recipients == 0)
        session_reply(s, REPLY_NO_RECIPIENTS);
    else
        session_begin_data(s);
}
