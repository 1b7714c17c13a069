#include "gateway/jobs/submit_job.h"

#include "gateway/jobs/fields.h"

void submit_reply_pack(struct buf *b, const struct submit_reply *reply)
{
    pack_u32(b, reply->outcome);
    pack_str(b, reply->rule);
    pack_str(b, reply->recipient);
    pack_str(b, reply->text);
}

void unpack_submit_reply(struct unpack *u, struct submit_reply *reply)
{
    reply->outcome = unpack_between(u, SUBMIT_QUEUED, SUBMIT_LATER_SIGNING);
    unpack_str_to(u, reply->rule, sizeof reply->rule);
    unpack_str_to(u, reply->recipient, sizeof reply->recipient);
    unpack_str_to(u, reply->text, sizeof reply->text);
}

enum status submit_reply_unpack(struct span bytes, struct submit_reply *reply_out, struct error *err)
{
    struct unpack u;
    unpack_init(&u, bytes);
    unpack_submit_reply(&u, reply_out);
    enum status st = unpack_done(&u, "submit reply", err);
    /* Nobody who forgets to look at the status may read "queued" out of a damaged reply. */
    if (st != STATUS_OK)
        *reply_out = (struct submit_reply){.outcome = SUBMIT_LATER};
    return st;
}
