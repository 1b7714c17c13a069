#include "keystore/prefer.h"

#include <stdio.h>

/* "@domain" as the key of a preference. */
static void domain_keys(const char *domain, struct address_keys *keys_out)
{
    snprintf(keys_out->exact, sizeof keys_out->exact, "@%s", domain);
    snprintf(keys_out->folded, sizeof keys_out->folded, "@%s", domain);
}

/* ---- finding ---- */

static enum status find_one(struct keystore *ks, const struct address_keys *keys,
                            enum certificate_format *format_out, struct error *err)
{
    struct sql_stmt *stmt;
    bool row;
    enum status st = sql_prepare(
        ks->sql, "SELECT format FROM preference WHERE folded = ?1 AND (?2 = 0 OR exact = ?3)", &stmt, err);

    if (st != STATUS_OK)
        return st;
    sql_bind_str(stmt, 1, keys->folded);
    sql_bind_int(stmt, 2, ks->case_sensitive);
    sql_bind_str(stmt, 3, keys->exact);
    st = sql_step(stmt, &row, err);
    if (st == STATUS_OK && row) {
        *format_out = sql_col_int(stmt, 0) == CERTIFICATE_SMIME ? CERTIFICATE_SMIME : CERTIFICATE_OPENPGP;
        sql_reset(stmt);
    }
    return st;
}

enum status preference_find(struct keystore *ks, const struct address_keys *keys,
                            enum certificate_format *format_out, struct error *err)
{
    struct address_keys plain = *keys, domain;
    enum certificate_format format = 0;
    enum status st = find_one(ks, keys, &format, err);

    if (st == STATUS_OK && !format && address_keys_drop_tag(&plain))
        st = find_one(ks, &plain, &format, err);
    domain_keys(address_keys_domain(keys), &domain);
    if (st == STATUS_OK && !format)
        st = find_one(ks, &domain, &format, err);
    *format_out = format;
    return st;
}

/* ---- setting ---- */

static enum status read_keys(const char *address, struct address_keys *keys_out, struct error *err)
{
    char domain[DOMAIN_KEY_SIZE];

    if (address[0] != '@')
        return address_keys_make(address, keys_out, err);
    enum status st = address_domain_key(address, domain, err);
    if (st == STATUS_OK)
        domain_keys(domain, keys_out);
    return st;
}

static enum status forget(struct keystore *ks, const struct address_keys *keys, struct error *err)
{
    struct sql_stmt *stmt;
    enum status st = sql_prepare(
        ks->sql, "DELETE FROM preference WHERE folded = ?1 AND (?2 = 0 OR exact = ?3)", &stmt, err);

    if (st != STATUS_OK)
        return st;
    sql_bind_str(stmt, 1, keys->folded);
    sql_bind_int(stmt, 2, ks->case_sensitive);
    sql_bind_str(stmt, 3, keys->exact);
    return sql_run(stmt, err);
}

static enum status insert(struct keystore *ks, const struct address_keys *keys,
                          enum certificate_format format, struct error *err)
{
    struct sql_stmt *stmt;
    enum status st = sql_prepare(
        ks->sql, "INSERT INTO preference (exact, folded, format) VALUES (?1, ?2, ?3)", &stmt, err);

    if (st != STATUS_OK)
        return st;
    sql_bind_str(stmt, 1, keys->exact);
    sql_bind_str(stmt, 2, keys->folded);
    sql_bind_int(stmt, 3, format);
    return sql_run(stmt, err);
}

enum status keystore_prefer(struct keystore *ks, const char *address, enum certificate_format format,
                            struct error *err)
{
    struct address_keys keys;
    enum status st = read_keys(address, &keys, err);

    if (st == STATUS_OK)
        st = sql_begin(ks->sql, err);
    if (st != STATUS_OK)
        return st;
    st = forget(ks, &keys, err);
    if (st == STATUS_OK && format)
        st = insert(ks, &keys, format, err);
    if (st == STATUS_OK)
        st = sql_commit(ks->sql, err);
    if (st != STATUS_OK)
        sql_rollback(ks->sql);
    return st;
}
