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

/* STATUS_INVALID: the database is damaged: it is moved aside, logged, and a new one made by the next open. */
MUST_USE enum status guard_open(const struct guard_settings *settings, struct guard **guard_out,
                                struct error *err);
void guard_close(struct guard *guard);

enum guard_login {
    GUARD_GO,   /* check the credentials, after *delay_ms_out */
    GUARD_STOP, /* do not: TEXT_OUT says until when, for the client (printable ASCII) */
};

/* Before credentials are checked. ADDRESS as text; USER NULL: not known yet. The answer does not tell whether
 * a user exists (A19): names that nobody has are counted alike. */
enum guard_login guard_may_login(struct guard *guard, const char *address, const char *user, int64_t now,
                                 int64_t *delay_ms_out, char text_out[200]);

/* A login failed for its credentials (not for a backend that is away). */
void guard_login_failed(struct guard *guard, const char *address, const char *user, int64_t now);
/* One succeeded: the address is no guesser of this user; what others did to the user stays. */
void guard_login_succeeded(struct guard *guard, const char *address, const char *user, int64_t now);

/*
 * May one more message (or recipient) be sent? Counts it when so. USER or CLIENT (the relay client's name) is
 * NULL. False: TEXT_OUT says what is the limit and when to try again.
 */
bool guard_may_send(struct guard *guard, bool recipient, const char *user, const char *client,
                    const char *address, int64_t now, char text_out[200]);

/* A client tried VERB before TLS. */
void guard_tried_in_clear(struct guard *guard, const char *address, const char *verb, const char *helo,
                          int64_t now);

struct guard_row {
    const char
        *kind; /* "address", "network", "user": blocked or counted failures; "clear": tries without TLS */
    const char *name;
    const char *detail; /* "clear": last verb and helo */
    int64_t count;
    int64_t last_ms;
    int64_t blocked_until_ms; /* 0: not blocked */
};
/* Every row, the most recent first; at most MAX. */
void guard_each(struct guard *guard, size_t max, void (*each)(void *arg, const struct guard_row *row),
                void *arg);

/* Lifts a block (sealctl). STATUS_NOT_FOUND: no such row. */
MUST_USE enum status guard_forget(struct guard *guard, const char *kind, const char *name, struct error *err);

/* Writes what is not on disk yet and drops what is old; call every few seconds and before the end. */
void guard_tick(struct guard *guard, int64_t now);

#endif
