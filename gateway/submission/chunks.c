#include "gateway/submission/chunks.h"

#include <stdio.h>

#include "base/clock.h"
#include "gateway/submission/identity.h"
#include "gateway/submission/session.h"
#include "gateway/wire/bdat.h"

/* Of a chunk from somebody who is not let in. A client in clear or before AUTH has no reason to send any. */
#define STRANGERS_CHUNK_MAX 65536

static uint64_t swallowed_max(const struct session *s)
{
    /* A client that did not look at SIZE is to be told, not cut off: up to twice the limit. */
    uint64_t generous = 2 * (uint64_t)s->server->settings->limits.message_max;
    return identity_is_known(s) ? generous : STRANGERS_CHUNK_MAX;
}

static void lose(struct session *s, enum reply_id why)
{
    s->chunks.lost = true;
    s->chunks.why = why;
}

/* The first chunk of a transaction. */
static void begin_message(struct session *s)
{
    enum reply_id why;
    s->chunks.begun = true;
    if (s->transaction.envelope.n_recipients == 0)
        lose(s, REPLY_NO_RECIPIENTS);
    else if (!session_begin_message(s, &why))
        lose(s, why);
}

static void answer(struct session *s)
{
    char text[60];
    if (s->chunks.refused) {
        session_reply(s, s->chunks.refusal);
        return;
    }
    snprintf(text, sizeof text, "%zu bytes received", s->data.size);
    session_reply_text(s, REPLY_CHUNK_OK, text);
}

/* The chunk is there as far as it is wanted. */
static void end_chunk(struct session *s)
{
    struct chunks *c = &s->chunks;
    bool close = c->too_large;
    s->phase = SESSION_COMMAND;
    if (!c->refused && c->last) {
        session_end_of_data(s);
        return;
    }
    if (!c->refused && s->data.failed != STATUS_OK) {
        lose(s, session_data_refusal(s));
        c->refused = true;
        c->refusal = c->why;
    }
    answer(s);
    if (c->begun && c->last)
        session_end_transaction(s);
    if (close)
        session_close(s);
}

static void start(struct session *s, const struct bdat *bdat, const enum reply_id *refusal)
{
    struct chunks *c = &s->chunks;
    uint64_t max = swallowed_max(s);
    if (!c->begun)
        s->data_since = clock_mono_ms();
    if (!refusal && !c->begun)
        begin_message(s);
    c->last = bdat->last;
    c->too_large = bdat->size > max;
    c->left = c->too_large ? max : bdat->size;
    if (c->too_large && !refusal && !c->lost)
        lose(s, REPLY_TOO_BIG);
    c->refused = refusal || c->lost;
    c->refusal = refusal ? *refusal : c->why;
    s->phase = SESSION_CHUNK;
    if (c->left == 0)
        end_chunk(s);
}

void chunk_begin(struct session *s, struct span args, const enum reply_id *refusal)
{
    struct bdat bdat;
    if (bdat_parse(args, &bdat))
        start(s, &bdat, refusal);
    else
        session_end_with(s, refusal ? *refusal : REPLY_BAD_CHUNK);
}

bool chunk_take(struct session *s)
{
    struct chunks *c = &s->chunks;
    struct span input = conn_input(s->conn);
    if (input.len == 0)
        return false;
    if (input.len > c->left)
        input.len = (size_t)c->left;
    size_t used = c->refused ? input.len : session_feed_message(s, input, data_feed_chunk);
    conn_consume(s->conn, used);
    c->left -= used;
    if (c->left == 0)
        end_chunk(s);
    return true;
}
