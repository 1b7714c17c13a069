#include "gateway/queue/store.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/queue/audit.h"
#include "gateway/queue/body.h"
#include "gateway/queue/schedule.h"
#include "gateway/queue/schema.h"

/* What the rows of one message have in common. */
struct insertion {
    struct sql *sql;
    const struct queue_settings *settings;
    const struct queue_store *store;
    struct span bodies;
    int64_t now_ms;
    int64_t hold_until_ms;
    bool released; /* its recipients were accepted before */
};

static enum status insert_message(struct sql *sql, const struct envelope *e, struct error *err)
{
    struct sql_stmt *stmt;
    enum status st = sql_prepare(sql,
                                 "INSERT INTO message (id, received_ms, reverse_path, user_name, listener, "
                                 "client_address, helo, tls_version, tls_cipher, body_8bit, smtputf8, "
                                 "client, envid, ret, requiretls, plain_smtp) "
                                 "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, "
                                 "?16)",
                                 &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_str(stmt, 1, e->id);
    sql_bind_int(stmt, 2, e->received_ms);
    sql_bind_str(stmt, 3, e->reverse_path);
    sql_bind_str(stmt, 4, e->user);
    sql_bind_str(stmt, 5, e->listener);
    sql_bind_str(stmt, 6, e->client_address);
    sql_bind_str(stmt, 7, e->helo);
    sql_bind_str(stmt, 8, e->tls_version);
    sql_bind_str(stmt, 9, e->tls_cipher);
    sql_bind_int(stmt, 10, e->body_8bit);
    sql_bind_int(stmt, 11, e->smtputf8);
    sql_bind_str(stmt, 12, e->client);
    sql_bind_str(stmt, 13, e->envid);
    sql_bind_str(stmt, 14, e->ret);
    sql_bind_int(stmt, 15, e->requiretls);
    sql_bind_int(stmt, 16, e->plain_smtp);
    return sql_run(stmt, err);
}

/* Seal was not asked about a notice yet, and its hold has no end: to nobody could it be returned. */
static void bind_hold(struct sql_stmt *stmt, const struct insertion *in, const struct store_copy *copy)
{
    if (copy->state == COPY_HELD) {
        sql_bind_int(stmt, 8, in->now_ms + in->settings->recheck_ms);
        sql_bind_int(stmt, 9, in->hold_until_ms);
    } else if (copy->state == COPY_NOTICE) {
        sql_bind_int(stmt, 8, in->now_ms);
    }
}

/* NULL: it is not held. */
static const char *hold_of(enum copy_state state)
{
    if (state == COPY_NOTICE)
        return HOLD_NOTICE;
    return state == COPY_HELD ? HOLD_KEY : NULL;
}

static enum status insert_copy_row(const struct insertion *in, const struct store_copy *copy,
                                   struct span body, struct error *err)
{
    char hash[DIGEST_HEX_SIZE];
    struct sql_stmt *stmt;
    enum status st = body_hash(body, hash, err);
    if (st == STATUS_OK)
        st = sql_prepare(in->sql,
                         "INSERT INTO copy (message_id, format, locked, cipher, body_len, body_hash, header, "
                         "recheck_ms, hold_until_ms, tls) "
                         "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                         &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_str(stmt, 1, in->store->envelope.id);
    sql_bind_int(stmt, 2, copy->format);
    sql_bind_int(stmt, 3, copy->locked);
    sql_bind_str(stmt, 4, copy->format <= FORMAT_CLEAR ? NULL : copy->cipher);
    sql_bind_int(stmt, 5, (int64_t)body.len);
    sql_bind_str(stmt, 6, hash);
    if (copy->header_len > 0)
        sql_bind_blob(stmt, 7, span_of(in->bodies.p + copy->header_at, copy->header_len));
    bind_hold(stmt, in, copy);
    sql_bind_int(stmt, 10, copy->tls);
    return sql_run(stmt, err);
}

/* In lower case what stands behind the last "@", with the prefix for mail that needs no TLS. Owned; NULL: out
 * of memory. */
static char *destination_of(const char *address, bool tls_optional)
{
    const char *at = strrchr(address, '@');
    char *name = NULL;

    if (!at || !at[1])
        return strdup("");
    if (asprintf(&name, "%s%s", tls_optional ? TLS_OPTIONAL_PREFIX : "", at + 1) < 0)
        return NULL;
    for (char *p = name; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return name;
}

/* Whose share of the window a recipient takes; as SQL_USER. Owned; NULL: out of memory. */
static char *sender_of(const struct envelope *e)
{
    char *sender = NULL;

    if (!e->client || !*e->client)
        return strdup(e->user ? e->user : "");
    return asprintf(&sender, CLIENT_PREFIX "%s", e->client) < 0 ? NULL : sender;
}

/* From when on the sender is to be told of a delay; 0: never (RFC 3461 §4.1; a DSN is never answered by one,
 * RFC 5321 §6.1). */
static int64_t warn_at(const struct insertion *in, enum copy_state state, const struct copy_recipient *r)
{
    if (in->settings->delay_warning_ms <= 0 || in->store->envelope.reverse_path[0] == '\0' ||
        state == COPY_RETURN || (r->notify && !strcasestr(r->notify, "DELAY")))
        return 0;
    return in->store->envelope.received_ms + in->settings->delay_warning_ms;
}

static enum status insert_recipient_at(const struct insertion *in, int64_t copy_id, enum copy_state state,
                                       const struct copy_recipient *r, const char *domain, const char *sender,
                                       struct error *err)
{
    struct sql_stmt *stmt;
    enum status st =
        sql_prepare(in->sql,
                    "INSERT INTO recipient (copy_id, address, state, to_return, hold, next_ms, rule, reason, "
                    "fingerprint, source, notify, orcpt, domain, sender, expires_ms, warn_ms) "
                    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
                    &stmt, err);
    if (st != STATUS_OK)
        return st;
    const char *hold = hold_of(state);
    int64_t warn_ms = warn_at(in, state, r);
    sql_bind_int(stmt, 1, copy_id);
    sql_bind_str(stmt, 2, r->address);
    sql_bind_str(stmt, 3, hold ? STATE_HELD : STATE_QUEUED);
    sql_bind_int(stmt, 4, state == COPY_RETURN);
    sql_bind_str(stmt, 5, hold);
    if (!hold)
        sql_bind_int(stmt, 6, in->now_ms);
    sql_bind_str(stmt, 7, r->rule);
    sql_bind_str(stmt, 8, r->reason);
    sql_bind_str(stmt, 9, r->fingerprint);
    sql_bind_str(stmt, 10, r->source);
    sql_bind_str(stmt, 11, r->notify);
    sql_bind_str(stmt, 12, r->orcpt);
    sql_bind_str(stmt, 13, state == COPY_RETURN ? "" : domain);
    sql_bind_str(stmt, 14, sender);
    sql_bind_int(stmt, 15, in->now_ms + schedule_policy(in->settings, domain)->lifetime_ms);
    if (warn_ms > 0)
        sql_bind_int(stmt, 16, warn_ms);
    return sql_run(stmt, err);
}

static enum status insert_recipient_row(const struct insertion *in, int64_t copy_id,
                                        const struct store_copy *copy, const struct copy_recipient *r,
                                        struct error *err)
{
    char *domain = destination_of(r->address, copy->tls_optional);
    char *sender = sender_of(&in->store->envelope);
    enum status st = domain && sender ? insert_recipient_at(in, copy_id, copy->state, r, domain, sender, err)
                                      : error_set(err, STATUS_TEMPORARY, "out of memory for a recipient");
    free(domain);
    free(sender);
    return st;
}

static enum status tell(const struct insertion *in, const struct store_copy *copy, int64_t recipient_id,
                        struct error *err)
{
    enum status st = STATUS_OK;

    if (!in->released)
        st = audit_recipient(in->sql, in->now_ms, recipient_id, "accepted", NULL, err);
    else if (!hold_of(copy->state))
        st = audit_recipient(in->sql, in->now_ms, recipient_id, "released", NULL, err);
    if (st == STATUS_OK && copy->format > FORMAT_CLEAR)
        st = audit_recipient(in->sql, in->now_ms, recipient_id, "sealed", NULL, err);
    if (st == STATUS_OK && hold_of(copy->state) && !in->released)
        st = audit_recipient(in->sql, in->now_ms, recipient_id, "held", NULL, err);
    return st;
}

/* A line for each note, with what the copy's recipient has in common with it. */
static enum status tell_notes(const struct insertion *in, const struct store_copy *copy, int64_t recipient_id,
                              struct error *err)
{
    enum status st = STATUS_OK;

    for (size_t i = 0; st == STATUS_OK && i < copy->n_notes; i++) {
        const struct copy_note *note = &copy->notes[i];
        struct audit_row extra = {.text = {[AUDIT_RECIPIENT] = note->address,
                                           [AUDIT_FINGERPRINT] = note->fingerprint,
                                           [AUDIT_SOURCE] = note->source,
                                           [AUDIT_REASON] = note->reason}};
        st = audit_recipient(in->sql, in->now_ms, recipient_id, note->event, &extra, err);
    }
    return st;
}

static enum status insert_copy(const struct insertion *in, const struct store_copy *copy, struct error *err)
{
    struct span body = span_of(in->bodies.p + copy->body_at, copy->body_len);
    enum status st = insert_copy_row(in, copy, body, err);
    if (st != STATUS_OK)
        return st;
    int64_t copy_id = sql_inserted(in->sql), recipient_id = 0;
    st = body_insert(in->sql, copy_id, body, err);
    for (size_t i = 0; st == STATUS_OK && i < copy->n_recipients; i++) {
        st = insert_recipient_row(in, copy_id, copy, &copy->recipients[i], err);
        if (st != STATUS_OK)
            break;
        recipient_id = sql_inserted(in->sql);
        st = tell(in, copy, recipient_id, err);
    }
    if (st == STATUS_OK)
        st = tell_notes(in, copy, recipient_id, err);
    return st;
}

static enum status insert_copies(const struct insertion *in, struct error *err)
{
    enum status st = STATUS_OK;

    for (size_t i = 0; st == STATUS_OK && i < in->store->n_copies; i++)
        st = insert_copy(in, &in->store->copies[i], err);
    return st;
}

enum status store_insert(struct sql *sql, const struct queue_settings *settings,
                         const struct queue_store *store, struct span bodies, int64_t now_ms,
                         struct error *err)
{
    struct insertion in = {.sql = sql,
                           .settings = settings,
                           .store = store,
                           .bodies = bodies,
                           .now_ms = now_ms,
                           .hold_until_ms = now_ms + settings->hold_ms};
    enum status st = store_check(store, bodies, err);
    if (st == STATUS_OK)
        st = insert_message(sql, &store->envelope, err);
    return st == STATUS_OK ? insert_copies(&in, err) : st;
}

enum status store_released(struct sql *sql, const struct queue_settings *settings,
                           const struct queue_store *store, struct span bodies, int64_t now_ms,
                           int64_t hold_until_ms, struct error *err)
{
    struct insertion in = {.sql = sql,
                           .settings = settings,
                           .store = store,
                           .bodies = bodies,
                           .now_ms = now_ms,
                           .hold_until_ms = hold_until_ms,
                           .released = true};
    return insert_copies(&in, err);
}
