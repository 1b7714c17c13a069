/* A held copy on its way through seal: what is asked, and what comes in its place. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/queue/body.h"
#include "gateway/queue/clean.h"
#include "gateway/queue/hold.h"
#include "gateway/queue/schema.h"
#include "gateway/queue/store.h"

struct stored_body {
    uint64_t len;
    char hash[DIGEST_HEX_SIZE];
};

static char *dup_optional(struct sql_stmt *stmt, int i, bool *failed)
{
    const char *text = sql_col_str(stmt, i);
    char *copy = text ? span_dup(span_str(text)) : NULL;
    if (text && !copy)
        *failed = true;
    return copy;
}

static void read_envelope(struct sql_stmt *stmt, struct envelope *e, struct stored_body *body, bool *failed)
{
    const char *id = sql_col_str(stmt, 0);
    const char *hash = sql_col_str(stmt, 12);

    snprintf(e->id, sizeof e->id, "%s", id ? id : "");
    e->received_ms = sql_col_int(stmt, 1);
    e->reverse_path = dup_optional(stmt, 2, failed);
    e->user = dup_optional(stmt, 3, failed);
    e->listener = dup_optional(stmt, 4, failed);
    e->client_address = dup_optional(stmt, 5, failed);
    e->helo = dup_optional(stmt, 6, failed);
    e->tls_version = dup_optional(stmt, 7, failed);
    e->tls_cipher = dup_optional(stmt, 8, failed);
    e->body_8bit = sql_col_int(stmt, 9) != 0;
    e->smtputf8 = sql_col_int(stmt, 10) != 0;
    e->client = dup_optional(stmt, 13, failed);
    e->envid = dup_optional(stmt, 14, failed);
    e->ret = dup_optional(stmt, 15, failed);
    e->requiretls = sql_col_int(stmt, 16) != 0;
    e->plain_smtp = sql_col_int(stmt, 17) != 0;
    body->len = (uint64_t)sql_col_int(stmt, 11);
    snprintf(body->hash, sizeof body->hash, "%s", hash ? hash : "");
}

static enum status load_envelope(struct sql *sql, struct queue_release *release, struct stored_body *body,
                                 struct error *err)
{
    struct sql_stmt *stmt;
    bool row;
    bool failed = false;
    enum status st =
        sql_prepare(sql,
                    "SELECT m.id, m.received_ms, m.reverse_path, m.user_name, m.listener, m.client_address, "
                    "m.helo, m.tls_version, m.tls_cipher, m.body_8bit, m.smtputf8, c.body_len, c.body_hash, "
                    "m.client, m.envid, m.ret, m.requiretls, m.plain_smtp "
                    "FROM copy c JOIN message m ON m.id = c.message_id WHERE c.id = ?1",
                    &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_int(stmt, 1, release->copy_id);
    st = sql_step(stmt, &row, err);
    if (st != STATUS_OK)
        return st;
    if (!row)
        return error_set(err, STATUS_NOT_FOUND, "copy %lld is gone", (long long)release->copy_id);
    read_envelope(stmt, &release->envelope, body, &failed);
    sql_reset(stmt);
    return failed ? error_set(err, STATUS_TEMPORARY, "out of memory for a held copy") : STATUS_OK;
}

static enum status add_recipient(struct envelope *e, struct sql_stmt *stmt, struct error *err)
{
    bool failed = false;
    const char *address = sql_col_str(stmt, 0);
    enum status st = envelope_add_recipient(e, address ? address : "", err);
    if (st != STATUS_OK)
        return st;
    struct envelope_recipient *r = &e->recipients[e->n_recipients - 1];
    r->notify = dup_optional(stmt, 1, &failed);
    r->orcpt = dup_optional(stmt, 2, &failed);
    return failed ? error_set(err, STATUS_TEMPORARY, "out of memory for a held copy") : STATUS_OK;
}

static enum status load_recipients(struct sql *sql, struct queue_release *release, struct error *err)
{
    struct sql_stmt *stmt;
    bool row = false;
    enum status st = sql_prepare(sql,
                                 "SELECT address, notify, orcpt, hold = '" HOLD_NOTICE "' FROM recipient "
                                 "WHERE copy_id = ?1 AND hold IN " SQL_HOLDS_FOR_SEAL " ORDER BY id",
                                 &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_int(stmt, 1, release->copy_id);
    for (st = sql_step(stmt, &row, err); st == STATUS_OK && row; st = sql_step(stmt, &row, err)) {
        release->notice = sql_col_int(stmt, 3) != 0;
        st = add_recipient(&release->envelope, stmt, err);
        if (st != STATUS_OK)
            break;
    }
    sql_reset(stmt);
    if (st == STATUS_OK && release->envelope.n_recipients == 0)
        st =
            error_set(err, STATUS_NOT_FOUND, "copy %lld does not wait for seal", (long long)release->copy_id);
    return st;
}

enum status hold_load(struct sql *sql, int64_t copy_id, struct queue_release *release_out, int *fd_out,
                      struct error *err)
{
    struct stored_body body;
    *release_out = (struct queue_release){.copy_id = copy_id};
    envelope_init(&release_out->envelope);
    enum status st = load_envelope(sql, release_out, &body, err);
    if (st == STATUS_OK)
        st = load_recipients(sql, release_out, err);
    if (st == STATUS_OK)
        st = body_read(sql, copy_id, body.len, body.hash, fd_out, err);
    if (st != STATUS_OK)
        queue_release_free(release_out);
    return st;
}

static size_t count_address(const struct queue_store *store, const char *address)
{
    size_t n = 0;

    for (size_t i = 0; i < store->n_copies; i++)
        for (size_t j = 0; j < store->copies[i].n_recipients; j++)
            n += strcmp(store->copies[i].recipients[j].address, address) == 0;
    return n;
}

static bool is_for_seal(const char *hold)
{
    return hold && (strcmp(hold, HOLD_KEY) == 0 || strcmp(hold, HOLD_NOTICE) == 0);
}

static bool stays_held_or_returns(const struct queue_store *store)
{
    for (size_t i = 0; i < store->n_copies; i++)
        if (store->copies[i].state != COPY_QUEUED)
            return true;
    return false;
}

/* The recipients of STORE are those that wait, each as often, and nobody else. A notice only leaves: held for
 * a key it would be returned in the end, and to nobody. */
