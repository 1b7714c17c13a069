#include "gateway/queue/hold.h"

#include <stdlib.h>

#include "gateway/queue/audit.h"
#include "gateway/queue/lease.h"
#include "gateway/queue/reach.h"
#include "gateway/queue/schema.h"

enum status hold_due(struct sql *sql, int64_t now_ms, size_t max, struct row_ids *ids_out, struct error *err)
{
    const int64_t values[] = {now_ms, (int64_t)max};
    return rows_list(sql, "SELECT id FROM copy WHERE recheck_ms <= ?1 ORDER BY recheck_ms LIMIT ?2", values,
                     2, ids_out, err);
}

enum status hold_next_due(struct sql *sql, int64_t now_ms, int64_t *next_ms_out, struct error *err)
{
    int64_t recheck = 0;
    int64_t expiry = 0;
    enum status st =
        rows_ask(sql, "SELECT MIN(recheck_ms) FROM copy WHERE recheck_ms > ?1", &now_ms, 1, &recheck, err);
    if (st == STATUS_OK)
        st = rows_ask(sql, "SELECT MIN(hold_until_ms) FROM copy WHERE hold_until_ms > ?1", &now_ms, 1,
                      &expiry, err);
    *next_ms_out = recheck == 0 || (expiry != 0 && expiry < recheck) ? expiry : recheck;
    return st;
}

enum status hold_recheck_at(struct sql *sql, int64_t copy_id, int64_t *recheck_ms_out, struct error *err)
{
    return rows_ask(sql, "SELECT recheck_ms FROM copy WHERE id = ?1", &copy_id, 1, recheck_ms_out, err);
}

enum status hold_postpone(struct sql *sql, int64_t copy_id, int64_t seen_ms, int64_t at_ms, struct error *err)
{
    const int64_t values[] = {copy_id, seen_ms, at_ms};
    return rows_run(sql, "UPDATE copy SET recheck_ms = ?3 WHERE id = ?1 AND recheck_ms = ?2", values, 3, err);
}

enum status hold_hasten(struct sql *sql, int64_t copy_id, int64_t now_ms, struct error *err)
{
    const int64_t values[] = {copy_id, now_ms};
    /* Never the time it has already: hold_postpone tells by it. */
    return rows_run(sql,
                    "UPDATE copy SET recheck_ms = CASE WHEN recheck_ms = ?2 THEN ?2 - 1 ELSE ?2 END "
                    "WHERE id = ?1 AND recheck_ms IS NOT NULL",
                    values, 2, err);
}

enum status hold_quarantine(struct sql *sql, const struct queue_settings *settings, int64_t copy_id,
                            const char *why, int64_t now_ms, struct error *err)
{
    struct row_ids ids;
    struct sql_stmt *stmt;
    const int64_t values[] = {copy_id, now_ms + settings->hold_ms};
    enum status st = rows_list(sql,
                               "SELECT id FROM recipient WHERE copy_id = ?1 AND (state = '" STATE_LEASED
                               "' OR hold IN " SQL_HOLDS_FOR_SEAL ") ORDER BY id",
                               &copy_id, 1, &ids, err);
    for (size_t i = 0; st == STATUS_OK && i < ids.n; i++) {
        st = sql_prepare(sql,
                         "UPDATE recipient SET state = '" STATE_HELD "', hold = '" HOLD_DAMAGED
                         "', next_ms = NULL, reason = ?2 WHERE id = ?1",
                         &stmt, err);
        if (st != STATUS_OK)
            break;
        sql_bind_int(stmt, 1, ids.ids[i]);
        sql_bind_str(stmt, 2, why);
        st = sql_run(stmt, err);
        if (st == STATUS_OK)
            st = audit_recipient(sql, now_ms, ids.ids[i], "held", NULL, err);
    }
    free(ids.ids);
    if (st == STATUS_OK)
        st = rows_run(sql, "UPDATE copy SET recheck_ms = NULL, hold_until_ms = ?2 WHERE id = ?1", values, 2,
                      err);
    if (st == STATUS_OK)
        st = lease_over(sql, copy_id, now_ms, err);
    return st == STATUS_OK ? reach_probe_ended(sql, copy_id, now_ms, err) : st;
}

enum status hold_expire(struct sql *sql, int64_t now_ms, int64_t *n_out, struct error *err)
{
    *n_out = 0;
    enum status st =
        rows_run(sql,
                 "UPDATE recipient SET state = '" STATE_QUEUED "', hold = NULL, to_return = 1, domain = '', "
                 "next_ms = ?1 "
                 "WHERE hold IN ('" HOLD_KEY "', '" HOLD_DAMAGED
                 "') AND copy_id IN (SELECT id FROM copy WHERE hold_until_ms <= ?1)",
                 &now_ms, 1, err);
    if (st != STATUS_OK)
        return st;
    *n_out = sql_changes(sql);
    return rows_run(sql, "UPDATE copy SET recheck_ms = NULL, hold_until_ms = NULL WHERE hold_until_ms <= ?1",
                    &now_ms, 1, err);
}
