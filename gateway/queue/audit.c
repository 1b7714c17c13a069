#include "gateway/queue/audit.h"

#include <stdio.h>

#include "gateway/jobs/queue_job.h"
#include "gateway/queue/schema.h"

const char *audit_column_name(enum audit_column column)
{
    static const char *const names[AUDIT_COLUMNS] = {
        [AUDIT_EVENT] = "event",
        [AUDIT_MESSAGE] = "id",
        [AUDIT_USER] = "user",
        [AUDIT_REVERSE_PATH] = "from",
        [AUDIT_RECIPIENT] = "recipient",
        [AUDIT_RULE] = "rule",
        [AUDIT_REASON] = "reason",
        [AUDIT_FORMAT] = "format",
        [AUDIT_FINGERPRINT] = "fingerprint",
        [AUDIT_SOURCE] = "source",
        [AUDIT_CIPHER] = "cipher",
        [AUDIT_CLIENT_ADDRESS] = "client_address",
        [AUDIT_IN_TLS_VERSION] = "in_tls_version",
        [AUDIT_IN_TLS_CIPHER] = "in_tls_cipher",
        [AUDIT_HOST] = "host",
        [AUDIT_OUT_TLS_VERSION] = "out_tls_version",
        [AUDIT_OUT_TLS_CIPHER] = "out_tls_cipher",
        [AUDIT_OUT_TLS_PEER] = "out_tls_peer",
        [AUDIT_REPLY] = "reply",
    };
    return names[column];
}

static void add_number(struct digest *digest, uint64_t value, int bytes)
{
    char raw[8];

    for (int i = 0; i < bytes; i++)
        raw[i] = (char)(value >> (8 * (bytes - 1 - i)));
    digest_add(digest, span_of(raw, (size_t)bytes));
}

enum status audit_hash(const char *previous, const struct audit_row *row, char hex_out[DIGEST_HEX_SIZE],
                       struct error *err)
{
    struct digest digest;

    digest_start(&digest);
    digest_add(&digest, span_str(previous));
    add_number(&digest, (uint64_t)row->time_ms, 8);
    add_number(&digest, (uint64_t)row->seq, 8);
    for (int i = 0; i < AUDIT_COLUMNS; i++) {
        struct span text = span_str(row->text[i]);
        add_number(&digest, row->text[i] ? text.len : UINT32_MAX, 4);
        digest_add(&digest, text);
    }
    return digest_end(&digest, hex_out, err);
}

enum status audit_head(struct sql *sql, struct audit_head *head_out, struct error *err)
{
    struct sql_stmt *stmt;
    bool row;
    enum status st = sql_prepare(sql, "SELECT seq, hash FROM audit_head", &stmt, err);
    if (st == STATUS_OK)
        st = sql_step(stmt, &row, err);
    if (st != STATUS_OK)
        return st;
    const char *hash = row ? sql_col_str(stmt, 1) : NULL;
    if (!hash)
        return error_set(err, STATUS_INTERNAL, "the audit trail has lost its head; see doc/queue.md");
    head_out->seq = sql_col_int(stmt, 0);
    snprintf(head_out->hash, sizeof head_out->hash, "%s", hash);
    sql_reset(stmt);
    return STATUS_OK;
}

static enum status write_row(struct sql *sql, const struct audit_row *row, const char *hash,
                             struct error *err)
{
    struct sql_stmt *stmt;
    enum status st =
        sql_prepare(sql,
                    "INSERT INTO audit (" AUDIT_SELECT ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, "
                    "?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22)",
                    &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_int(stmt, 1, row->seq);
    sql_bind_int(stmt, 2, row->time_ms);
    for (int i = 0; i < AUDIT_COLUMNS; i++)
        sql_bind_str(stmt, 3 + i, row->text[i]);
    sql_bind_str(stmt, 3 + AUDIT_COLUMNS, hash);
    return sql_run(stmt, err);
}

enum status audit_append(struct sql *sql, struct audit_row *row, struct error *err)
{
    struct audit_head head;
    char hash[DIGEST_HEX_SIZE];
    struct sql_stmt *stmt;
    enum status st = audit_head(sql, &head, err);
    if (st != STATUS_OK)
        return st;
    row->seq = head.seq + 1;
    st = audit_hash(head.hash, row, hash, err);
    if (st == STATUS_OK)
        st = write_row(sql, row, hash, err);
    if (st == STATUS_OK)
        st = sql_prepare(sql, "UPDATE audit_head SET seq = ?1, hash = ?2", &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_int(stmt, 1, row->seq);
    sql_bind_str(stmt, 2, hash);
    return sql_run(stmt, err);
}

static void read_recipient(struct sql_stmt *stmt, struct audit_row *row)
{
    static const enum audit_column columns[] = {
        AUDIT_MESSAGE,     AUDIT_USER,   AUDIT_REVERSE_PATH,   AUDIT_RECIPIENT,      AUDIT_RULE,
        AUDIT_REASON,      AUDIT_HOST,   AUDIT_REPLY,          AUDIT_IN_TLS_VERSION, AUDIT_IN_TLS_CIPHER,
        AUDIT_FINGERPRINT, AUDIT_SOURCE, AUDIT_CLIENT_ADDRESS, AUDIT_CIPHER,
    };
    const int n = sizeof columns / sizeof columns[0];

    for (int i = 0; i < n; i++)
        row->text[columns[i]] = sql_col_str(stmt, i);
    row->text[AUDIT_FORMAT] = copy_format_word((enum copy_format)sql_col_int(stmt, n));
}

enum status audit_recipient(struct sql *sql, int64_t now_ms, int64_t recipient_id, const char *event,
                            const struct audit_row *extra, struct error *err)
{
    struct audit_row row = {.time_ms = now_ms};
    struct sql_stmt *stmt;
    bool found;
    enum status st =
        sql_prepare(sql,
                    "SELECT m.id, " SQL_USER ", m.reverse_path, r.address, r.rule, r.reason, NULL, NULL, "
                    "m.tls_version, m.tls_cipher, r.fingerprint, r.source, m.client_address, c.cipher, "
                    "c.format FROM recipient r JOIN copy c ON c.id = r.copy_id "
                    "JOIN message m ON m.id = c.message_id WHERE r.id = ?1",
                    &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_int(stmt, 1, recipient_id);
    st = sql_step(stmt, &found, err);
    if (st != STATUS_OK)
        return st;
    if (!found)
        return error_set(err, STATUS_INTERNAL, "no recipient %lld for an audit line",
                         (long long)recipient_id);
    read_recipient(stmt, &row);
    for (int i = 0; extra && i < AUDIT_COLUMNS; i++)
        if (extra->text[i])
            row.text[i] = extra->text[i];
    row.text[AUDIT_EVENT] = event;
    st = audit_append(sql, &row, err);
    sql_reset(stmt); /* not before: the row's texts are its columns */
    return st;
}

void audit_read(struct sql_stmt *stmt, struct audit_row *row_out, const char **hash_out)
{
    row_out->seq = sql_col_int(stmt, 0);
    row_out->time_ms = sql_col_int(stmt, 1);
    for (int i = 0; i < AUDIT_COLUMNS; i++)
        row_out->text[i] = sql_col_str(stmt, 2 + i);
    *hash_out = sql_col_str(stmt, 2 + AUDIT_COLUMNS);
}
