#include "gateway/jobs/allow_job.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/jobs/fields.h"

/* ---- may it be sent? ---- */

void allow_ask_pack(struct buf *b, const struct allow_ask *ask)
{
    pack_u32(b, ask->what);
    pack_str(b, ask->user);
    pack_str(b, ask->client);
    pack_str(b, ask->client_address);
}

enum status allow_ask_unpack(struct span bytes, struct allow_ask *ask_out, struct error *err)
{
    struct unpack u;
    unpack_init(&u, bytes);
    *ask_out = (struct allow_ask){0};
    ask_out->what = unpack_between(&u, ALLOW_MESSAGE, ALLOW_RECIPIENT);
    ask_out->user = unpack_str(&u);
    ask_out->client = unpack_str(&u);
    ask_out->client_address = unpack_str_needed(&u);
    if (!ask_out->user == !ask_out->client) /* one of them, and not both */
        u.failed = true;
    enum status st = unpack_done(&u, "question whether mail may be sent", err);
    if (st != STATUS_OK)
        allow_ask_free(ask_out);
    return st;
}

void allow_ask_free(struct allow_ask *ask)
{
    free(ask->user);
    free(ask->client);
    free(ask->client_address);
    *ask = (struct allow_ask){0};
}

void allow_result_pack(struct buf *b, const struct allow_result *result)
{
    pack_bool(b, result->allowed);
    pack_str(b, result->text);
}

enum status allow_result_unpack(struct span bytes, struct allow_result *result_out, struct error *err)
{
    struct unpack u;
    unpack_init(&u, bytes);
    *result_out = (struct allow_result){.allowed = unpack_bool(&u)};
    unpack_str_to(&u, result_out->text, sizeof result_out->text);
    enum status st = unpack_done(&u, "answer whether mail may be sent", err);
    if (st == STATUS_OK)
        return st;
    /* Nobody who forgets to look at the status may read "allowed" out of a damaged reply. */
    *result_out = (struct allow_result){.allowed = false};
    snprintf(result_out->text, sizeof result_out->text, "Not possible now, try again later");
    return st;
}

/* ---- tries without TLS ---- */

void clear_tried_pack(struct buf *b, const struct clear_tried *tried)
{
    pack_str(b, tried->client_address);
    pack_str(b, tried->verb);
    pack_str(b, tried->helo);
}

enum status clear_tried_unpack(struct span bytes, struct clear_tried *tried_out, struct error *err)
{
    struct unpack u;
    unpack_init(&u, bytes);
    *tried_out = (struct clear_tried){0};
    tried_out->client_address = unpack_str_needed(&u);
    tried_out->verb = unpack_str_needed(&u);
    tried_out->helo = unpack_str(&u);
    enum status st = unpack_done(&u, "try without TLS", err);
    if (st != STATUS_OK)
        clear_tried_free(tried_out);
    return st;
}

void clear_tried_free(struct clear_tried *tried)
{
    free(tried->client_address);
    free(tried->verb);
    free(tried->helo);
    *tried = (struct clear_tried){0};
}
