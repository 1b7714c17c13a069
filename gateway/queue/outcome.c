#include "gateway/queue/outcome.h"

#include <string.h>

#include "gateway/queue/audit.h"
#include "gateway/queue/lease.h"
#include "gateway/queue/reach.h"
#include "gateway/queue/rows.h"
#include "gateway/queue/schedule.h"
#include "gateway/queue/schema.h"
#include "gateway/queue/store.h"

/* With NUL; a longer domain cannot be one (RFC 1035 §2.3.4), and has no next hop to remember. */
#define DOMAIN_SIZE (256 + sizeof TLS_OPTIONAL_PREFIX)

struct application {
    struct sql *sql;
    const struct queue_settings *settings;
    const char *instance;
    const struct queue_outcome *outcome;
    struct span dsn;
    bool dsn_lost; /* it should be there and cannot be read */
    int64_t now_ms;
    uint16_t chance; /* one for all: what failed together stays one transaction, and one report */
    struct outcome_counts counts;
};

struct now_stored {
    bool open;  /* found and not final */
    bool ours;  /* leased by this instance */
    bool other; /* leased by another instance */
    bool tells; /* leased for the report of a delay alone */
    bool held;
    bool to_return;
    int64_t attempts;
    int64_t expires_ms;
    char domain[DOMAIN_SIZE];
};

static void read_stored(struct sql_stmt *stmt, const char *instance, struct now_stored *out)
{
    const char *state = sql_col_str(stmt, 0);
    const char *holder = sql_col_str(stmt, 1);
    bool leased = state && strcmp(state, STATE_LEASED) == 0;

    *out = (struct now_stored){
        .open = true,
        .ours = leased && holder && strcmp(holder, instance) == 0,
        .held = state && strcmp(state, STATE_HELD) == 0,
        .to_return = sql_col_int(stmt, 2) != 0,
        .attempts = sql_col_int(stmt, 3),
        .expires_ms = sql_col_int(stmt, 4),
        .tells = sql_col_int(stmt, 6) != 0,
    };
    const char *domain = sql_col_str(stmt, 5);
    if (domain && strlen(domain) < sizeof out->domain)
        memcpy(out->domain, domain, strlen(domain) + 1);
    out->other = leased && !out->ours;
}

