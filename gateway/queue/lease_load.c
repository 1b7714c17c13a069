/* Rows of a leased copy as the lease that delivery gets. */
#include <stdio.h>
#include <stdlib.h>

#include "base/memfile.h"
#include "gateway/queue/body.h"
#include "gateway/queue/lease.h"
#include "gateway/queue/schema.h"

/* What a DSN shows of a message at most. */
#define HEADER_MAX ((size_t)16 << 20)

struct stored_body {
    uint64_t len;
    char hash[DIGEST_HEX_SIZE];
};

/* A copy of the column, "" for NULL; *FAILED is sticky. */
static char *dup_text(struct sql_stmt *stmt, int i, bool *failed)
{
    char *text = span_dup(span_str(sql_col_str(stmt, i)));
    if (!text)
        *failed = true;
    return text;
}

static char *dup_optional(struct sql_stmt *stmt, int i, bool *failed)
{
    return sql_col_str(stmt, i) ? dup_text(stmt, i, failed) : NULL;
}

static void read_copy(struct sql_stmt *stmt, struct queue_lease *lease, struct stored_body *body,
                      bool *failed)
{
    const char *id = sql_col_str(stmt, 0);
    const char *hash = sql_col_str(stmt, 8);

    snprintf(lease->message_id, sizeof lease->message_id, "%s", id ? id : "");
    lease->format = (enum copy_format)sql_col_int(stmt, 1);
    lease->locked = sql_col_int(stmt, 2) != 0;
    lease->body_8bit = sql_col_int(stmt, 3) != 0;
    lease->smtputf8 = sql_col_int(stmt, 4) != 0;
    lease->received_ms = sql_col_int(stmt, 5);
    lease->reverse_path = dup_text(stmt, 6, failed);
    lease->envid = dup_optional(stmt, 10, failed);
    lease->ret = dup_optional(stmt, 11, failed);
    lease->requiretls = sql_col_int(stmt, 12) != 0;
    lease->state = sql_col_int(stmt, 13) ? COPY_DELAYED : COPY_QUEUED;
    lease->tls = (enum tls_level)sql_col_int(stmt, 14);
    body->len = (uint64_t)sql_col_int(stmt, 7);
    snprintf(body->hash, sizeof body->hash, "%s", hash ? hash : "");
    buf_append_span(&lease->dsn_header, sql_col_blob(stmt, 9));
    if (lease->dsn_header.failed)
        *failed = true;
}

