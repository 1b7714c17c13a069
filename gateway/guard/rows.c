/*
 * What is remembered, in one bounded table per kind. Strangers choose many of the names (A20): a flood of new
 * ones pushes out the oldest that are not blocked, of the same kind only, and blocked ones last.
 */
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/guard/guard_private.h"

#define DAY_MS INT64_C(86400000)
/* No check of a password takes longer. Should the end of one ever get lost, it does not count for ever. */
#define ATTEMPT_MS INT64_C(120000)

struct kind_info {
    const char *word;
    size_t rows_max;
    int64_t keep_ms; /* without a new event; 0: as long as the window */
};

static const struct kind_info kinds[KINDS] = {
    [KIND_ADDRESS] = {"address", 32768},
    [KIND_NETWORK] = {"network", 32768},
    [KIND_USER] = {"user", 16384},
    [KIND_KNOWN] = {"known", 32768, 180 * DAY_MS},
    [KIND_CLEAR] = {"clear", 4096, 30 * DAY_MS},
    [KIND_USER_MESSAGES] = {"user-messages", 32768},
    [KIND_USER_RECIPIENTS] = {"user-recipients", 32768},
    [KIND_CLIENT_MESSAGES] = {"client-messages", 1024},
    [KIND_CLIENT_RECIPIENTS] = {"client-recipients", 1024},
    [KIND_ADDRESS_MESSAGES] = {"address-messages", 32768},
    [KIND_ADDRESS_RECIPIENTS] = {"address-recipients", 32768},
};

const char *kind_word(enum kind kind)
{
    return kinds[kind].word;
}

enum kind kind_of_word(const char *word)
{
    enum kind kind = 0;
    while (kind < KINDS && strcmp(kinds[kind].word, word) != 0)
        kind++;
    return kind;
}

void rows_init(struct guard *guard)
{
    TAILQ_INIT(&guard->to_write);
    for (size_t i = 0; i < KINDS; i++) {
        TAILQ_INIT(&guard->tables[i].idle);
        TAILQ_INIT(&guard->tables[i].blocked);
    }
}

static void row_free(struct row *row)
{
    free(row->detail);
    free(row);
}

/* ---- the list of what must be written ---- */

void rows_dirty(struct guard *guard, struct row *row)
{
    if (row->dirty)
        return;
    row->dirty = true;
    TAILQ_INSERT_TAIL(&guard->to_write, row, to_write);
    guard->n_to_write++;
}

static void clean(struct guard *guard, struct row *row)
{
    if (!row->dirty)
        return;
    row->dirty = false;
    TAILQ_REMOVE(&guard->to_write, row, to_write);
    guard->n_to_write--;
}

void rows_written(struct guard *guard, struct row *row)
{
    clean(guard, row);
    row->stored = !row->dead;
    if (row->dead)
        row_free(row);
}

static void list_all_dirty(struct guard *guard, struct row_list *list)
{
    struct row *row;
    TAILQ_FOREACH(row, list, by_age)
    {
        row->stored = false;
        rows_dirty(guard, row);
    }
}

void rows_all_dirty(struct guard *guard)
{
    struct row *row = TAILQ_FIRST(&guard->to_write);
    while (row) {
        struct row *next = TAILQ_NEXT(row, to_write);
        if (row->dead)
            rows_written(guard, row);
        row = next;
    }
    for (size_t i = 0; i < KINDS; i++) {
        list_all_dirty(guard, &guard->tables[i].idle);
        list_all_dirty(guard, &guard->tables[i].blocked);
    }
}

/* ---- the tables ---- */

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

static struct row *row_of_name(const char *name)
{
    return (struct row *)(void *)(uintptr_t)(name - offsetof(struct row, name));
}

static struct row_list *list_of(struct guard *guard, const struct row *row)
{
    struct table *table = &guard->tables[row->kind];
    return row->blocked_until_ms != 0 ? &table->blocked : &table->idle;
}

static void set_blocked_until(struct guard *guard, struct row *row, int64_t until_ms)
{
    TAILQ_REMOVE(list_of(guard, row), row, by_age);
    row->blocked_until_ms = until_ms;
    TAILQ_INSERT_TAIL(list_of(guard, row), row, by_age);
}

/* A clock that went back must not block for longer than a block lasts, nor keep a row for ever. */
static void settle(struct guard *guard, struct row *row, int64_t now)
{
    int64_t latest = now + guard->settings->block_ms;
    if (row->blocked_until_ms > latest)
        row->blocked_until_ms = latest;
    if (row->blocked_until_ms != 0 && row->blocked_until_ms <= now) {
        set_blocked_until(guard, row, 0);
        rows_dirty(guard, row);
    }
    if (row->last_ms > now)
        row->last_ms = now;
}