static enum status find_stored(const struct application *a, int64_t id, struct now_stored *out,
                               struct error *err)
{
    struct sql_stmt *stmt;
    bool row;
    *out = (struct now_stored){0};
    enum status st = sql_prepare(a->sql,
                                 "SELECT r.state, c.lease_instance, r.to_return, r.attempts, r.expires_ms, "
                                 "r.domain, c.lease_tells "
                                 "FROM recipient r JOIN copy c ON c.id = r.copy_id "
                                 "WHERE r.id = ?1 AND r.copy_id = ?2 AND r.state NOT IN " SQL_FINAL_STATES,
                                 &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_int(stmt, 1, id);
    sql_bind_int(stmt, 2, a->outcome->copy_id);
    st = sql_step(stmt, &row, err);
    if (st == STATUS_OK && row) {
        read_stored(stmt, a->instance, out);
        sql_reset(stmt);
    }
    return st;
}

/* 0: skipped. */
static enum delivery_outcome decide(const struct application *a, const struct outcome_recipient *r,
                                    const struct now_stored *now)
{
    enum delivery_outcome wanted = r->outcome;

    if (!now->open)
        return 0;
    if (wanted == OUTCOME_DELIVERED && now->to_return)
        wanted = OUTCOME_DEFERRED;
    if (wanted == OUTCOME_BOUNCED && a->dsn_lost)
        wanted = OUTCOME_DEFERRED;
    switch (wanted) {
    case OUTCOME_DELIVERED:
        return wanted;
    case OUTCOME_BOUNCED:
        return now->other || now->held ? 0 : wanted;
    case OUTCOME_DEFERRED:
        return now->ours ? wanted : 0;
    }
    return 0;
}

static bool is_told(const struct application *a, const struct outcome_recipient *r)
{
    return r->delay_told && a->outcome->has_dsn && !a->dsn_lost;
}

static enum status write_state(const struct application *a, const struct outcome_recipient *r,
                               const char *state, const struct now_stored *now, struct error *err)
{
    bool deferred = strcmp(state, STATE_DEFERRED) == 0;
    struct sql_stmt *stmt;
    enum status st = sql_prepare(a->sql,
                                 "UPDATE recipient SET state = ?2, next_ms = ?3, attempts = ?4, hold = NULL, "
                                 "host = ?5, reply = ?6, "
                                 "delay_told = CASE WHEN ?7 <> 0 THEN 1 ELSE delay_told END, "
                                 "warn_ms = CASE WHEN ?7 <> 0 THEN NULL ELSE warn_ms END WHERE id = ?1",
                                 &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_int(stmt, 1, r->id);
    sql_bind_str(stmt, 2, state);
    if (deferred)
        sql_bind_int(stmt, 3,
                     schedule_next(schedule_policy(a->settings, now->domain), now->attempts + 1, a->now_ms,
                                   now->expires_ms, a->chance));
    sql_bind_int(stmt, 4, now->attempts + 1);
    sql_bind_str(stmt, 5, r->host);
    sql_bind_str(stmt, 6, r->reply);
    sql_bind_int(stmt, 7, deferred && is_told(a, r));
    return sql_run(stmt, err);
}

/* Nobody tried: nothing is counted, or learned of the destination. Without a report there is another. */
static enum status write_told(struct application *a, const struct outcome_recipient *r, struct error *err)
{
    const int64_t values[] = {r->id, a->now_ms, is_told(a, r), a->now_ms + a->settings->retry.first_retry_ms};

    a->counts.deferred++;
    return rows_run(a->sql,
                    "UPDATE recipient SET state = CASE WHEN attempts > 0 THEN '" STATE_DEFERRED
                    "' ELSE '" STATE_QUEUED "' END, next_ms = ?2, "
                    "delay_told = CASE WHEN ?3 <> 0 THEN 1 ELSE delay_told END, "
                    "warn_ms = CASE WHEN ?3 <> 0 THEN NULL ELSE ?4 END WHERE id = ?1",
                    values, 4, err);
}

static enum status apply_one(struct application *a, const struct outcome_recipient *r, struct error *err)
{
    struct now_stored now;
    enum status st = find_stored(a, r->id, &now, err);
    /* A late word of an attempt before counts as ever. */
    if (st == STATUS_OK && now.ours && now.tells && r->outcome == OUTCOME_DEFERRED)
        return write_told(a, r, err);
    if (st == STATUS_OK)
        st = reach_learn(a->sql, a->settings, now.domain, r->reach, a->outcome->copy_id, r->reply, a->now_ms,
                         err);
    if (st != STATUS_OK)
        return st;
    enum delivery_outcome what = decide(a, r, &now);
    const char *state = NULL;
    if (what == OUTCOME_DELIVERED) {
        state = STATE_DELIVERED;
        a->counts.delivered++;
    } else if (what == OUTCOME_DEFERRED) {
        state = STATE_DEFERRED;
        a->counts.deferred++;
    } else if (what == OUTCOME_BOUNCED) {
        state = now.to_return ? STATE_RETURNED : STATE_BOUNCED;
        a->counts.bounced++;
    } else {
        a->counts.skipped++;
        return STATUS_OK;
    }
    const struct audit_row extra = {.text = {[AUDIT_HOST] = r->host,
                                             [AUDIT_OUT_TLS_VERSION] = r->tls_version,
                                             [AUDIT_OUT_TLS_CIPHER] = r->tls_cipher,
                                             [AUDIT_OUT_TLS_PEER] = r->tls_peer,
                                             [AUDIT_REPLY] = r->reply}};
    st = write_state(a, r, state, &now, err);
    /* States of this table and words of the audit trail are the same here. */
    return st == STATUS_OK ? audit_recipient(a->sql, a->now_ms, r->id, state, &extra, err) : st;
}

static enum status dsn_is_known(const struct application *a, bool *known_out, struct error *err)
{
    struct sql_stmt *stmt;
    enum status st = sql_prepare(a->sql, "SELECT 1 FROM message WHERE id = ?1", &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_str(stmt, 1, a->outcome->dsn_id);
    st = sql_step(stmt, known_out, err);
    if (st == STATUS_OK)
        sql_reset(stmt);
    return st;
}

/* Does the address need SMTPUTF8 (RFC 6531 §3.2)? */
static bool is_utf8(const char *address)
{
    for (; *address; address++)
        if ((unsigned char)*address > 0x7e)
            return true;
    return false;
}

/* RFC 8689 §5: a notification is protected like the message that it is about. */
static enum status original_requires_tls(const struct application *a, bool *required_out, struct error *err)
{
    int64_t required = 0;
    enum status st = rows_ask(
        a->sql, "SELECT m.requiretls FROM copy c JOIN message m ON m.id = c.message_id WHERE c.id = ?1",
        &a->outcome->copy_id, 1, &required, err);
    *required_out = required != 0;
    return st;
}

static enum status store_dsn(struct application *a, struct error *err)
{
    char *address = a->outcome->dsn_recipient;
    char null_path[] = "";
    struct envelope_recipient to = {.address = address};
    char reason[] = "a notice of this gateway, not offered to seal yet";
    bool notice = a->settings->seal_notices;
    struct copy_recipient recipient = {.address = address, .reason = notice ? reason : NULL};
    struct store_copy copy = {.state = notice ? COPY_NOTICE : COPY_QUEUED,
                              .format = notice ? FORMAT_NONE : FORMAT_CLEAR,
                              .locked = true,
                              .body_len = a->dsn.len,
                              .tls_optional = a->outcome->dsn_tls_optional,
                              .recipients = &recipient,
                              .n_recipients = 1};
    /* RFC 3464 §2: sent with the null reverse-path. */
    struct queue_store store = {.envelope = {.received_ms = a->now_ms,
                                             .reverse_path = null_path,
                                             .smtputf8 = is_utf8(address),
                                             .recipients = &to,
                                             .n_recipients = 1},
                                .copies = &copy,
                                .n_copies = 1};
    bool known = false;
    enum status st = dsn_is_known(a, &known, err);
    if (st == STATUS_OK && !known)
        st = original_requires_tls(a, &store.envelope.requiretls, err);
    if (st != STATUS_OK || known)
        return st;
    memcpy(store.envelope.id, a->outcome->dsn_id, ID_SIZE);
    st = store_insert(a->sql, a->settings, &store, a->dsn, a->now_ms, err);
    a->counts.dsn_stored = st == STATUS_OK;
    return st;
}

enum status outcome_apply(struct sql *sql, const struct queue_settings *settings, const char *instance,
                          const struct queue_outcome *outcome, struct span dsn, int64_t now_ms,
                          struct outcome_counts *counts_out, struct error *err)
{
    struct application a = {.sql = sql,
                            .settings = settings,
                            .instance = instance,
                            .outcome = outcome,
                            .dsn = dsn,
                            .now_ms = now_ms,
                            .chance = schedule_chance()};
    enum status st = STATUS_OK;

    if (outcome->has_dsn)
        a.dsn_lost = dsn.len == 0 || !outcome->dsn_recipient || !*outcome->dsn_recipient ||
                     !id_is_valid(outcome->dsn_id);
    for (size_t i = 0; st == STATUS_OK && i < outcome->n_recipients; i++)
        st = apply_one(&a, &outcome->recipients[i], err);
    if (st == STATUS_OK && outcome->has_dsn && !a.dsn_lost &&
        a.counts.delivered + a.counts.deferred + a.counts.bounced > 0)
        st = store_dsn(&a, err);
    if (st == STATUS_OK)
        st = lease_settle(sql, outcome->copy_id, now_ms, err);
    *counts_out = a.counts;
    return st;
}
