/* Shorthands for statements whose values are all integers. */
#ifndef SEALGATE_QUEUE_ROWS_H
#define SEALGATE_QUEUE_ROWS_H

#include <stddef.h>

#include "base/sql.h"

/* Runs TEXT (static) with VALUES bound to ?1 …. */
MUST_USE enum status rows_run(struct sql *sql, const char *text, const int64_t *values, size_t n,
                              struct error *err);

/* First column of the first row; 0 when it is NULL or there is no row. */
MUST_USE enum status rows_ask(struct sql *sql, const char *text, const int64_t *values, size_t n,
                              int64_t *answer_out, struct error *err);

struct row_ids {
    int64_t *ids; /* owned; free() */
    size_t n;
};

/* First column of every row, as many as the statement gives. */
MUST_USE enum status rows_list(struct sql *sql, const char *text, const int64_t *values, size_t n,
                               struct row_ids *list_out, struct error *err);

/* The same with one text VALUE. */
MUST_USE enum status rows_list_for(struct sql *sql, const char *text, const char *value,
                                   struct row_ids *list_out, struct error *err);

/* Adds one; STATUS_TEMPORARY: out of memory. */
MUST_USE enum status rows_add(struct row_ids *list, int64_t id, struct error *err);

#endif
