/* Writing certificates; record_read.c reads them. */
#include "keystore/record.h"

#include <inttypes.h>
#include <stdio.h>

/* Key IDs as stored; "" when there are none. */
static enum status write_keyids(const struct certificate *c, struct buf *text, struct error *err)
{
    buf_init(text, CERTIFICATE_KEYIDS_MAX * 17);
    for (size_t i = 0; i < c->n_keyids; i++)
        buf_printf(text, "%016" PRIX64 " ", c->keyids[i]);
    return buf_check(text, "key IDs", err);
}

/* ---- rows beside the certificate's ---- */

static enum status delete_of(struct keystore *ks, const char *text, int64_t id, struct error *err)
{
    struct sql_stmt *stmt;
    enum status st = sql_prepare(ks->sql, text, &stmt, err);

    if (st != STATUS_OK)
        return st;
    sql_bind_int(stmt, 1, id);
    return sql_run(stmt, err);
}

/* COUNT is a query of the certificates that KEY has; NAME is for people. */
static enum status check_crowd(struct keystore *ks, const char *count, const char *key, const char *name,
                               struct error *err)
{
    struct sql_stmt *stmt;
    bool row;
    enum status st = sql_prepare(ks->sql, count, &stmt, err);

    if (st != STATUS_OK)
        return st;
    sql_bind_str(stmt, 1, key);
    st = sql_step(stmt, &row, err);
    if (st != STATUS_OK)
        return st;
    int64_t n = row ? sql_col_int(stmt, 0) : 0;
    sql_reset(stmt);
    if (n > KEYSTORE_PER_ADDRESS_MAX)
        return error_set(err, STATUS_LIMIT, "%.200s has %d certificates already; remove old ones first", name,
                         KEYSTORE_PER_ADDRESS_MAX);
    return STATUS_OK;
}

static enum status put_addresses(struct keystore *ks, int64_t id, const struct finding *f, struct error *err)
{
    enum status st = delete_of(ks, "DELETE FROM address WHERE certificate = ?1", id, err);

    for (size_t i = 0; st == STATUS_OK && i < f->n_keys; i++) {
        struct sql_stmt *stmt;
        st = sql_prepare(ks->sql, "INSERT INTO address (certificate, exact, folded) VALUES (?1, ?2, ?3)",
                         &stmt, err);
        if (st != STATUS_OK)
            return st;
        sql_bind_int(stmt, 1, id);
        sql_bind_str(stmt, 2, f->keys[i].exact);
        sql_bind_str(stmt, 3, f->keys[i].folded);
        st = sql_run(stmt, err);
        if (st == STATUS_OK)
            st = check_crowd(ks, "SELECT COUNT(DISTINCT certificate) FROM address WHERE folded = ?1",
                             f->keys[i].folded, f->keys[i].exact, err);
    }
    return st;
}

/* Without new ones those that are there stay: they only help to build a chain. */
static enum status put_intermediates(struct keystore *ks, int64_t id, const struct smime_certificates *list,
                                     struct error *err)
{
    if (!list || list->n == 0)
        return STATUS_OK;
    enum status st = delete_of(ks, "DELETE FROM intermediate WHERE certificate = ?1", id, err);

    for (size_t i = 0; st == STATUS_OK && i < list->n; i++) {
        struct sql_stmt *stmt;
        st = sql_prepare(ks->sql,
                         "INSERT INTO intermediate (certificate, position, bytes) VALUES (?1, ?2, ?3)", &stmt,
                         err);
        if (st != STATUS_OK)
            return st;
        sql_bind_int(stmt, 1, id);
        sql_bind_int(stmt, 2, (int64_t)i);
        sql_bind_blob(stmt, 3, buf_span(&list->items[i]));
        st = sql_run(stmt, err);
    }
    return st;
}

/* ---- the certificate's row ---- */

static enum status find_row(struct keystore *ks, const char *fingerprint, int64_t *id_out, struct error *err)
{
    struct sql_stmt *stmt;
    bool row;
    enum status st = sql_prepare(ks->sql, "SELECT id FROM certificate WHERE fingerprint = ?1", &stmt, err);

    *id_out = 0;
    if (st != STATUS_OK)
        return st;
    sql_bind_str(stmt, 1, fingerprint);
    st = sql_step(stmt, &row, err);
    if (st == STATUS_OK && row) {
        *id_out = sql_col_int(stmt, 0);
        sql_reset(stmt);
    }
    return st;
}

/* An empty row of that fingerprint, when there is none. */
static enum status make_row(struct keystore *ks, const char *fingerprint, int64_t *id_out, bool *known_out,
                            struct error *err)
{
    struct sql_stmt *stmt;
    enum status st = find_row(ks, fingerprint, id_out, err);

    *known_out = *id_out != 0;
    if (st != STATUS_OK || *known_out)
        return st;
    st = sql_prepare(ks->sql,
                     "INSERT INTO certificate (format, fingerprint, source, algorithm, keyids, addresses,"
                     " usable, reason, added, expires, inspected, bytes)"
                     " VALUES (0, ?1, '', '', '', '', 0, '', 0, 0, 0, ?2)",
                     &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_str(stmt, 1, fingerprint);
    sql_bind_blob(stmt, 2, span_of(NULL, 0));
    st = sql_run(stmt, err);
    *id_out = sql_inserted(ks->sql);
    return st;
}

static enum status put_identity(struct keystore *ks, const struct certificate *c, int64_t id, int64_t now,
                                struct error *err)
{
    struct sql_stmt *stmt;
    enum status st = sql_prepare(ks->sql,
                                 "UPDATE certificate SET format = ?1, source = ?2, name = ?3, addresses = ?4,"
                                 " added = ?5, bytes = ?6 WHERE id = ?7",
                                 &stmt, err);