static enum status check_recipients(struct sql *sql, int64_t copy_id, const struct queue_store *store,
                                    struct error *err)
{
    struct sql_stmt *stmt;
    bool row = false;
    bool wrong = false;
    size_t held = 0;
    size_t offered = 0;
    for (size_t i = 0; i < store->n_copies; i++)
        offered += store->copies[i].n_recipients;
    enum status st =
        sql_prepare(sql,
                    "SELECT r.address, r.hold, (SELECT COUNT(*) FROM recipient o WHERE o.copy_id = r.copy_id "
                    "AND o.address = r.address AND o.state NOT IN " SQL_FINAL_STATES ") FROM recipient r "
                    "WHERE r.copy_id = ?1 AND r.state NOT IN " SQL_FINAL_STATES,
                    &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_int(stmt, 1, copy_id);
    for (st = sql_step(stmt, &row, err); st == STATUS_OK && row; st = sql_step(stmt, &row, err)) {
        const char *address = sql_col_str(stmt, 0);
        const char *hold = sql_col_str(stmt, 1);
        held++;
        if (!is_for_seal(hold) || (strcmp(hold, HOLD_NOTICE) == 0 && stays_held_or_returns(store)) ||
            (int64_t)count_address(store, address ? address : "") != sql_col_int(stmt, 2))
            wrong = true;
    }
    if (st != STATUS_OK)
        return st;
    if (wrong || held == 0 || held != offered)
        return error_set(err, STATUS_INVALID,
                         "the copies from seal are not for exactly the recipients that wait for it, or "
                         "would not let a notice go");
    return STATUS_OK;
}

static enum status check_release(struct sql *sql, int64_t copy_id, const struct queue_store *store,
                                 struct span bodies, struct error *err)
{
    enum status st = store_check(store, bodies, err);
    for (size_t i = 0; st == STATUS_OK && i < store->n_copies; i++)
        if (store->copies[i].format == FORMAT_CLEAR && store->copies[i].state == COPY_QUEUED)
            st = error_set(err, STATUS_INVALID,
                           "a copy that waits for a key would go out unsealed; use `sealctl held return` or "
                           "send it again");
    return st == STATUS_OK ? check_recipients(sql, copy_id, store, err) : st;
}

static enum status message_of(struct sql *sql, int64_t copy_id, const char *id, int64_t *hold_until_ms_out,
                              struct error *err)
{
    struct sql_stmt *stmt;
    bool row;
    enum status st = sql_prepare(
        sql, "SELECT hold_until_ms FROM copy WHERE id = ?1 AND message_id = ?2 AND recheck_ms IS NOT NULL",
        &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_int(stmt, 1, copy_id);
    sql_bind_str(stmt, 2, id);
    st = sql_step(stmt, &row, err);
    if (st != STATUS_OK)
        return st;
    if (!row)
        return error_set(err, STATUS_INVALID, "copy %lld is not a held copy of message %s",
                         (long long)copy_id, id);
    *hold_until_ms_out = sql_col_int(stmt, 0);
    sql_reset(stmt);
    return STATUS_OK;
}

enum status hold_replace(struct sql *sql, const struct queue_settings *settings, int64_t copy_id,
                         const struct queue_store *store, struct span bodies, int64_t now_ms,
                         struct error *err)
{
    int64_t hold_until_ms = 0;
    enum status st = check_release(sql, copy_id, store, bodies, err);
    if (st == STATUS_OK)
        st = message_of(sql, copy_id, store->envelope.id, &hold_until_ms, err);
    if (st == STATUS_OK)
        st = store_released(sql, settings, store, bodies, now_ms, hold_until_ms, err);
    return st == STATUS_OK ? clean_replaced(sql, copy_id, err) : st;
}
