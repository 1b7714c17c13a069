/* BDAT (RFC 3030 §2). */
#include "gateway/submission/chunks.h"
#include "gateway/submission/session.h"
#include "gateway/submission/verbs.h"

void cmd_bdat(struct session *s, struct span args)
{
    chunk_begin(s, args, NULL);
}