static enum status load_copy(struct sql *sql, struct queue_lease *lease, struct stored_body *body,
                             struct error *err)
{
    struct sql_stmt *stmt;
    bool row;
    bool failed = false;
    enum status st =
        sql_prepare(sql,
                    "SELECT m.id, c.format, c.locked, m.body_8bit, m.smtputf8, m.received_ms, "
                    "m.reverse_path, c.body_len, c.body_hash, c.header, m.envid, m.ret, m.requiretls, "
                    "c.lease_tells, c.tls "
                    "FROM copy c JOIN message m ON m.id = c.message_id "
                    "WHERE c.id = ?1 AND c.lease_instance IS NOT NULL",
                    &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_int(stmt, 1, lease->copy_id);
    st = sql_step(stmt, &row, err);
    if (st != STATUS_OK)
        return st;
    if (!row)
        return error_set(err, STATUS_NOT_FOUND, "copy %lld is not on lease", (long long)lease->copy_id);
    read_copy(stmt, lease, body, &failed);
    sql_reset(stmt);
    return failed ? error_set(err, STATUS_TEMPORARY, "out of memory for a lease") : STATUS_OK;
}

static enum status add_recipient(struct queue_lease *lease, struct sql_stmt *stmt, struct error *err)
{
    bool failed = false;
    struct lease_recipient *grown =
        reallocarray(lease->recipients, lease->n_recipients + 1, sizeof *lease->recipients);
    if (!grown)
        return error_set(err, STATUS_TEMPORARY, "out of memory for a lease");
    lease->recipients = grown;
    grown[lease->n_recipients++] = (struct lease_recipient){
        .id = sql_col_int(stmt, 0),
        .address = dup_text(stmt, 1, &failed),
        .reason = dup_optional(stmt, lease->state == COPY_DELAYED ? 9 : 2, &failed),
        .notify = dup_optional(stmt, 3, &failed),
        .orcpt = dup_optional(stmt, 4, &failed),
        .attempts = (uint32_t)sql_col_int(stmt, 5),
        .expires_ms = sql_col_int(stmt, 7),
        .delay_told = sql_col_int(stmt, 8) != 0,
    };
    if (sql_col_int(stmt, 6))
        lease->state = COPY_RETURN;
    /* Who share a copy have one rule where it demands TLS (policy_same_treatment). */
    if (!lease->rule)
        lease->rule = dup_optional(stmt, 10, &failed);
    return failed ? error_set(err, STATUS_TEMPORARY, "out of memory for a lease") : STATUS_OK;
}

static enum status load_recipients(struct sql *sql, struct queue_lease *lease, struct error *err)
{
    struct sql_stmt *stmt;
    bool row = false;
    enum status st =
        sql_prepare(sql,
                    "SELECT id, address, reason, notify, orcpt, attempts, to_return, expires_ms, "
                    "delay_told, reply, rule "
                    "FROM recipient WHERE copy_id = ?1 AND state = '" STATE_LEASED "' ORDER BY id",
                    &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_int(stmt, 1, lease->copy_id);
    for (st = sql_step(stmt, &row, err); st == STATUS_OK && row; st = sql_step(stmt, &row, err)) {
        st = add_recipient(lease, stmt, err);
        if (st != STATUS_OK)
            break;
    }
    sql_reset(stmt);
    if (st == STATUS_OK && lease->n_recipients == 0)
        st = error_set(err, STATUS_NOT_FOUND, "copy %lld has no recipient on lease",
                       (long long)lease->copy_id);
    return st;
}

/*
 * The body, but of one that is to be returned only what the DSN needs: nothing when its header was stored
 * apart (a held body never leaves), and nothing when it is damaged.
 */
static enum status load_body(struct sql *sql, struct queue_lease *lease, const struct stored_body *body,
                             int *fd_out, struct error *err)
{
    bool apart = lease->state == COPY_RETURN && lease->dsn_header.len > 0;
    enum status st = STATUS_INTERNAL;

    if (!apart)
        st = body_read(sql, lease->copy_id, body->len, body->hash, fd_out, err);
    if (st != STATUS_INTERNAL || lease->state != COPY_RETURN)
        return st;
    lease->locked = false;
    return memfile_from("queue-body", span_of(NULL, 0), fd_out, err);
}

enum status lease_load(struct sql *sql, int64_t copy_id, struct queue_lease *lease_out, int *fd_out,
                       struct error *err)
{
    struct stored_body body;
    *lease_out = (struct queue_lease){.copy_id = copy_id};
    buf_init(&lease_out->dsn_header, HEADER_MAX);
    enum status st = load_copy(sql, lease_out, &body, err);
    if (st == STATUS_OK)
        st = load_recipients(sql, lease_out, err);
    if (st == STATUS_OK)
        st = load_body(sql, lease_out, &body, fd_out, err);
    if (st != STATUS_OK)
        queue_lease_free(lease_out);
    return st;
}

void lease_message_id(struct sql *sql, int64_t copy_id, char id_out[ID_SIZE])
{
    struct sql_stmt *stmt;
    struct error err;
    bool row;

    id_out[0] = '\0';
    if (sql_prepare(sql, "SELECT message_id FROM copy WHERE id = ?1", &stmt, &err) != STATUS_OK)
        return;
    sql_bind_int(stmt, 1, copy_id);
    if (sql_step(stmt, &row, &err) != STATUS_OK || !row)
        return;
    const char *id = sql_col_str(stmt, 0);
    snprintf(id_out, ID_SIZE, "%s", id ? id : "");
    sql_reset(stmt);
}
