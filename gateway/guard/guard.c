#include "gateway/guard/guard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/guard/address.h"
#include "gateway/guard/guard_private.h"

#define DETAIL_SIZE 320

enum status guard_open(const struct guard_settings *settings, int64_t now, struct guard **guard_out,
                       struct error *err)
{
    struct guard *guard = calloc(1, sizeof *guard);
    *guard_out = NULL;
    if (!guard)
        return error_set(err, STATUS_TEMPORARY, "out of memory for the counts of clients");
    guard->settings = settings;
    rows_init(guard);
    enum status st = store_open(guard, now, err);
    if (st != STATUS_OK) {
        guard_close(guard);
        return st;
    }
    *guard_out = guard;
    return STATUS_OK;
}

void guard_close(struct guard *guard)
{
    if (!guard)
        return;
    rows_free(guard);
    store_close(guard);
    free(guard);
}

void guard_tick(struct guard *guard, int64_t now)
{
    struct log_line line;
    rows_sweep(guard, now);
    store_write(guard, now);
    if (guard->evicted == 0)
        return;
    log_start(&line, guard->settings->log, LOG_LEVEL_WARNING, "guard-full");
    log_int(&line, "forgotten", guard->evicted);
    log_end(&line);
    guard->evicted = 0;
}

/* ---- tries without TLS ---- */

static void log_clear(const struct guard *guard, const struct row *row, const char *verb, const char *helo)
{
    struct log_line line;
    log_start(&line, guard->settings->log, LOG_LEVEL_NOTICE, "tried-in-clear");
    log_str(&line, "client", row->name);
    log_str(&line, "verb", verb);
    log_str(&line, "helo", helo);
    log_int(&line, "count", row->total);
    log_end(&line);
}

void guard_tried_in_clear(struct guard *guard, const char *address_text, const char *verb, const char *helo,
                          int64_t now)
{
    struct address address;
    char detail[DETAIL_SIZE];
    address_read(address_text, &address);
    struct row *row = rows_get(guard, KIND_CLEAR, address.host, now);
    if (!row)
        return;
    snprintf(detail, sizeof detail, helo ? "%s %s" : "%s", verb, helo);
    rows_set_detail(row, detail);
    if (row->total < INT64_MAX)
        row->total++;
    rows_touch(guard, row, now);
    log_clear(guard, row, verb, helo);
}

/* ---- for the administrator ---- */

static bool is_selected(const struct row *row, enum guard_select select)
{
    if (row->last_ms == 0) /* an attempt in hand */
        return false;
    switch (select) {
    case GUARD_ALL:
        return true;
    case GUARD_BLOCKED:
        return row->blocked_until_ms != 0;
    case GUARD_CLEAR:
        return row->kind == KIND_CLEAR;
    }
    return false;
}

static size_t collect(const struct row_list *list, enum guard_select select, const struct row **rows)
{
    const struct row *row;
    size_t n = 0;
    TAILQ_FOREACH(row, list, by_age)
    {
        if (is_selected(row, select))
            rows[n++] = row;
    }
    return n;
}

/* The blocked before the others, the most recent first. */
static int by_interest(const void *a, const void *b)
{
    const struct row *x = *(const struct row *const *)a, *y = *(const struct row *const *)b;
    bool x_blocked = x->blocked_until_ms != 0, y_blocked = y->blocked_until_ms != 0;
    if (x_blocked != y_blocked)
        return x_blocked ? -1 : 1;
    return (x->last_ms < y->last_ms) - (x->last_ms > y->last_ms);
}

static struct guard_row describe(const struct row *row)
{
    return (struct guard_row){
        .kind = kind_word(row->kind),
        .name = row->name,
        .detail = row->detail,
        .count = row->kind == KIND_CLEAR ? row->total : window_sum(&row->window),
        .last_ms = row->last_ms,
        .blocked_until_ms = row->blocked_until_ms,
    };
}

enum status guard_each(struct guard *guard, enum guard_select select, size_t max, int64_t now,
                       void (*each)(void *arg, const struct guard_row *row), void *arg, struct error *err)
{
    size_t n = 0;
    rows_sweep(guard, now);
    for (size_t i = 0; i < KINDS; i++)
        n += guard->tables[i].n;
    const struct row **rows = calloc(n + 1, sizeof *rows);
    if (!rows)
        return error_set(err, STATUS_TEMPORARY, "out of memory for a list of %zu rows", n);
    n = 0;
    for (size_t i = 0; i < KINDS; i++) {
        n += collect(&guard->tables[i].blocked, select, rows + n);
        n += collect(&guard->tables[i].idle, select, rows + n);
    }
    qsort(rows, n, sizeof *rows, by_interest);
    for (size_t i = 0; i < n && i < max; i++) {
        struct guard_row row = describe(rows[i]);
        each(arg, &row);
    }
    free(rows);
    return STATUS_OK;
}

enum status guard_forget(struct guard *guard, const char *kind_text, const char *name_text, int64_t now,
                         struct error *err)
{
    char name[NAME_SIZE];
    enum kind kind = kind_of_word(kind_text);
    if (kind == KINDS)
        return error_set(err, STATUS_INVALID, "nothing of kind \"%.40s\" is counted", kind_text);
    name_for_kind(kind, name_text, name);
    struct row *row = rows_find(guard, kind, name, now);
    if (!row)
        return error_set(err, STATUS_NOT_FOUND, "nothing is counted for %s \"%.200s\"", kind_text, name_text);
    struct log_line line;
    log_start(&line, guard->settings->log, LOG_LEVEL_NOTICE, "guard-forgotten");
    log_str(&line, "kind", kind_word(kind));
    log_str(&line, "name", name);
    log_end(&line);
    rows_drop(guard, row);
    store_write(guard, now);
    return STATUS_OK;
}