struct row *rows_find(struct guard *guard, enum kind kind, const char *name, int64_t now)
{
    char *const *found = tfind(name, &guard->tables[kind].by_name, compare);
    if (!found)
        return NULL;
    struct row *row = row_of_name(*found);
    settle(guard, row, now);
    return row;
}

void rows_drop(struct guard *guard, struct row *row)
{
    struct table *table = &guard->tables[row->kind];
    tdelete(row->name, &table->by_name, compare);
    TAILQ_REMOVE(list_of(guard, row), row, by_age);
    table->n--;
    if (row->stored) {
        row->dead = true;
        rows_dirty(guard, row);
    } else {
        clean(guard, row);
        row_free(row);
    }
}

static void make_room(struct guard *guard, enum kind kind)
{
    struct table *table = &guard->tables[kind];
    if (table->n < kinds[kind].rows_max)
        return;
    struct row *oldest = TAILQ_FIRST(&table->idle);
    rows_drop(guard, oldest ? oldest : TAILQ_FIRST(&table->blocked));
    guard->evicted++;
}

static struct row *add(struct guard *guard, enum kind kind, const char *name)
{
    struct table *table = &guard->tables[kind];
    size_t len = strlen(name);
    struct row *row = calloc(1, sizeof *row + len + 1);
    if (!row)
        return NULL;
    row->kind = kind;
    memcpy(row->name, name, len + 1);
    if (!tsearch(row->name, &table->by_name, compare)) {
        free(row);
        return NULL;
    }
    TAILQ_INSERT_TAIL(&table->idle, row, by_age);
    table->n++;
    return row;
}

struct row *rows_get(struct guard *guard, enum kind kind, const char *name, int64_t now)
{
    struct row *row = rows_find(guard, kind, name, now);
    if (row)
        return row;
    make_room(guard, kind);
    return add(guard, kind, name);
}

void rows_touch(struct guard *guard, struct row *row, int64_t now)
{
    struct row_list *list = list_of(guard, row);
    row->last_ms = now;
    TAILQ_REMOVE(list, row, by_age);
    TAILQ_INSERT_TAIL(list, row, by_age);
    rows_dirty(guard, row);
}

void rows_block(struct guard *guard, struct row *row, int64_t until_ms)
{
    set_blocked_until(guard, row, until_ms);
    rows_dirty(guard, row);
}

void rows_set_detail(struct row *row, const char *detail)
{
    free(row->detail);
    row->detail = strdup(detail);
}

/* ---- attempts ---- */

void rows_begin_attempt(struct row *row, int64_t now)
{
    row->attempts = rows_attempts(row, now) + 1;
    row->attempt_ms = now;
}

int64_t rows_attempts(const struct row *row, int64_t now)
{
    return now - row->attempt_ms > ATTEMPT_MS || now < row->attempt_ms ? 0 : row->attempts;
}

void rows_end_attempt(struct row *row)
{
    if (row->attempts > 0)
        row->attempts--;
}

/* ---- the end of rows ---- */

static bool is_useless(const struct row *row, int64_t now)
{
    int64_t keep_ms = kinds[row->kind].keep_ms;
    if (rows_attempts(row, now) > 0)
        return false;
    return row->last_ms + (keep_ms ? keep_ms : window_memory_ms(&row->window)) <= now;
}

/* From the oldest on, so that a sweep costs what it drops. */
static void sweep(struct guard *guard, struct table *table, int64_t now)
{
    struct row *row;
    while ((row = TAILQ_FIRST(&table->blocked))) {
        settle(guard, row, now);
        if (row->blocked_until_ms != 0)
            break;
    }
    while ((row = TAILQ_FIRST(&table->idle))) {
        settle(guard, row, now);
        if (!is_useless(row, now))
            break;
        rows_drop(guard, row);
    }
}

void rows_sweep(struct guard *guard, int64_t now)
{
    for (size_t i = 0; i < KINDS; i++)
        sweep(guard, &guard->tables[i], now);
}

static void list_free(struct row_list *list)
{
    struct row *row;
    while ((row = TAILQ_FIRST(list))) {
        TAILQ_REMOVE(list, row, by_age);
        row_free(row);
    }
}

static void keep_name(void *name)
{
    (void)name; /* freed with its row */
}

void rows_free(struct guard *guard)
{
    struct row *row = TAILQ_FIRST(&guard->to_write);
    while (row) {
        struct row *next = TAILQ_NEXT(row, to_write);
        if (row->dead)
            row_free(row);
        row = next;
    }
    for (size_t i = 0; i < KINDS; i++) {
        tdestroy(guard->tables[i].by_name, keep_name);
        list_free(&guard->tables[i].idle);
        list_free(&guard->tables[i].blocked);
    }
}
