/* Shared by the files of this folder only. */
#ifndef SEALGATE_GUARD_GUARD_PRIVATE_H
#define SEALGATE_GUARD_GUARD_PRIVATE_H

#include <sys/queue.h>

#include "gateway/guard/guard.h"
#include "gateway/guard/window.h"

struct sql;

enum kind {
    KIND_ADDRESS, /* failed logins */
    KIND_NETWORK,
    KIND_USER,
    KIND_KNOWN, /* by user: where the user logged in from */
    KIND_CLEAR, /* by address: tries without TLS */
    KIND_USER_MESSAGES,
    KIND_USER_RECIPIENTS,
    KIND_CLIENT_MESSAGES,
    KIND_CLIENT_RECIPIENTS,
    KIND_ADDRESS_MESSAGES,
    KIND_ADDRESS_RECIPIENTS,
    KINDS,
};

struct row {
    TAILQ_ENTRY(row) by_age;   /* in one of the lists of its table */
    TAILQ_ENTRY(row) to_write; /* when dirty */
    enum kind kind;
    bool dirty;  /* not as in the database: waits to be written */
    bool stored; /* the database has a row for it */
    bool dead;   /* in no table any more: waits to be deleted from the database */
    struct window window;
    int64_t total; /* KIND_CLEAR */
    int64_t last_ms;
    int64_t blocked_until_ms; /* 0: not blocked */
    int64_t attempts;         /* logins that are being checked; not stored */
    int64_t attempt_ms;       /* when the last of them began */
    char *detail;             /* owned, may be NULL */
    char name[];
};

TAILQ_HEAD(row_list, row);

/* Of one kind. A row is in IDLE or, when it is blocked, in BLOCKED, the oldest first. */
struct table {
    void *by_name; /* tsearch(3) tree of row names: no choice of names makes it slow */
    struct row_list idle, blocked;
    size_t n;
};

struct guard {
    const struct guard_settings *settings;
    struct table tables[KINDS];
    struct row_list to_write;
    size_t n_to_write;
    int64_t evicted; /* since it was last logged */
    struct sql *sql; /* NULL: it could not be opened; tried again by each tick */
    bool store_failing;
};

/* ---- rows.c ---- */

const char *kind_word(enum kind kind);
/* KINDS: there is none of that name. */
enum kind kind_of_word(const char *word);

void rows_init(struct guard *guard);
void rows_free(struct guard *guard);

/* With what NOW has changed: a block that is over, a clock that went back. NULL: none there. */
struct row *rows_find(struct guard *guard, enum kind kind, const char *name, int64_t now);

/* The one there is, or a new one, in place of the oldest of its kind where there are too many. NULL: out of
 * memory. */
struct row *rows_get(struct guard *guard, enum kind kind, const char *name, int64_t now);

/* An attempt to log in begins; how many there are; one is over. */
void rows_begin_attempt(struct row *row, int64_t now);
int64_t rows_attempts(const struct row *row, int64_t now);
void rows_end_attempt(struct row *row);

/* Something happened: the row is the newest of its kind, and is written soon. */
void rows_touch(struct guard *guard, struct row *row, int64_t now);
void rows_block(struct guard *guard, struct row *row, int64_t until_ms);
void rows_drop(struct guard *guard, struct row *row);

/* Replaces the detail; out of memory: none. */
void rows_set_detail(struct row *row, const char *detail);

/* Drops what is of no more use at NOW, and ends blocks that are over. */
void rows_sweep(struct guard *guard, int64_t now);

/* Waits to be written, if it does not already. */
void rows_dirty(struct guard *guard, struct row *row);
/* As in the database now; a dead one is freed. */
void rows_written(struct guard *guard, struct row *row);
/* The database is a new one: all must be written. */
void rows_all_dirty(struct guard *guard);

/* ---- store.c ---- */

/* Opens the database and adds what is in it. A damaged one is moved aside. STATUS_DENIED: file or folder have
 * the wrong owner or mode; all else that fails is logged, and tried again by store_write. */
MUST_USE enum status store_open(struct guard *guard, int64_t now, struct error *err);
void store_close(struct guard *guard);

/* Writes ROW now. Failures are logged, and tried again by store_write; until that succeeds, it alone tries,
 * so that guessing does not have the loop wait for a locked database or a bad disk each time (A20). */
void store_write_now(struct guard *guard, struct row *row, int64_t now);

/* Writes what is dirty, a bounded number of rows. */
void store_write(struct guard *guard, int64_t now);

/* ---- names.c ---- */

#define NAME_SIZE 324

/* The form in which user names are counted: of spellings that a backend may take for one name, one. */
void name_of_user(const char *user, char out[NAME_SIZE]);

/* The name under which KIND counts what the administrator calls NAME. */
void name_for_kind(enum kind kind, const char *name, char out[NAME_SIZE]);

#endif