    if (st != STATUS_OK)
        return st;
    sql_bind_int(stmt, 1, c->format);
    sql_bind_str(stmt, 2, c->source);
    sql_bind_str(stmt, 3, c->name);
    sql_bind_str(stmt, 4, c->addresses);
    sql_bind_int(stmt, 5, now);
    sql_bind_blob(stmt, 6, buf_span(&c->bytes));
    sql_bind_int(stmt, 7, id);
    return sql_run(stmt, err);
}

static enum status put_judgement(struct keystore *ks, const struct certificate *c, int64_t id, int64_t now,
                                 struct error *err)
{
    struct sql_stmt *stmt;
    struct buf keyids;
    enum status st = write_keyids(c, &keyids, err);

    if (st == STATUS_OK)
        st = sql_prepare(ks->sql,
                         "UPDATE certificate SET algorithm = ?1, keyids = ?2, usable = ?3, reason = ?4,"
                         " expires = ?5, inspected = ?6, capabilities = ?7 WHERE id = ?8",
                         &stmt, err);
    if (st == STATUS_OK) {
        sql_bind_str(stmt, 1, c->algorithm);
        sql_bind_span(stmt, 2, buf_span(&keyids));
        sql_bind_int(stmt, 3, c->usable);
        sql_bind_str(stmt, 4, c->reason);
        sql_bind_int(stmt, 5, c->expires);
        sql_bind_int(stmt, 6, now);
        sql_bind_int(stmt, 7, c->capabilities);
        sql_bind_int(stmt, 8, id);
        st = sql_run(stmt, err);
    }
    buf_free(&keyids);
    return st;
}

enum status record_put(struct keystore *ks, const struct finding *finding, int64_t now,
                       const struct smime_certificates *intermediates, int64_t *id_out, bool *known_out,
                       struct error *err)
{
    const struct certificate *c = &finding->certificate;
    enum status st = make_row(ks, c->fingerprint, id_out, known_out, err);

    if (st == STATUS_OK)
        st = put_identity(ks, c, *id_out, now, err);
    if (st == STATUS_OK)
        st = put_judgement(ks, c, *id_out, now, err);
    if (st == STATUS_OK)
        st = put_addresses(ks, *id_out, finding, err);
    if (st == STATUS_OK)
        st = put_intermediates(ks, *id_out, intermediates, err);
    return st;
}

static enum status put_names(struct keystore *ks, const struct certificate *c, int64_t id, struct error *err)
{
    struct sql_stmt *stmt;
    enum status st =
        sql_prepare(ks->sql, "UPDATE certificate SET name = ?1, addresses = ?2 WHERE id = ?3", &stmt, err);

    if (st != STATUS_OK)
        return st;
    sql_bind_str(stmt, 1, c->name);
    sql_bind_str(stmt, 2, c->addresses);
    sql_bind_int(stmt, 3, id);
    return sql_run(stmt, err);
}

enum status record_update(struct keystore *ks, int64_t id, const struct finding *finding, int64_t now,
                          struct error *err)
{
    enum status st = put_judgement(ks, &finding->certificate, id, now, err);

    if (st != STATUS_OK || finding->n_keys == 0)
        return st;
    st = put_names(ks, &finding->certificate, id, err);
    return st == STATUS_OK ? put_addresses(ks, id, finding, err) : st;
}

enum status record_bind(struct keystore *ks, int64_t id, const char *domain, struct error *err)
{
    struct sql_stmt *stmt;
    enum status st = sql_prepare(
        ks->sql, "INSERT INTO domain (certificate, domain) VALUES (?1, ?2) ON CONFLICT DO NOTHING", &stmt,
        err);

    if (st != STATUS_OK)
        return st;
    sql_bind_int(stmt, 1, id);
    sql_bind_str(stmt, 2, domain);
    st = sql_run(stmt, err);
    return st == STATUS_OK
               ? check_crowd(ks, "SELECT COUNT(*) FROM domain WHERE domain = ?1", domain, domain, err)
               : st;
}

enum status record_mail(struct keystore *ks, int64_t id, unsigned capabilities, int64_t signed_at,
                        struct error *err)
{
    struct sql_stmt *stmt;
    enum status st = sql_prepare(ks->sql,
                                 "UPDATE certificate SET mail_capabilities = ?1, mail_signed = ?2"
                                 " WHERE id = ?3 AND mail_signed <= ?2",
                                 &stmt, err);

    if (st != STATUS_OK)
        return st;
    sql_bind_int(stmt, 1, capabilities);
    sql_bind_int(stmt, 2, signed_at);
    sql_bind_int(stmt, 3, id);
    return sql_run(stmt, err);
}

enum status record_pin(struct keystore *ks, int64_t id, bool pinned, struct error *err)
{
    struct sql_stmt *stmt;
    enum status st = sql_prepare(ks->sql, "UPDATE certificate SET pinned = ?1 WHERE id = ?2", &stmt, err);

    if (st != STATUS_OK)
        return st;
    sql_bind_int(stmt, 1, pinned);
    sql_bind_int(stmt, 2, id);
    return sql_run(stmt, err);
}

enum status record_delete(struct keystore *ks, int64_t id, struct error *err)
{
    return delete_of(ks, "DELETE FROM certificate WHERE id = ?1", id, err);
}
