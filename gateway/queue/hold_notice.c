/* Notices (DSNs of ours) that seal did not seal: the one for whose recipient there is no certificate goes as
 * it was written, others wait. */
#include <stdlib.h>

#include "gateway/queue/audit.h"
#include "gateway/queue/hold.h"
#include "gateway/queue/schema.h"

/* Its life begins now, as that of every copy that was held; it was stored when it was "received". */
static enum status let_go_one(struct sql *sql, int64_t recipient_id, const char *why, int64_t now_ms,
                              struct error *err)
{
    struct sql_stmt *stmt;
    enum status st = sql_prepare(
        sql,
        "UPDATE recipient SET state = '" STATE_QUEUED "', hold = NULL, next_ms = ?2, reason = ?3, "
        "expires_ms = expires_ms + ?2 - (SELECT m.received_ms FROM message m JOIN copy c "
        "ON c.message_id = m.id WHERE c.id = recipient.copy_id) WHERE id = ?1",
        &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_int(stmt, 1, recipient_id);
    sql_bind_int(stmt, 2, now_ms);
    sql_bind_str(stmt, 3, why);
    st = sql_run(stmt, err);
    return st == STATUS_OK ? audit_recipient(sql, now_ms, recipient_id, "released", NULL, err) : st;
}

enum status hold_let_go(struct sql *sql, int64_t copy_id, const char *why, int64_t now_ms, struct error *err)
{
    struct row_ids ids;
    const int64_t values[] = {copy_id, FORMAT_CLEAR};
    /* Whoever has a reverse-path wrote a message, and that never goes for want of a certificate. */
    enum status st = rows_list(sql,
                               "SELECT r.id FROM recipient r JOIN copy c ON c.id = r.copy_id "
                               "JOIN message m ON m.id = c.message_id WHERE c.id = ?1 AND c.locked = 1 "
                               "AND m.reverse_path = '' AND r.hold = '" HOLD_NOTICE "' ORDER BY r.id",
                               &copy_id, 1, &ids, err);
    if (st == STATUS_OK && ids.n == 0)
        st = error_set(err, STATUS_INVALID, "copy %lld is no notice that waits for seal", (long long)copy_id);
    for (size_t i = 0; st == STATUS_OK && i < ids.n; i++)
        st = let_go_one(sql, ids.ids[i], why, now_ms, err);
    free(ids.ids);
    return st == STATUS_OK
               ? rows_run(sql, "UPDATE copy SET format = ?2, recheck_ms = NULL WHERE id = ?1", values, 2, err)
               : st;
}

enum status hold_tell_notice(struct sql *sql, int64_t copy_id, const char *why, struct error *err)
{
    struct sql_stmt *stmt;
    enum status st = sql_prepare(
        sql, "UPDATE recipient SET reason = ?2 WHERE copy_id = ?1 AND hold = '" HOLD_NOTICE "'", &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_int(stmt, 1, copy_id);
    sql_bind_str(stmt, 2, why);
    return sql_run(stmt, err);
}
