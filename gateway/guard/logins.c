/* Failed logins: slower with each, then blocked (A20). */
#include <stdio.h>
#include <string.h>

#include "gateway/guard/address.h"
#include "gateway/guard/guard_private.h"
#include "gateway/guard/words.h"

/* Addresses that are remembered of a user. */
#define KNOWN_MAX 16
/* A login from the address that is the newest known one is written down only so often. */
#define KNOWN_REFRESH_MS 3600000

/* ---- addresses that a user logged in from ---- */

/* Is WORD one of the words of TEXT, which one space separates? */
static bool has_word(const char *text, const char *word)
{
    size_t len = strlen(word);
    for (const char *p = text; p && *p; p += strcspn(p, " "), p += *p == ' ')
        if (strncmp(p, word, len) == 0 && (p[len] == ' ' || p[len] == '\0'))
            return true;
    return false;
}

static bool is_known(struct guard *guard, const struct address *address, const char *name, int64_t now)
{
    const struct row *row = rows_find(guard, KIND_KNOWN, name, now);
    return row && row->detail && has_word(row->detail, address->client);
}

/* WORD, and then the others of TEXT, KNOWN_MAX in all. */
static void put_first(const char *word, const char *text, char out[KNOWN_MAX * ADDRESS_SIZE])
{
    size_t n = 1;
    size_t used = (size_t)snprintf(out, ADDRESS_SIZE, "%s", word);
    for (const char *p = text; p && *p && n < KNOWN_MAX; p += *p == ' ') {
        size_t len = strcspn(p, " ");
        if (len < ADDRESS_SIZE && !(len == strlen(word) && strncmp(p, word, len) == 0)) {
            used += (size_t)snprintf(out + used, ADDRESS_SIZE + 1, " %.*s", (int)len, p);
            n++;
        }
        p += len;
    }
}

void guard_login_succeeded(struct guard *guard, const char *address_text, const char *user, int64_t now)
{
    struct address address;
    char name[NAME_SIZE], list[KNOWN_MAX * ADDRESS_SIZE];
    address_read(address_text, &address);
    name_of_user(user, name);
    struct row *row = rows_get(guard, KIND_KNOWN, name, now);
    if (!row)
        return; /* out of memory: known the next time */
    put_first(address.client, row->detail, list);
    if (row->detail && strcmp(row->detail, list) == 0 && now - row->last_ms < KNOWN_REFRESH_MS)
        return;
    rows_set_detail(row, list);
    rows_touch(guard, row, now);
}

/* ---- what is counted ---- */

/* The rows that a failure from ADDRESS for the user NAME counts in; NAME NULL: address and network alone. */
struct count {
    enum kind kind;
    const char *name;
    const struct guard_rate *rate;
    const char *shown; /* for the client */
};

#define COUNTS_MAX 3

static size_t counts_of(const struct guard *guard, const struct address *address, const char *name,
                        struct count counts[COUNTS_MAX])
{
    const struct guard_settings *settings = guard->settings;
    size_t n = 0;
    if (settings->failures_address.count > 0)
        counts[n++] =
            (struct count){KIND_ADDRESS, address->host, &settings->failures_address, "from your address"};
    if (settings->failures_network.count > 0 && *address->network)
        counts[n++] =
            (struct count){KIND_NETWORK, address->network, &settings->failures_network, "from your network"};
    if (settings->failures_user.count > 0 && name)
        counts[n++] = (struct count){KIND_USER, name, &settings->failures_user, "for this user"};
    return n;
}

static void log_block(const struct guard *guard, const struct row *row, int64_t now)
{
    struct log_line line;
    log_start(&line, guard->settings->log, LOG_LEVEL_WARNING, "login-blocked");
    log_str(&line, "kind", kind_word(row->kind));
    log_str(&line, "name", row->name);
    log_int(&line, "failures", window_sum(&row->window));
    log_int(&line, "seconds", (row->blocked_until_ms - now) / 1000);
    log_end(&line);
}

static void count_failure(struct guard *guard, const struct count *count, int64_t now)
{
    struct row *row = rows_get(guard, count->kind, count->name, now);
    if (!row) {
        struct error err;
        error_set(&err, STATUS_TEMPORARY, "out of memory: a failed login was not counted");
        log_error(guard->settings->log, LOG_LEVEL_ERROR, "guard-failed", NULL, &err);
        return;
    }
    window_move(&row->window, count->rate->window_ms, now);
    window_add(&row->window);
    rows_touch(guard, row, now);
    if (row->blocked_until_ms != 0 || window_sum(&row->window) < count->rate->count)
        return;
    rows_block(guard, row, now + guard->settings->block_ms);
    log_block(guard, row, now);
    store_write_now(guard, row, now);
}

void guard_login_failed(struct guard *guard, const char *address_text, const char *user, int64_t now)
{
    struct address address;
    struct count counts[COUNTS_MAX];
    char name[NAME_SIZE];
    address_read(address_text, &address);
    if (user)
        name_of_user(user, name);
    /* A device of the user's own with an old password must not shut out the user's other addresses. */
    bool against_user = user && !is_known(guard, &address, name, now);
    size_t n = counts_of(guard, &address, against_user ? name : NULL, counts);
    for (size_t i = 0; i < n; i++)
        count_failure(guard, &counts[i], now);
}

/* ---- what follows from it ---- */

static int64_t delay_after(int64_t failures)
{
    static const int64_t delays[] = {0, 1000, 2000, 4000, 8000, 10000};
    int64_t last = (int64_t)(sizeof delays / sizeof *delays) - 1;
    return delays[failures < last ? failures : last];
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

enum guard_login guard_may_login(struct guard *guard, const char *address_text, const char *user, int64_t now,
                                 int64_t *delay_ms_out, char text_out[200])
{
    struct address address;
    struct count counts[COUNTS_MAX];
    char name[NAME_SIZE], wait[WORDS_SIZE];
    const char *shown = NULL;
    int64_t until = 0, failures = 0;
    address_read(address_text, &address);
    if (user)
        name_of_user(user, name);
    bool known = user && is_known(guard, &address, name, now);
    size_t n = counts_of(guard, &address, user && !known ? name : NULL, counts);
    for (size_t i = 0; i < n; i++) {
        struct row *row = rows_find(guard, counts[i].kind, counts[i].name, now);
        if (!row)
            continue;
        window_move(&row->window, counts[i].rate->window_ms, now);
        /* Neighbours in an IPv4 /24 are strangers to each other; a /64 is one customer's. */
        if (row->kind != KIND_NETWORK || address.is_v6)
            failures = larger(failures, window_sum(&row->window));
        if (row->blocked_until_ms > until) {
            until = row->blocked_until_ms;
            shown = counts[i].shown;
        }
    }
    *delay_ms_out = shown || !user || known ? 0 : delay_after(failures);
    text_out[0] = '\0';
    if (!shown)
        return GUARD_GO;
    words_wait(until - now, wait);
    snprintf(text_out, 200, "Too many failed logins %s: try again in %s", shown, wait);
    return GUARD_STOP;
}
