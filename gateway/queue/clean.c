#include "gateway/queue/clean.h"

#include <stdlib.h>

#include "gateway/queue/body.h"
#include "gateway/queue/rows.h"
#include "gateway/queue/schema.h"

enum status clean_replaced(struct sql *sql, int64_t copy_id, struct error *err)
{
    enum status st = body_delete(sql, copy_id, err);
    if (st == STATUS_OK)
        st = rows_run(sql, "DELETE FROM recipient WHERE copy_id = ?1", &copy_id, 1, err);
    if (st == STATUS_OK)
        st = rows_run(sql, "DELETE FROM copy WHERE id = ?1", &copy_id, 1, err);
    return st;
}

static enum status run_for(struct sql *sql, const char *text, const char *message_id, struct error *err)
{
    struct sql_stmt *stmt;
    enum status st = sql_prepare(sql, text, &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_str(stmt, 1, message_id);
    return sql_run(stmt, err);
}

static enum status delete_rows(struct sql *sql, const char *id, struct error *err)
{
    enum status st = run_for(
        sql, "DELETE FROM recipient WHERE copy_id IN (SELECT id FROM copy WHERE message_id = ?1)", id, err);
    if (st == STATUS_OK)
        st = run_for(sql, "DELETE FROM copy WHERE message_id = ?1", id, err);
    if (st == STATUS_OK)
        st = run_for(sql, "DELETE FROM message WHERE id = ?1", id, err);
    return st;
}

static enum status delete_message_of(struct sql *sql, int64_t copy_id, struct error *err)
{
    struct sql_stmt *stmt;
    bool row;
    enum status st = sql_prepare(sql, "SELECT message_id FROM copy WHERE id = ?1", &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_int(stmt, 1, copy_id);
    st = sql_step(stmt, &row, err);
    if (st != STATUS_OK || !row)
        return st;
    char *id = span_dup(span_str(sql_col_str(stmt, 0)));
    sql_reset(stmt);
    st = id ? delete_rows(sql, id, err) : error_set(err, STATUS_TEMPORARY, "out of memory");
    free(id);
    return st;
}

enum status clean_copy(struct sql *sql, int64_t copy_id, struct error *err)
{
    int64_t open = 0;
    enum status st =
        rows_ask(sql, "SELECT COUNT(*) FROM recipient WHERE copy_id = ?1 AND state NOT IN " SQL_FINAL_STATES,
                 &copy_id, 1, &open, err);
    if (st != STATUS_OK || open > 0)
        return st;
    st = body_delete(sql, copy_id, err);
    if (st == STATUS_OK)
        st = rows_ask(sql,
                      "SELECT COUNT(*) FROM recipient WHERE copy_id IN (SELECT id FROM copy WHERE message_id "
                      "= (SELECT message_id FROM copy WHERE id = ?1)) AND state NOT IN " SQL_FINAL_STATES,
                      &copy_id, 1, &open, err);
    if (st != STATUS_OK || open > 0)
        return st;
    return delete_message_of(sql, copy_id, err);
}
