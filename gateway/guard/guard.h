/*
 * Counts what clients and users do, for the auth role: failed logins, messages and recipients sent, tries
 * without TLS. Kept in memory, mirrored to a database of its own so that a block survives a restart. Bounded:
 * what is remembered of strangers has a size (A20).
 *
 * Times are wall-clock milliseconds, given by the caller.
 */
#ifndef SEALGATE_GUARD_GUARD_H
#define SEALGATE_GUARD_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"

struct guard_rate {
    int64_t count; /* 0: no limit */
    int64_t window_ms;
};

struct guard_account {
    const char *pattern; /* of user names, policy/pattern; the first that matches counts */
    struct guard_rate messages, recipients;
};

struct guard_client {
    const char *name;
    struct guard_rate messages, recipients;
};

struct guard_settings {
    const struct log *log;
    const char *path;                                       /* of the database, in a folder of the role */
    struct guard_rate user_messages, user_recipients;       /* per user, where no account says otherwise */
    struct guard_rate address_messages, address_recipients; /* per client address */
    const struct guard_account *accounts;
    size_t n_accounts;
    const struct guard_client *clients;
    size_t n_clients;
    struct guard_rate failures_address, failures_network, failures_user; /* network: an IPv6 /64, IPv4 /24 */
    int64_t block_ms;
};

struct guard;

/*
 * Opens the database, or makes it, and reads what is in it. SETTINGS and what they point to must live as long
 * as the guard. A damaged database is moved aside (PATH.damaged) and logged, and a new one begun; while the
 * disk fails, the guard works from memory and guard_tick tries again: logins go on.
 * STATUS_DENIED: file or folder have the wrong owner or mode. STATUS_TEMPORARY: out of memory.
 */
MUST_USE enum status guard_open(const struct guard_settings *settings, int64_t now, struct guard **guard_out,
                                struct error *err);
/* What guard_tick has not written is lost. NULL: nothing happens. */
void guard_close(struct guard *guard);

enum guard_login {
    GUARD_GO,   /* check the credentials, after *delay_ms_out */
    GUARD_STOP, /* do not: TEXT_OUT says until when, for the client (printable ASCII) */
};

/*
 * Before credentials are checked. ADDRESS as text; USER NULL: not known yet, then only address and network
 * are looked at and there is no delay. With USER, GUARD_GO begins an attempt, which ends with exactly one of
 * the three below, with the same ADDRESS and USER: attempts in hand count like failures against the limits,
 * so that nobody gets beyond them by guessing many at once. The answer does not tell whether a user exists
 * (A19): names that nobody has are counted alike.
 *
 * The delay grows with the failures of the address (of the /64 for IPv6) and of the user: 0, 1, 2, 4, 8, 10
 * s. An address that the user logged in from before is neither delayed nor blocked by what others did to the
 * user or in its IPv4 /24; what the address itself did blocks it all the same.
 */
enum guard_login guard_may_login(struct guard *guard, const char *address, const char *user, int64_t now,
                                 int64_t *delay_ms_out, char text_out[200]);

/* A login failed for its credentials. USER NULL: it never was named; then it ends no attempt. */
void guard_login_failed(struct guard *guard, const char *address, const char *user, int64_t now);
/* One succeeded: the user is known there from now on. No count is lowered: whoever has an account cannot buy
 * guesses at others with it. */
void guard_login_succeeded(struct guard *guard, const char *address, const char *user, int64_t now);
/* Neither: the backend is away, or the exchange ended before the credentials were looked at. */
void guard_login_undecided(struct guard *guard, const char *address, const char *user, int64_t now);

/*
 * May one more message (or recipient) be sent? Counts it when so, for the user or relay client and for the
 * client address (an IPv6 /64 counts as one). USER or CLIENT (the relay client's name) is NULL. False:
 * nothing was counted, and TEXT_OUT says what is the limit and when to try again.
 */
bool guard_may_send(struct guard *guard, bool recipient, const char *user, const char *client,
                    const char *address, int64_t now, char text_out[200]);

/* A client tried VERB before TLS; logged with the count of its address. HELO may be NULL. */
void guard_tried_in_clear(struct guard *guard, const char *address, const char *verb, const char *helo,
                          int64_t now);

enum guard_select { GUARD_ALL, GUARD_BLOCKED, GUARD_CLEAR };

struct guard_row {
    /* "address", "network", "user": failed logins; "known": where a user logged in from; "clear": tries
     * without TLS of an address; "user-messages", "user-recipients", "client-messages", …,
     * "address-recipients": what was sent. */
    const char *kind;
    const char *name;
    const char *detail; /* "clear": last verb and, behind a space, helo; "known": addresses; may be NULL */
    int64_t count;      /* in the window; "clear": in all */
    int64_t last_ms;
    int64_t blocked_until_ms; /* 0: not blocked */
};
/* The blocked rows first, then the most recent; at most MAX. STATUS_TEMPORARY: out of memory. */
MUST_USE enum status guard_each(struct guard *guard, enum guard_select select, size_t max, int64_t now,
                                void (*each)(void *arg, const struct guard_row *row), void *arg,
                                struct error *err);

/* Forgets a row, and so lifts its block (sealctl). STATUS_NOT_FOUND: no such row; STATUS_INVALID: no such
 * kind. */
MUST_USE enum status guard_forget(struct guard *guard, const char *kind, const char *name, int64_t now,
                                  struct error *err);

/* Writes what is not on disk yet and drops what is old; call every few seconds and before the end. */
void guard_tick(struct guard *guard, int64_t now);

#endif
