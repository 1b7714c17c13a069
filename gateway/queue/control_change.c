/* Verbs by which the administrator moves recipients (doc/queue.md "Transitions"). */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "gateway/queue/audit.h"
#include "gateway/queue/hold.h"
#include "gateway/queue/lease.h"
#include "gateway/queue/reach.h"
#include "gateway/queue/rows.h"
#include "gateway/queue/schedule.h"
#include "gateway/queue/schema.h"
#include "gateway/queue/verbs.h"

/* A verb that moves the recipients of one message. */
struct move {
    const char *which;  /* SELECT of recipient ids and copy ids by message id ?1 */
    const char *how;    /* UPDATE of recipient ?1 at the time ?2 */
    bool renews;        /* its life begins now */
    const char *event;  /* audit; NULL: none */
    const char *reason; /* audit; NULL: the recipient's */
    const char *done;   /* name of the count in the reply */
    const char *none;   /* error when none could be moved */
};

#define RECIPIENTS_OF                                                                                        \
    "SELECT r.id FROM recipient r JOIN copy c ON c.id = r.copy_id WHERE c.message_id = ?1 AND "

/* The time in which delivery may try begins when it may. */
static enum status renew(struct queue *queue, int64_t recipient_id, int64_t now_ms, struct error *err)
{
    struct sql_stmt *stmt;
    bool row = false;
    int64_t lifetime_ms = 0;
    enum status st = sql_prepare(queue->sql, "SELECT domain FROM recipient WHERE id = ?1", &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_int(stmt, 1, recipient_id);
    st = sql_step(stmt, &row, err);
    if (st != STATUS_OK || !row)
        return st;
    lifetime_ms = schedule_policy(queue->settings, sql_col_str(stmt, 0))->lifetime_ms;
    sql_reset(stmt);
    const int64_t values[] = {recipient_id, now_ms + lifetime_ms};
    return rows_run(queue->sql, "UPDATE recipient SET expires_ms = ?2 WHERE id = ?1", values, 2, err);
}

static enum status move_one(struct queue *queue, const struct move *move, int64_t recipient_id,
                            int64_t now_ms, struct error *err)
{
    struct sql *sql = queue->sql;
    const struct audit_row extra = {.text = {[AUDIT_REASON] = move->reason}};
    const int64_t values[] = {recipient_id, now_ms};
    int64_t copy_id = 0;
    enum status st = move->renews ? renew(queue, recipient_id, now_ms, err) : STATUS_OK;
    if (st == STATUS_OK)
        st = rows_run(sql, move->how, values, 2, err);
    if (st == STATUS_OK && move->event)
        st = audit_recipient(sql, now_ms, recipient_id, move->event, &extra, err);
    if (st == STATUS_OK)
        st = rows_ask(sql, "SELECT copy_id FROM recipient WHERE id = ?1", values, 1, &copy_id, err);
    /* A copy without recipients that wait for seal needs no recheck; one that is damaged still expires. */
    if (st == STATUS_OK)
        st = rows_run(
            sql,
            "UPDATE copy SET recheck_ms = NULL WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM recipient "
            "WHERE copy_id = ?1 AND hold IN " SQL_HOLDS_FOR_SEAL ")",
            &copy_id, 1, err);
    return st == STATUS_OK ? lease_settle(sql, copy_id, now_ms, err) : st;
}

static enum status none_moved(struct sql *sql, const struct move *move, const char *id, struct error *err)
{
    struct row_ids open;
    struct row_ids leased = {0};
    enum status st = rows_list_for(sql, RECIPIENTS_OF "r.id > 0", id, &open, err);
    if (st == STATUS_OK)
        st = rows_list_for(sql, RECIPIENTS_OF "r.state = '" STATE_LEASED "'", id, &leased, err);
    if (st == STATUS_OK && open.n == 0)
        st = error_set(err, STATUS_NOT_FOUND, "message %s is not in the queue", id);
    else if (st == STATUS_OK && leased.n > 0)
        st = error_set(err, STATUS_BUSY, "message %s is in delivery right now; try again in a minute", id);
    else if (st == STATUS_OK)
        st = error_set(err, STATUS_INVALID, "message %s %s", id, move->none);
    free(open.ids);
    free(leased.ids);
    return st;
}

static enum status run_move(struct queue *queue, const json_t *args, const struct move *move, int64_t now_ms,
                            json_t **reply_out, struct error *err)
{
    struct row_ids ids = {0};
    struct row_ids leased = {0};
    const char *id;
    enum status st = args_id(args, &id, err);
    if (st != STATUS_OK)
        return st;
    st = rows_list_for(queue->sql, RECIPIENTS_OF "r.state = '" STATE_LEASED "'", id, &leased, err);
    if (st == STATUS_OK)
        st = rows_list_for(queue->sql, move->which, id, &ids, err);
    if (st == STATUS_OK && ids.n == 0)
        st = none_moved(queue->sql, move, id, err);
    for (size_t i = 0; st == STATUS_OK && i < ids.n; i++)
        st = move_one(queue, move, ids.ids[i], now_ms, err);
    *reply_out = json_pack("{s:s, s:I, s:I}", "id", id, move->done, (json_int_t)ids.n, "in_delivery",
                           (json_int_t)leased.n);
    free(ids.ids);
    free(leased.ids);
    return st;
}

enum status verb_queue_hold(struct queue *queue, const json_t *args, int64_t now_ms, json_t **reply_out,
                            struct error *err)
{
    static const struct move move = {.which = RECIPIENTS_OF "r.next_ms IS NOT NULL ORDER BY r.id",
                                     .how = "UPDATE recipient SET state = '" STATE_HELD
                                            "', hold = '" HOLD_ADMINISTRATOR
                                            "', next_ms = NULL WHERE id = ?1 AND ?2 > 0",
                                     .event = "held",
                                     .reason = "held by the administrator",
                                     .done = "held",
                                     .none = "has nothing to hold: it is held already, or over"};
    return run_move(queue, args, &move, now_ms, reply_out, err);
}

enum status verb_queue_release(struct queue *queue, const json_t *args, int64_t now_ms, json_t **reply_out,
                               struct error *err)
{
    static const struct move move = {
        .which = RECIPIENTS_OF "r.hold = '" HOLD_ADMINISTRATOR "' ORDER BY r.id",
        .how = "UPDATE recipient SET state = CASE WHEN attempts > 0 THEN '" STATE_DEFERRED
               "' ELSE '" STATE_QUEUED "' END, hold = NULL, next_ms = ?2 WHERE id = ?1",
        .renews = true,
        .event = "released",
        .reason = "released by the administrator",
        .done = "released",
        .none =
            "is not held by the administrator; what waits for a key is released by `held release`, what is "
            "damaged only by `held return`"};
    return run_move(queue, args, &move, now_ms, reply_out, err);
}

enum status verb_queue_remove(struct queue *queue, const json_t *args, int64_t now_ms, json_t **reply_out,
                              struct error *err)
{
    static const struct move move = {.which = RECIPIENTS_OF
                                     "r.state IN ('queued', 'deferred', 'held') ORDER BY r.id",
                                     .how = "UPDATE recipient SET state = '" STATE_REMOVED
                                            "', hold = NULL, next_ms = NULL WHERE id = ?1 AND ?2 > 0",
                                     .event = "removed",
                                     .reason = "removed by the administrator",
                                     .done = "removed",
                                     .none = "has nothing to remove: it is over"};
    return run_move(queue, args, &move, now_ms, reply_out, err);
}

enum status verb_held_return(struct queue *queue, const json_t *args, int64_t now_ms, json_t **reply_out,
                             struct error *err)
{
    static const struct move move = {.which = RECIPIENTS_OF "r.hold <> '" HOLD_NOTICE "' ORDER BY r.id",
                                     /* Why it was not sealed, or that it was, is no reason here. */
                                     .how = "UPDATE recipient SET state = '" STATE_QUEUED
                                            "', reason = CASE hold WHEN '" HOLD_ADMINISTRATOR
                                            "' THEN 'the administrator gives it back' ELSE reason END, "
                                            "hold = NULL, to_return = 1, domain = '', "
                                            "next_ms = ?2 WHERE id = ?1",
                                     .done = "returning",
                                     .none = "is not held, or is a report of this gateway, which can be "
                                             "returned to nobody; `queue remove` takes it out"};
    return run_move(queue, args, &move, now_ms, reply_out, err);
}

/* ---- verbs of their own kind ---- */

/* Recipients in one transaction, a tenth of a second or so. */
#define RETRY_SLICE 5000

/* Those behind the recipient AFTER, as many as hold nobody else's mail up; *NEXT_OUT: where to go on, 0: the
 * end. */
static enum status retry_all(struct queue *queue, int64_t after, int64_t now_ms, int64_t *n_out,
                             int64_t *next_out, struct error *err)
{
    int64_t values[] = {after, RETRY_SLICE, now_ms};
    enum status st = rows_ask(
        queue->sql, "SELECT MAX(id) FROM (SELECT id FROM recipient WHERE id > ?1 ORDER BY id LIMIT ?2)",
        values, 2, next_out, err);
    if (st == STATUS_OK && *next_out == 0)
        return reach_hasten(queue->sql, queue->settings, NULL, now_ms, err);
    values[1] = *next_out;
    if (st == STATUS_OK)
        st = rows_run(queue->sql,
                      "UPDATE recipient SET next_ms = ?3 WHERE id > ?1 AND id <= ?2 AND +next_ms > ?3",
                      values, 3, err);
    if (st == STATUS_OK)
        *n_out = sql_changes(queue->sql);
    return st;
}

static enum status retry_one(struct queue *queue, const char *id, int64_t now_ms, int64_t *n_out,
                             struct error *err)
{
    static const struct move nothing = {
        .none = "has nothing to retry: it is held. `queue release` ends an administrator's hold, `held "
                "release` tries again what waits for a key, `held return` gives back what is damaged"};
    struct sql_stmt *stmt;
    /* Due at 0 it goes before all others, so that it is the probe where its destination was not reached. */
    enum status st = sql_prepare(queue->sql,
                                 "UPDATE recipient SET next_ms = 0 WHERE next_ms IS NOT NULL AND copy_id IN "
                                 "(SELECT id FROM copy WHERE message_id = ?1)",
                                 &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_str(stmt, 1, id);
    st = sql_run(stmt, err);
    *n_out = st == STATUS_OK ? sql_changes(queue->sql) : 0;
    if (st == STATUS_OK && *n_out == 0)
        return none_moved(queue->sql, &nothing, id, err);
    return st == STATUS_OK ? reach_hasten(queue->sql, queue->settings, id, now_ms, err) : st;
}

enum status verb_queue_retry(struct queue *queue, const json_t *args, int64_t now_ms, json_t **reply_out,
                             struct error *err)
{
    const char *id = NULL;
    int64_t n = 0, after = 0, next = 0;
    bool all = json_is_true(json_object_get(args, "all"));
    enum status st = all ? args_int(args, "after", 0, INT64_MAX, &after, err) : args_id(args, &id, err);
    if (st == STATUS_OK)
        st = all ? retry_all(queue, after, now_ms, &n, &next, err) : retry_one(queue, id, now_ms, &n, err);
    *reply_out = json_pack("{s:I}", "recipients", (json_int_t)n);
    if (next > 0)
        json_object_set_new(*reply_out, "next", json_integer(next));
    return st;
}

/* A certificate for ADDRESS also serves its +tag forms (keystore/keystore.h). NULL serves all. */
static bool serves(const char *address, const char *recipient)
{
    const char *at = address ? strrchr(address, '@') : NULL;
    const char *recipient_at = strrchr(recipient, '@');

    if (!address)
        return true;
    if (!at || !recipient_at || strcasecmp(at, recipient_at) != 0)
        return false;
    size_t len = (size_t)(at - address);
    return strncasecmp(address, recipient, len) == 0 &&
           (recipient + len == recipient_at || recipient[len] == '+');
}

static enum status served_copies(struct sql *sql, const char *address, struct row_ids *ids, struct error *err)
{
    struct sql_stmt *stmt;
    bool row = false;
    enum status st = sql_prepare(
        sql, "SELECT copy_id, address FROM recipient WHERE hold IN " SQL_HOLDS_FOR_SEAL, &stmt, err);
    if (st != STATUS_OK)
        return st;
    for (st = sql_step(stmt, &row, err); st == STATUS_OK && row; st = sql_step(stmt, &row, err)) {
        const char *recipient = sql_col_str(stmt, 1);
        if (recipient && serves(address, recipient))
            st = rows_add(ids, sql_col_int(stmt, 0), err);
        if (st != STATUS_OK)
            break;
    }
    sql_reset(stmt);
    return st;
}

enum status verb_held_recheck(struct queue *queue, const json_t *args, int64_t now_ms, json_t **reply_out,
                              struct error *err)
{
    struct row_ids ids = {0};
    const json_t *address = json_object_get(args, "address");
    if (address && !json_is_string(address))
        return error_set(err, STATUS_INVALID, "\"address\" must be a mailbox, or left out for all");
    enum status st = served_copies(queue->sql, json_string_value(address), &ids, err);
    for (size_t i = 0; st == STATUS_OK && i < ids.n; i++)
        st = hold_hasten(queue->sql, ids.ids[i], now_ms, err);
    *reply_out = json_pack("{s:I}", "recipients", (json_int_t)ids.n);
    free(ids.ids);
    return st;
}
