/* held.release: the held copies of a message are offered to seal, the answer says what came of each. */
#include <stdlib.h>

#include "gateway/jobs/control_job.h"
#include "gateway/queue/rows.h"
#include "gateway/queue/schema.h"
#include "gateway/queue/verbs.h"

struct asked {
    struct queue *queue;
    struct request *request;
    struct row_ids ids;
    size_t next;    /* of IDS, not offered to seal yet */
    json_t *copies; /* results so far */
    size_t open;    /* offered, without a result */
    size_t released;
};

static void answer_when_done(struct asked *asked)
{
    if (asked->open > 0 || asked->next < asked->ids.n)
        return;
    control_reply_json(asked->request, json_pack("{s:O, s:I}", "copies", asked->copies, "released",
                                                 (json_int_t)asked->released));
    request_free(asked->request);
    free(asked->request);
    json_decref(asked->copies);
    free(asked->ids.ids);
    free(asked);
}

static void add_result(struct asked *asked, int64_t copy_id, bool released, const char *why)
{
    json_array_append_new(asked->copies, json_pack("{s:I, s:s, s:o}", "copy", (json_int_t)copy_id, "result",
                                                   released ? "queued" : "still held", "why",
                                                   released ? json_null() : reply_text(why)));
    asked->released += released;
}

static void on_done(void *arg, int64_t copy_id, bool released, const char *why);

/* As many as seal may be asked about now; the end of each makes room for the next. While none is under way
 * there is nothing to wait for: then the answer says that others are. */
static void offer_more(struct asked *asked)
{
    struct releases *releases = asked->queue->releases;
    struct error err;

    while (asked->next < asked->ids.n && (asked->open == 0 || releases_have_room(releases))) {
        int64_t copy_id = asked->ids.ids[asked->next++];
        if (release_start(releases, copy_id, on_done, asked, &err) == STATUS_OK)
            asked->open++;
        else
            add_result(asked, copy_id, false, err.text);
    }
}

static void on_done(void *arg, int64_t copy_id, bool released, const char *why)
{
    struct asked *asked = arg;

    add_result(asked, copy_id, released, why);
    asked->open--;
    offer_more(asked);
    answer_when_done(asked);
}

static enum status waiting_copies(struct queue *queue, const char *id, struct row_ids *ids_out,
                                  struct error *err)
{
    struct sql_stmt *stmt;
    bool row = false;
    *ids_out = (struct row_ids){0};
    enum status st = sql_prepare(queue->sql,
                                 "SELECT id FROM copy WHERE message_id = ?1 AND recheck_ms IS NOT NULL "
                                 "ORDER BY id",
                                 &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_str(stmt, 1, id);
    for (st = sql_step(stmt, &row, err); st == STATUS_OK && row; st = sql_step(stmt, &row, err)) {
        st = rows_add(ids_out, sql_col_int(stmt, 0), err);
        if (st != STATUS_OK)
            break;
    }
    sql_reset(stmt);
    if (st == STATUS_OK && ids_out->n == 0)
        st = error_set(
            err, STATUS_NOT_FOUND,
            "no copy of message %s waits for a certificate; `queue release` ends an administrator's hold",
            id);
    return st;
}

void verb_held_release(struct queue *queue, const json_t *args, struct request *request)
{
    struct error err = {0};
    struct row_ids ids = {0};
    const char *id = NULL;
    struct asked *asked = calloc(1, sizeof *asked);
    enum status st =
        asked ? args_id(args, &id, &err) : error_set(&err, STATUS_TEMPORARY, "out of memory for the request");
    if (st == STATUS_OK)
        st = waiting_copies(queue, id, &ids, &err);
    if (st != STATUS_OK) {
        control_reply_error(request, &err);
        request_free(request);
        free(request);
        free(asked);
        free(ids.ids);
        return;
    }
    *asked = (struct asked){.queue = queue, .request = request, .ids = ids, .copies = json_array()};
    /* None of them can be done yet: they end in a later turn of the loop. */
    offer_more(asked);
    answer_when_done(asked);
}
