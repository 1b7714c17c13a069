/* audit.list, audit.export, audit.verify */
#include <stdlib.h>

#include "gateway/jobs/control_job.h"
#include "gateway/queue/audit.h"
#include "gateway/queue/verbs.h"

#define LIST_DEFAULT 100
#define LIST_MAX 10000
#define EXPORT_DEFAULT 5000
/* Rows per turn of the loop: about 10 ms. */
#define VERIFY_SLICE 2000

/* The row that STMT stands on. */
static json_t *line_of(struct sql_stmt *stmt, bool with_hash)
{
    struct audit_row row;
    const char *hash;
    json_t *line = json_object();

    audit_read(stmt, &row, &hash);
    json_object_set_new(line, "seq", json_integer(row.seq));
    json_object_set_new(line, "time", reply_time(row.time_ms));
    if (with_hash)
        json_object_set_new(line, "time_ms", json_integer(row.time_ms));
    for (int i = 0; i < AUDIT_COLUMNS; i++)
        if (row.text[i])
            json_object_set_new(line, audit_column_name(i), reply_text(row.text[i]));
    if (with_hash)
        json_object_set_new(line, "hash", reply_text(hash));
    return line;
}

static enum status lines_of(struct sql_stmt *stmt, bool with_hash, json_t *lines, int64_t *last_out,
                            struct error *err)
{
    bool row = false;
    enum status st;

    for (st = sql_step(stmt, &row, err); st == STATUS_OK && row; st = sql_step(stmt, &row, err)) {
        *last_out = sql_col_int(stmt, 0);
        if (json_array_append_new(lines, line_of(stmt, with_hash)) < 0) {
            sql_reset(stmt);
            return error_set(err, STATUS_TEMPORARY, "out of memory for the audit lines");
        }
    }
    return st;
}

/* The newest lines, of one message or of all, oldest first. */
enum status verb_audit_list(struct queue *queue, const json_t *args, json_t **reply_out, struct error *err)
{
    static const char of_one[] =
        "SELECT " AUDIT_SELECT " FROM audit WHERE seq IN (SELECT seq FROM audit WHERE message_id = ?2 "
        "ORDER BY seq DESC LIMIT ?1) ORDER BY seq";
    static const char of_all[] = "SELECT " AUDIT_SELECT " FROM audit WHERE seq IN (SELECT seq FROM audit "
                                 "ORDER BY seq DESC LIMIT ?1) ORDER BY seq";
    struct sql_stmt *stmt;
    const char *id = NULL;
    int64_t limit = 0;
    int64_t last = 0;
    enum status st = args_int(args, "limit", LIST_DEFAULT, LIST_MAX, &limit, err);
    if (st == STATUS_OK && json_object_get(args, "id"))
        st = args_id(args, &id, err);
    if (st == STATUS_OK)
        st = sql_prepare(queue->sql, id ? of_one : of_all, &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_int(stmt, 1, limit);
    if (id)
        sql_bind_str(stmt, 2, id);
    json_t *lines = json_array();
    st = lines_of(stmt, false, lines, &last, err);
    *reply_out = json_pack("{s:o}", "lines", lines);
    return st;
}

/* In pages: "next" is the "after" of the page behind, null at the end. */
enum status verb_audit_export(struct queue *queue, const json_t *args, json_t **reply_out, struct error *err)
{
    struct sql_stmt *stmt;
    int64_t after = 0;
    int64_t limit = 0;
    int64_t last = 0;
    enum status st = args_int(args, "after", 0, INT64_MAX, &after, err);
    if (st == STATUS_OK)
        st = args_int(args, "limit", EXPORT_DEFAULT, LIST_MAX, &limit, err);
    if (st == STATUS_OK)
        st =
            sql_prepare(queue->sql, "SELECT " AUDIT_SELECT " FROM audit WHERE seq > ?1 ORDER BY seq LIMIT ?2",
                        &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_int(stmt, 1, after);
    sql_bind_int(stmt, 2, limit);
    json_t *lines = json_array();
    st = lines_of(stmt, true, lines, &last, err);
    bool more = limit > 0 && (int64_t)json_array_size(lines) == limit;
    *reply_out = json_pack("{s:o, s:o}", "lines", lines, "next", more ? json_integer(last) : json_null());
    return st;
}

/* ---- verify: a slice per turn of the loop, so that mail goes on ---- */

struct verification {
    struct queue *queue;
    struct request *request;
    struct audit_check check;
    struct event *slice;
};

static void end_verification(struct verification *v)
{
    request_free(v->request);
    free(v->request);
    event_free(v->slice);
    free(v);
}

static void on_slice(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct verification *v = arg;
    struct error err = {0};
    const struct timeval now = {0};

    if (!request_is_wanted(v->request)) {
        end_verification(v);
        return;
    }
    enum status st = audit_verify(v->queue->sql, &v->check, VERIFY_SLICE, &err);
    if (st == STATUS_OK && !v->check.done) {
        event_add(v->slice, &now);
        return;
    }
    if (st != STATUS_OK)
        control_reply_error(v->request, &err);
    else if (v->check.wrong)
        control_reply_json(v->request,
                           json_pack("{s:b, s:I, s:s, s:I}", "intact", 0, "seq", (json_int_t)v->check.bad,
                                     "why", v->check.why, "good", (json_int_t)v->check.next - 1));
    else
        control_reply_json(v->request, json_pack("{s:b, s:I, s:s}", "intact", 1, "lines",
                                                 (json_int_t)v->check.next - 1, "hash", v->check.hash));
    end_verification(v);
}

void verb_audit_verify(struct queue *queue, const json_t *args, struct request *request)
{
    (void)args;
    struct verification *v = calloc(1, sizeof *v);
    struct event *slice = v ? event_new(queue->base, -1, 0, on_slice, v) : NULL;
    const struct timeval now = {0};

    if (!slice) {
        struct error err;
        error_set(&err, STATUS_TEMPORARY, "out of memory for the audit trail");
        control_reply_error(request, &err);
        request_free(request);
        free(request);
        free(v);
        return;
    }
    *v = (struct verification){.queue = queue, .request = request, .slice = slice};
    event_priority_set(slice, event_base_get_npriorities(queue->base) - 1);
    event_add(slice, &now);
}
