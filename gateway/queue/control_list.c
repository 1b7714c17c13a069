/* queue.list, held.list, queue.status */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/id.h"
#include "gateway/queue/rows.h"
#include "gateway/queue/schema.h"
#include "gateway/queue/verbs.h"

#define LIST_DEFAULT 1000
#define LIST_MAX 10000

/* The state as people see it: one that is to be returned is not "queued" for them. */
#define SQL_STATE                                                                                            \
    "CASE WHEN r.to_return = 1 AND r.state IN ('queued', 'deferred') THEN 'returning' ELSE r.state END"

/* Of the destination that the recipient waits for because it cannot be reached; ?3 is the route. */
#define SQL_UNREACHABLE(column)                                                                              \
    "(SELECT d." column " FROM destination d WHERE r.next_ms IS NOT NULL AND r.domain <> '' "                \
    "AND d.name IN (r.domain, ?3) ORDER BY d.retry_ms DESC LIMIT 1)"

#define SQL_NEXT                                                                                             \
    "CASE WHEN " SQL_UNREACHABLE("retry_ms") " > r.next_ms THEN " SQL_UNREACHABLE(                           \
        "retry_ms") " ELSE r.next_ms END"

static bool is_state(const char *word)
{
    static const char *const words[] = {"queued",    "leased",  "deferred", "held",   "returning",
                                        "delivered", "bounced", "returned", "removed"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(words[i], word) == 0)
            return true;
    return false;
}

static json_t *recipient_of(struct sql_stmt *stmt)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:I, s:o, s:o, s:o}", "address", reply_text(sql_col_str(stmt, 4)),
                     "state", reply_text(sql_col_str(stmt, 5)), "hold", reply_text(sql_col_str(stmt, 6)),
                     "next", reply_time(sql_col_int(stmt, 7)), "attempts", (json_int_t)sql_col_int(stmt, 8),
                     "rule", reply_text(sql_col_str(stmt, 9)), "reason", reply_text(sql_col_str(stmt, 10)),
                     "reply", reply_text(sql_col_str(stmt, 11)));
}

/* Rows come ordered by message: those of one message become one object. */
static enum status gather(struct sql_stmt *stmt, int64_t limit, json_t *messages, bool *more_out,
                          struct error *err)
{
    json_t *recipients = NULL;
    char last[ID_SIZE] = "";
    bool row = false;
    int64_t n = 0;
    enum status st;

    for (st = sql_step(stmt, &row, err); st == STATUS_OK && row; st = sql_step(stmt, &row, err)) {
        const char *id = sql_col_str(stmt, 0);
        if (n++ == limit) {
            *more_out = true;
            sql_reset(stmt);
            break;
        }
        if (!recipients || strcmp(id, last) != 0) {
            snprintf(last, sizeof last, "%s", id);
            recipients = json_array();
            json_array_append_new(messages,
                                  json_pack("{s:s, s:o, s:o, s:o, s:o}", "id", last, "received",
                                            reply_time(sql_col_int(stmt, 1)), "from",
                                            reply_text(sql_col_str(stmt, 2)), "user",
                                            reply_text(sql_col_str(stmt, 3)), "recipients", recipients));
        }
        json_array_append_new(recipients, recipient_of(stmt));
    }
    return st;
}

#define LIST_COLUMNS                                                                                         \
    "SELECT m.id, m.received_ms, m.reverse_path, " SQL_USER ", r.address, " SQL_STATE ", r.hold, " SQL_NEXT  \
    ", r.attempts, r.rule, r.reason, COALESCE(r.reply, " SQL_UNREACHABLE(                                    \
        "reply") ") FROM message m "                                                                         \
                 "JOIN copy c ON c.message_id = m.id JOIN recipient r ON r.copy_id = c.id WHERE m.id > ?1 "

