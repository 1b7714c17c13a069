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

static void make_known(struct guard *guard, const struct address *address, const char *name, int64_t now)
{
    char list[KNOWN_MAX * ADDRESS_SIZE];
    struct row *row = rows_get(guard, KIND_KNOWN, name, now);
    if (!row)
        return; /* out of memory: known the next time */
    put_first(address->client, row->detail, list);
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

/* ---- an attempt and how it ends ---- */

/* From where, and for whom. */
struct attempt {
    struct address address;
    char name[NAME_SIZE]; /* "": not known yet */
    bool known;           /* the user logged in from there before */
};

static struct attempt attempt_of(struct guard *guard, const char *address, const char *user, int64_t now)
{
    struct attempt attempt = {0};
    address_read(address, &attempt.address);
    if (user) {
        name_of_user(user, attempt.name);
        attempt.known = is_known(guard, &attempt.address, attempt.name, now);
    }
    return attempt;
}

static void end_attempt(struct guard *guard, const struct attempt *attempt, int64_t now)
{
    struct count counts[COUNTS_MAX];
    size_t n = counts_of(guard, &attempt->address, attempt->name, counts);
    for (size_t i = 0; i < n; i++) {
        struct row *row = rows_find(guard, counts[i].kind, counts[i].name, now);
        if (!row)
            continue;
        rows_end_attempt(row);
        if (row->last_ms == 0 && row->attempts == 0) /* nothing else was ever counted in it */
            rows_drop(guard, row);
    }
}

void guard_login_failed(struct guard *guard, const char *address, const char *user, int64_t now)
{
    struct count counts[COUNTS_MAX];
    struct attempt attempt = attempt_of(guard, address, user, now);
    if (user)
        end_attempt(guard, &attempt, now);
    /* A device of the user's own with an old password must not shut out the user's other addresses. */
    size_t n = counts_of(guard, &attempt.address, user && !attempt.known ? attempt.name : NULL, counts);
    for (size_t i = 0; i < n; i++)
        count_failure(guard, &counts[i], now);
}

void guard_login_succeeded(struct guard *guard, const char *address, const char *user, int64_t now)
{
    struct attempt attempt = attempt_of(guard, address, user, now);
    end_attempt(guard, &attempt, now);
    make_known(guard, &attempt.address, attempt.name, now);
}

void guard_login_undecided(struct guard *guard, const char *address, const char *user, int64_t now)
{
    struct attempt attempt = attempt_of(guard, address, user, now);
    end_attempt(guard, &attempt, now);
}

/* ---- may one begin? ---- */

static int64_t delay_after(int64_t failures)
{
    static const int64_t delays[] = {0, 1000, 2000, 4000, 8000, 10000};
    int64_t last = (int64_t)(sizeof delays / sizeof *delays) - 1;
    return delays[failures < last ? failures : last];
}

/* What stands against an attempt. */
struct verdict {
    int64_t failures;
    int64_t until; /* 0: nothing */
    const char *why, *shown;
};

static void stop(struct verdict *verdict, int64_t until, const char *why, const char *shown)
{
    if (until > verdict->until)
        *verdict = (struct verdict){verdict->failures, until, why, shown};
}

/* Those that are being checked may all fail: who guesses many at once must not get beyond the limit. */
static void judge(struct guard *guard, const struct attempt *attempt, const struct count *count, int64_t now,
                  struct verdict *verdict)
{
    struct row *row = rows_find(guard, count->kind, count->name, now);
    if (!row)
        return;
    window_move(&row->window, count->rate->window_ms, now);
    int64_t failures = window_sum(&row->window), attempts = rows_attempts(row, now);
    /* Neighbours in an IPv4 /24 are strangers to each other; a /64 is one customer's. */
    bool is_strangers = count->kind == KIND_NETWORK && !attempt->address.is_v6;
    if (!is_strangers && failures > verdict->failures)
        verdict->failures = failures;
    if (attempt->known && (is_strangers || count->kind == KIND_USER))
        return;
    if (row->blocked_until_ms != 0)
        stop(verdict, row->blocked_until_ms, "failed logins", count->shown);
    else if (!attempt->known && attempts > 0 && failures + attempts >= count->rate->count)
        stop(verdict, now + 1, "logins at once", count->shown);
}

static void begin_attempt(struct guard *guard, const struct count counts[COUNTS_MAX], size_t n, int64_t now)
{
    for (size_t i = 0; i < n; i++) {
        struct row *row = rows_get(guard, counts[i].kind, counts[i].name, now);
        if (row)
            rows_begin_attempt(row, now);
    }
}

enum guard_login guard_may_login(struct guard *guard, const char *address, const char *user, int64_t now,
                                 int64_t *delay_ms_out, char text_out[200])
{
    struct attempt attempt = attempt_of(guard, address, user, now);
    struct count counts[COUNTS_MAX];
    struct verdict verdict = {0};
    char wait[WORDS_SIZE];
    size_t n = counts_of(guard, &attempt.address, user ? attempt.name : NULL, counts);
    *delay_ms_out = 0;
    text_out[0] = '\0';
    for (size_t i = 0; i < n; i++)
        judge(guard, &attempt, &counts[i], now, &verdict);
    if (verdict.until != 0) {
        words_wait(verdict.until - now, wait);
        snprintf(text_out, 200, "Too many %s %s: try again in %s", verdict.why, verdict.shown, wait);
        return GUARD_STOP;
    }
    if (user) {
        begin_attempt(guard, counts, n, now);
        *delay_ms_out = attempt.known ? 0 : delay_after(verdict.failures);
    }
    return GUARD_GO;
}
