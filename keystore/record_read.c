/* Reading certificates; record.c writes them. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keystore/record.h"

#define DOMAINS_TEXT_MAX (1 << 20)

static enum status no_memory(struct error *err)
{
    return error_set(err, STATUS_TEMPORARY, "out of memory for a certificate");
}

/* ---- finding ---- */

void record_ids_free(struct record_ids *ids)
{
    free(ids->items);
    *ids = (struct record_ids){0};
}

static bool push_id(struct record_ids *ids, int64_t id)
{
    int64_t *items = reallocarray(ids->items, ids->n + 1, sizeof *items);

    if (!items)
        return false;
    ids->items = items;
    ids->items[ids->n++] = id;
    return true;
}

/* All rows of a query whose first column is an id. */
static enum status collect(struct sql_stmt *stmt, struct record_ids *ids_out, struct error *err)
{
    enum status st;
    bool row;

    *ids_out = (struct record_ids){0};
    while ((st = sql_step(stmt, &row, err)) == STATUS_OK && row) {
        if (!push_id(ids_out, sql_col_int(stmt, 0))) {
            sql_reset(stmt);
            st = no_memory(err);
            break;
        }
    }
    if (st != STATUS_OK)
        record_ids_free(ids_out);
    return st;
}

enum status record_find_address(struct keystore *ks, const struct address_keys *keys,
                                struct record_ids *ids_out, struct error *err)
{
    struct sql_stmt *stmt;
    enum status st = sql_prepare(ks->sql,
                                 "SELECT DISTINCT certificate FROM address"
                                 " WHERE folded = ?1 AND (?2 = 0 OR exact = ?3)",
                                 &stmt, err);

    *ids_out = (struct record_ids){0};
    if (st != STATUS_OK)
        return st;
    sql_bind_str(stmt, 1, keys->folded);
    sql_bind_int(stmt, 2, ks->case_sensitive);
    sql_bind_str(stmt, 3, keys->exact);
    return collect(stmt, ids_out, err);
}

enum status record_find_domain(struct keystore *ks, const char *domain, struct record_ids *ids_out,
                               struct error *err)
{
    struct sql_stmt *stmt;
    enum status st = sql_prepare(ks->sql, "SELECT certificate FROM domain WHERE domain = ?1", &stmt, err);

    *ids_out = (struct record_ids){0};
    if (st != STATUS_OK)
        return st;
    sql_bind_str(stmt, 1, domain);
    return collect(stmt, ids_out, err);
}

enum status record_find_pinned_before(struct keystore *ks, const char *fingerprint,
                                      struct record_ids *ids_out, struct error *err)
{
    struct sql_stmt *stmt;
    enum status st = sql_prepare(
        ks->sql,
        "SELECT p.id FROM certificate c JOIN certificate p ON p.format = c.format AND p.id <> c.id"
        " WHERE c.fingerprint = ?1 AND c.pinned = 0 AND p.pinned = 1 AND ("
        " EXISTS (SELECT 1 FROM address a JOIN address b ON b.folded = a.folded"
        "  WHERE a.certificate = c.id AND b.certificate = p.id AND (?2 = 0 OR a.exact = b.exact))"
        " OR EXISTS (SELECT 1 FROM domain d JOIN domain e ON e.domain = d.domain"
        "  WHERE d.certificate = c.id AND e.certificate = p.id))",
        &stmt, err);

    *ids_out = (struct record_ids){0};
    if (st != STATUS_OK)
        return st;
    sql_bind_str(stmt, 1, fingerprint);
    sql_bind_int(stmt, 2, ks->case_sensitive);
    return collect(stmt, ids_out, err);
}

enum status record_find_all(struct keystore *ks, struct record_ids *ids_out, struct error *err)
{
    struct sql_stmt *stmt;
    enum status st = sql_prepare(ks->sql, "SELECT id FROM certificate", &stmt, err);

    *ids_out = (struct record_ids){0};
    return st == STATUS_OK ? collect(stmt, ids_out, err) : st;
}

enum status record_find_fingerprint(struct keystore *ks, const char *hex, struct record_ids *ids_out,
                                    struct error *err)
{
    struct sql_stmt *stmt;
    char pattern[CERTIFICATE_FINGERPRINT_SIZE + 1];
    enum status st = sql_prepare(ks->sql, "SELECT id FROM certificate WHERE fingerprint LIKE ?1", &stmt, err);

    *ids_out = (struct record_ids){0};
    if (st != STATUS_OK)
        return st;
    snprintf(pattern, sizeof pattern, "%%%s", hex);
    sql_bind_str(stmt, 1, pattern);
    return collect(stmt, ids_out, err);
}

/* ---- loading ---- */

static void read_str(struct sql_stmt *stmt, int column, char *out, size_t size)
{
    const char *text = sql_col_str(stmt, column);

    snprintf(out, size, "%s", text ? text : "");
}

static void read_keyids(const char *text, struct certificate *c)
{
    char *end;

    for (const char *at = text ? text : ""; *at && c->n_keyids < CERTIFICATE_KEYIDS_MAX; at = end) {
        uint64_t keyid = strtoull(at, &end, 16);
        if (end == at)
            return;
        c->keyids[c->n_keyids++] = keyid;
        end += strspn(end, " ");
    }
}

static enum status read_row(struct sql_stmt *stmt, bool with_bytes, struct certificate *c, struct error *err)
{
    const char *name = sql_col_str(stmt, 5), *addresses = sql_col_str(stmt, 6);