static enum status list(struct queue *queue, const json_t *args, const char *text, const char *state,
                        json_t **reply_out, struct error *err)
{
    struct sql_stmt *stmt;
    const char *after = json_string_value(json_object_get(args, "after"));
    int64_t limit = 0;
    bool more = false;
    enum status st = args_int(args, "limit", LIST_DEFAULT, LIST_MAX, &limit, err);
    if (st == STATUS_OK)
        st = sql_prepare(queue->sql, text, &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_str(stmt, 1, after ? after : "");
    sql_bind_int(stmt, 2, limit + 1);
    sql_bind_str(stmt, 3, queue->settings->route);
    if (state)
        sql_bind_str(stmt, 4, state);
    json_t *messages = json_array();
    st = gather(stmt, limit, messages, &more, err);
    *reply_out = json_pack("{s:o, s:b}", "messages", messages, "more", more);
    return st;
}

enum status verb_queue_list(struct queue *queue, const json_t *args, json_t **reply_out, struct error *err)
{
    const char *state = json_string_value(json_object_get(args, "state"));

    if (!state)
        return list(queue, args, LIST_COLUMNS "ORDER BY m.id, r.id LIMIT ?2", NULL, reply_out, err);
    if (!is_state(state))
        return error_set(err, STATUS_INVALID,
                         "\"state\" must be queued, leased, deferred, held, returning, delivered, bounced, "
                         "returned or removed");
    return list(queue, args, LIST_COLUMNS "AND (" SQL_STATE ") = ?4 ORDER BY m.id, r.id LIMIT ?2", state,
                reply_out, err);
}

enum status verb_held_list(struct queue *queue, const json_t *args, json_t **reply_out, struct error *err)
{
    return list(queue, args, LIST_COLUMNS "AND r.hold IS NOT NULL ORDER BY m.id, r.id LIMIT ?2", NULL,
                reply_out, err);
}

/* ---- status ---- */

static enum status count_states(struct queue *queue, json_t *states, struct error *err)
{
    struct sql_stmt *stmt;
    bool row = false;
    enum status st = sql_prepare(
        queue->sql, "SELECT " SQL_STATE ", COUNT(*) FROM recipient r GROUP BY 1 ORDER BY 1", &stmt, err);
    if (st != STATUS_OK)
        return st;
    for (st = sql_step(stmt, &row, err); st == STATUS_OK && row; st = sql_step(stmt, &row, err))
        json_object_set_new(states, sql_col_str(stmt, 0), json_integer(sql_col_int(stmt, 1)));
    return st;
}

/* Shown at most. */
#define UNREACHABLE_MAX 100

static enum status list_unreachable(struct queue *queue, json_t *destinations, struct error *err)
{
    struct sql_stmt *stmt;
    bool row = false;
    enum status st = sql_prepare(
        queue->sql,
        "SELECT d.name, d.since_ms, d.retry_ms, d.failures, d.reply, (SELECT COUNT(*) FROM "
        "recipient r WHERE r.next_ms IS NOT NULL AND r.domain <> '' AND (d.name = ?2 OR r.domain = "
        "d.name)) FROM destination d ORDER BY d.retry_ms LIMIT ?1",
        &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_int(stmt, 1, UNREACHABLE_MAX);
    sql_bind_str(stmt, 2, queue->settings->route);
    for (st = sql_step(stmt, &row, err); st == STATUS_OK && row; st = sql_step(stmt, &row, err))
        json_array_append_new(
            destinations,
            json_pack("{s:o, s:o, s:o, s:I, s:I, s:o}", "destination", reply_text(sql_col_str(stmt, 0)),
                      "since", reply_time(sql_col_int(stmt, 1)), "next", reply_time(sql_col_int(stmt, 2)),
                      "failures", (json_int_t)sql_col_int(stmt, 3), "waiting",
                      (json_int_t)sql_col_int(stmt, 5), "reply", reply_text(sql_col_str(stmt, 4))));
    return st;
}

static int64_t file_size(const char *path, const char *suffix)
{
    char name[4096];
    struct stat st;

    if ((size_t)snprintf(name, sizeof name, "%s%s", path, suffix) >= sizeof name)
        return 0;
    return stat(name, &st) == 0 ? (int64_t)st.st_size : 0;
}

enum status verb_queue_status(struct queue *queue, const json_t *args, json_t **reply_out, struct error *err)
{
    (void)args;
    const char *path = queue->settings->path;
    int64_t messages = 0;
    int64_t oldest = 0;
    int64_t damaged = 0;
    json_t *states = json_object();
    json_t *unreachable = json_array();
    enum status st = count_states(queue, states, err);

    if (st == STATUS_OK)
        st = rows_ask(queue->sql, "SELECT COUNT(*) FROM message", NULL, 0, &messages, err);
    /* Ids begin with the time. */
    if (st == STATUS_OK)
        st = rows_ask(queue->sql, "SELECT received_ms FROM message ORDER BY id LIMIT 1", NULL, 0, &oldest,
                      err);
    if (st == STATUS_OK)
        st = rows_ask(queue->sql, "SELECT COUNT(*) FROM recipient WHERE hold = 'damaged'", NULL, 0, &damaged,
                      err);
    if (st == STATUS_OK)
        st = list_unreachable(queue, unreachable, err);
    int64_t age = oldest ? (clock_wall_ms() - oldest) / 1000 : 0;
    *reply_out = json_pack("{s:o, s:I, s:I, s:o, s:I, s:I, s:b, s:I, s:o}", "recipients", states, "messages",
                           (json_int_t)messages, "damaged", (json_int_t)damaged, "oldest", reply_time(oldest),
                           "oldest_seconds", (json_int_t)age, "database_bytes",
                           (json_int_t)(file_size(path, "") + file_size(path, "-wal")), "delivery_attached",
                           link_is_attached(queue->link), "commits", (json_int_t)group_commits(queue->group),
                           "unreachable", unreachable);
    return st;
}
