#include "gateway/queue/rows.h"

#include <stdlib.h>

static enum status prepare(struct sql *sql, const char *text, const int64_t *values, size_t n,
                           struct sql_stmt **stmt_out, struct error *err)
{
    enum status st = sql_prepare(sql, text, stmt_out, err);

    for (size_t i = 0; st == STATUS_OK && i < n; i++)
        sql_bind_int(*stmt_out, (int)i + 1, values[i]);
    return st;
}

enum status rows_run(struct sql *sql, const char *text, const int64_t *values, size_t n, struct error *err)
{
    struct sql_stmt *stmt;
    enum status st = prepare(sql, text, values, n, &stmt, err);
    return st == STATUS_OK ? sql_run(stmt, err) : st;
}

enum status rows_ask(struct sql *sql, const char *text, const int64_t *values, size_t n, int64_t *answer_out,
                     struct error *err)
{
    struct sql_stmt *stmt;
    bool row;
    enum status st = prepare(sql, text, values, n, &stmt, err);

    *answer_out = 0;
    if (st == STATUS_OK)
        st = sql_step(stmt, &row, err);
    if (st == STATUS_OK && row) {
        *answer_out = sql_col_int(stmt, 0);
        sql_reset(stmt);
    }
    return st;
}

enum status rows_add(struct row_ids *list, int64_t id, struct error *err)
{
    /* Grows at powers of two. */
    if ((list->n & (list->n - 1)) == 0) {
        int64_t *ids = reallocarray(list->ids, list->n ? list->n * 2 : 1, sizeof *ids);
        if (!ids)
            return error_set(err, STATUS_TEMPORARY, "out of memory for a list of %zu rows", list->n);
        list->ids = ids;
    }
    list->ids[list->n++] = id;
    return STATUS_OK;
}

enum status rows_list(struct sql *sql, const char *text, const int64_t *values, size_t n,
                      struct row_ids *list_out, struct error *err)
{
    struct sql_stmt *stmt;
    bool row = false;
    *list_out = (struct row_ids){0};
    enum status st = prepare(sql, text, values, n, &stmt, err);
    if (st != STATUS_OK)
        return st;
    for (st = sql_step(stmt, &row, err); st == STATUS_OK && row; st = sql_step(stmt, &row, err)) {
        st = rows_add(list_out, sql_col_int(stmt, 0), err);
        if (st != STATUS_OK)
            break;
    }
    sql_reset(stmt);
    if (st != STATUS_OK) {
        free(list_out->ids);
        *list_out = (struct row_ids){0};
    }
    return st;
}

enum status rows_list_for(struct sql *sql, const char *text, const char *value, struct row_ids *ids_out,
                          struct error *err)
{
    struct sql_stmt *stmt;
    bool row = false;
    *ids_out = (struct row_ids){0};
    enum status st = sql_prepare(sql, text, &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_str(stmt, 1, value);
    for (st = sql_step(stmt, &row, err); st == STATUS_OK && row; st = sql_step(stmt, &row, err)) {
        st = rows_add(ids_out, sql_col_int(stmt, 0), err);
        if (st != STATUS_OK)
            break;
    }
    sql_reset(stmt);
    if (st != STATUS_OK) {
        free(ids_out->ids);
        *ids_out = (struct row_ids){0};
    }
    return st;
}
