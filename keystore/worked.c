/* Certificates that were seen to work. */
#include "keystore/private.h"

static enum status note(struct keystore *ks, const char *fingerprint, int64_t now_ms, struct error *err)
{
    struct sql_stmt *stmt;
    enum status st =
        sql_prepare(ks->sql, "UPDATE certificate SET worked_ms = ?1 WHERE fingerprint = ?2", &stmt, err);

    if (st != STATUS_OK)
        return st;
    sql_bind_int(stmt, 1, now_ms);
    sql_bind_str(stmt, 2, fingerprint);
    return sql_run(stmt, err);
}

enum status keystore_worked(struct keystore *ks, char *const *fingerprints, size_t n, int64_t now_ms,
                            struct error *err)
{
    enum status st = sql_begin(ks->sql, err);

    if (st != STATUS_OK)
        return st;
    for (size_t i = 0; st == STATUS_OK && i < n; i++)
        st = note(ks, fingerprints[i], now_ms, err);
    if (st == STATUS_OK)
        st = sql_commit(ks->sql, err);
    if (st != STATUS_OK)
        sql_rollback(ks->sql);
    return st;
}
