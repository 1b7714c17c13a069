#include "gateway/queue/lease.h"

#include <stdlib.h>

#include "gateway/queue/clean.h"
#include "gateway/queue/reach.h"
#include "gateway/queue/schema.h"

enum status lease_kept(struct sql *sql, const char *instance, struct row_ids *ids_out, struct error *err)
{
    return rows_list_for(sql, "SELECT id FROM copy WHERE lease_instance = ?1 ORDER BY id", instance, ids_out,
                         err);
}

enum status lease_over(struct sql *sql, int64_t copy_id, int64_t now_ms, struct error *err)
{
    const int64_t values[] = {copy_id, now_ms};
    enum status st =
        rows_run(sql, "UPDATE copy SET lease_instance = NULL WHERE id = ?1 AND lease_instance IS NOT NULL",
                 values, 1, err);
    if (st != STATUS_OK || sql_changes(sql) == 0)
        return st;
    /* The trigger lowers their lanes, which may be set aside because of the lease. */
    return rows_run(sql, "UPDATE recipient SET next_ms = next_ms WHERE copy_id = ?1 AND next_ms <= ?2",
                    values, 2, err);
}

enum status lease_end(struct sql *sql, int64_t copy_id, int64_t at_ms, struct error *err)
{
    const int64_t values[] = {copy_id, at_ms};
    enum status st = rows_run(sql,
                              "UPDATE recipient SET state = CASE WHEN attempts > 0 THEN '" STATE_DEFERRED
                              "' ELSE '" STATE_QUEUED
                              "' END, next_ms = ?2 WHERE copy_id = ?1 AND state = '" STATE_LEASED "'",
                              values, 2, err);
    if (st == STATUS_OK)
        st = lease_over(sql, copy_id, at_ms, err);
    return st == STATUS_OK ? reach_probe_ended(sql, copy_id, at_ms, err) : st;
}

enum status lease_end_of(struct sql *sql, const char *instance, bool except, int64_t at_ms, struct error *err)
{
    struct row_ids ids;
    enum status st = rows_list_for(sql,
                                   except ? "SELECT id FROM copy WHERE lease_instance <> ?1"
                                          : "SELECT id FROM copy WHERE lease_instance = ?1 ORDER BY id",
                                   instance, &ids, err);
    for (size_t i = 0; st == STATUS_OK && i < ids.n; i++)
        st = lease_end(sql, ids.ids[i], at_ms, err);
    free(ids.ids);
    return st;
}

enum status lease_settle(struct sql *sql, int64_t copy_id, int64_t now_ms, struct error *err)
{
    int64_t leased = 0;
    enum status st =
        rows_ask(sql, "SELECT COUNT(*) FROM recipient WHERE copy_id = ?1 AND state = '" STATE_LEASED "'",
                 &copy_id, 1, &leased, err);
    if (st == STATUS_OK && leased == 0)
        st = lease_over(sql, copy_id, now_ms, err);
    return st == STATUS_OK ? clean_copy(sql, copy_id, err) : st;
}
