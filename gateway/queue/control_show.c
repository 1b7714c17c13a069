/* queue.show, held.show: all that is known of one message, but never its content. */
#include "gateway/jobs/queue_job.h"
#include "gateway/queue/schema.h"
#include "gateway/queue/verbs.h"

static json_t *recipient_of(struct sql_stmt *stmt)
{
    json_t *r = json_object();
    static const char *const texts[] = {"address",     "state",  "hold",   "rule",  "reason", "format",
                                        "fingerprint", "source", "notify", "orcpt", "host",   "reply"};
    const int n = sizeof texts / sizeof texts[0];

    for (int i = 0; i < n; i++)
        json_object_set_new(r, texts[i], reply_text(sql_col_str(stmt, i)));
    json_object_set_new(r, "format", reply_text(copy_format_word((enum copy_format)sql_col_int(stmt, 5))));
    json_object_set_new(r, "returning", json_boolean(sql_col_int(stmt, n)));
    json_object_set_new(r, "next", reply_time(sql_col_int(stmt, n + 1)));
    json_object_set_new(r, "attempts", json_integer(sql_col_int(stmt, n + 2)));
    json_object_set_new(r, "copy", json_integer(sql_col_int(stmt, n + 3)));
    json_object_set_new(r, "size", json_integer(sql_col_int(stmt, n + 4)));
    json_object_set_new(r, "locked", json_boolean(sql_col_int(stmt, n + 5)));
    json_object_set_new(r, "expires", reply_time(sql_col_int(stmt, n + 6)));
    json_object_set_new(r, "recheck", reply_time(sql_col_int(stmt, n + 7)));
    json_object_set_new(r, "held_until", reply_time(sql_col_int(stmt, n + 8)));
    enum tls_level tls = (enum tls_level)sql_col_int(stmt, n + 9);
    json_object_set_new(r, "rule_tls", reply_text(tls == TLS_LEVEL_NONE ? NULL : tls_level_word(tls)));
    return r;
}

static enum status add_recipients(struct queue *queue, const char *id, json_t *recipients, struct error *err)
{
    struct sql_stmt *stmt;
    bool row = false;
    enum status st = sql_prepare(
        queue->sql,
        "SELECT r.address, r.state, r.hold, r.rule, r.reason, c.format, r.fingerprint, r.source, "
        "r.notify, r.orcpt, r.host, r.reply, r.to_return, r.next_ms, r.attempts, c.id, c.body_len, "
        "c.locked, r.expires_ms, c.recheck_ms, c.hold_until_ms, c.tls "
        "FROM copy c JOIN recipient r ON r.copy_id = c.id WHERE c.message_id = ?1 ORDER BY r.id",
        &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_str(stmt, 1, id);
    for (st = sql_step(stmt, &row, err); st == STATUS_OK && row; st = sql_step(stmt, &row, err))
        json_array_append_new(recipients, recipient_of(stmt));
    return st;
}

static json_t *message_of(struct sql_stmt *stmt)
{
    static const char *const texts[] = {"id",   "from",        "user",       "listener", "client_address",
                                        "helo", "tls_version", "tls_cipher", "client",   "envid",
                                        "ret"};
    json_t *m = json_object();
    const int n = sizeof texts / sizeof texts[0];

    for (int i = 0; i < n; i++)
        json_object_set_new(m, texts[i], reply_text(sql_col_str(stmt, i)));
    json_object_set_new(m, "received", reply_time(sql_col_int(stmt, n)));
    json_object_set_new(m, "smtputf8", json_boolean(sql_col_int(stmt, n + 1)));
    json_object_set_new(m, "requiretls", json_boolean(sql_col_int(stmt, n + 2)));
    return m;
}

enum status verb_queue_show(struct queue *queue, const json_t *args, json_t **reply_out, struct error *err)
{
    struct sql_stmt *stmt;
    const char *id;
    bool row;
    enum status st = args_id(args, &id, err);
    if (st == STATUS_OK)
        st =
            sql_prepare(queue->sql,
                        "SELECT id, reverse_path, " SQL_USER ", listener, client_address, helo, tls_version, "
                        "tls_cipher, client, envid, ret, received_ms, smtputf8, requiretls "
                        "FROM message m WHERE id = ?1",
                        &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_str(stmt, 1, id);
    st = sql_step(stmt, &row, err);
    if (st != STATUS_OK)
        return st;
    if (!row)
        return error_set(err, STATUS_NOT_FOUND,
                         "message %s is not in the queue; `audit list` may tell what became of it", id);
    json_t *message = message_of(stmt);
    sql_reset(stmt);
    json_t *recipients = json_array();
    st = add_recipients(queue, id, recipients, err);
    json_object_set_new(message, "recipients", recipients);
    *reply_out = json_pack("{s:o}", "message", message);
    return st;
}