    *c = (struct certificate){.format = (enum certificate_format)sql_col_int(stmt, 0),
                              .usable = sql_col_int(stmt, 7) != 0,
                              .added = sql_col_int(stmt, 9),
                              .expires = sql_col_int(stmt, 10)};
    read_str(stmt, 1, c->fingerprint, sizeof c->fingerprint);
    read_str(stmt, 2, c->source, sizeof c->source);
    read_str(stmt, 3, c->algorithm, sizeof c->algorithm);
    read_keyids(sql_col_str(stmt, 4), c);
    read_str(stmt, 8, c->reason, sizeof c->reason);
    c->pinned = sql_col_int(stmt, 13) != 0;
    /* What a mail tells is younger, and of the program, not of the certificate (RFC 4262 §3). */
    c->capabilities = (unsigned)sql_col_int(stmt, sql_col_int(stmt, 16) != 0 ? 15 : 14);
    c->worked_ms = sql_col_int(stmt, 17);
    buf_init(&c->bytes, KEYSTORE_BYTES_MAX);
    if (with_bytes)
        buf_append_span(&c->bytes, sql_col_blob(stmt, 12));
    c->addresses = strdup(addresses ? addresses : "");
    c->name = name ? strdup(name) : NULL;
    if (c->bytes.failed || !c->addresses || (name && !c->name)) {
        certificate_free(c);
        return no_memory(err);
    }
    return STATUS_OK;
}

/* NULL when it is bound to none. */
static enum status load_domains(struct keystore *ks, int64_t id, char **domains_out, struct error *err)
{
    struct sql_stmt *stmt;
    struct buf text;
    bool row;
    enum status st =
        sql_prepare(ks->sql, "SELECT domain FROM domain WHERE certificate = ?1 ORDER BY domain", &stmt, err);

    *domains_out = NULL;
    if (st != STATUS_OK)
        return st;
    sql_bind_int(stmt, 1, id);
    buf_init(&text, DOMAINS_TEXT_MAX);
    while ((st = sql_step(stmt, &row, err)) == STATUS_OK && row)
        buf_printf(&text, "%s%s", text.len ? ", " : "", sql_col_str(stmt, 0));
    if (st == STATUS_OK)
        st = buf_check(&text, "the domains of a certificate", err);
    if (st == STATUS_OK && text.len > 0 && !(*domains_out = strdup(buf_str(&text))))
        st = no_memory(err);
    buf_free(&text);
    return st;
}

enum status record_load(struct keystore *ks, int64_t id, bool with_bytes, struct certificate *certificate_out,
                        int64_t *inspected_out, struct error *err)
{
    struct sql_stmt *stmt;
    bool row;
    enum status st = sql_prepare(ks->sql,
                                 "SELECT format, fingerprint, source, algorithm, keyids, name, addresses,"
                                 " usable, reason, added, expires, inspected, bytes, pinned,"
                                 " capabilities, mail_capabilities, mail_signed, worked_ms"
                                 " FROM certificate WHERE id = ?1",
                                 &stmt, err);

    if (st != STATUS_OK)
        return st;
    sql_bind_int(stmt, 1, id);
    st = sql_step(stmt, &row, err);
    if (st != STATUS_OK)
        return st;
    if (!row)
        return error_set(err, STATUS_NOT_FOUND, "the certificate is not in the keystore any more");
    st = read_row(stmt, with_bytes, certificate_out, err);
    if (inspected_out)
        *inspected_out = sql_col_int(stmt, 11);
    sql_reset(stmt);
    if (st == STATUS_OK) {
        st = load_domains(ks, id, &certificate_out->domains, err);
        if (st != STATUS_OK)
            certificate_free(certificate_out);
    }
    return st;
}

enum status record_load_list(struct keystore *ks, const struct record_ids *ids, bool with_bytes,
                             struct certificate_list *list, struct error *err)
{
    for (size_t i = 0; i < ids->n; i++) {
        struct certificate c;
        enum status st = record_load(ks, ids->items[i], with_bytes, &c, NULL, err);
        if (st == STATUS_OK && (st = certificate_list_push(list, &c, err)) != STATUS_OK)
            certificate_free(&c);
        if (st != STATUS_OK)
            return st;
    }
    return STATUS_OK;
}

static bool push_bytes(struct smime_certificates *list, struct span bytes)
{
    struct buf *items = reallocarray(list->items, list->n + 1, sizeof *items);

    if (!items)
        return false;
    list->items = items;
    buf_init(&items[list->n], KEYSTORE_BYTES_MAX);
    buf_append_span(&items[list->n], bytes);
    return !items[list->n++].failed;
}

enum status record_intermediates(struct keystore *ks, int64_t id,
                                 struct smime_certificates *intermediates_out, struct error *err)
{
    struct sql_stmt *stmt;
    bool row;
    enum status st = sql_prepare(
        ks->sql, "SELECT bytes FROM intermediate WHERE certificate = ?1 ORDER BY position", &stmt, err);

    *intermediates_out = (struct smime_certificates){0};
    if (st != STATUS_OK)
        return st;
    sql_bind_int(stmt, 1, id);
    while ((st = sql_step(stmt, &row, err)) == STATUS_OK && row) {
        if (!push_bytes(intermediates_out, sql_col_blob(stmt, 0))) {
            sql_reset(stmt);
            st = no_memory(err);
            break;
        }
    }
    if (st != STATUS_OK)
        smime_certificates_free(intermediates_out);
    return st;
}
