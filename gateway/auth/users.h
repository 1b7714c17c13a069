/*
 * The users file: one "name:hash" line per user (crypt(5), yescrypt), # comments; mode 0600 (A26). Written by
 * sealctl, read by auth.
 */
#ifndef SEALGATE_AUTH_USERS_H
#define SEALGATE_AUTH_USERS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct user {
    char *name;
    char *hash;
};

struct users {
    struct user *items;
    size_t n;
};

/* A name has 1 to 255 bytes of printable UTF-8 without ':' and control characters (A21), and no '#' first. */
bool user_name_is_valid(const char *name);

/* STATUS_NOT_FOUND: no such file; STATUS_DENIED: rights; STATUS_INVALID: "users:12: …"; STATUS_TEMPORARY:
 * cannot be read. */
MUST_USE enum status users_load(const char *path, struct users *users_out, struct error *err);
void users_free(struct users *users);
const struct user *users_find(const struct users *users, const char *name);

/*
 * STATUS_OK: right. STATUS_DENIED: wrong, or no such user; both cost one hash (A19). STATUS_TEMPORARY: could
 * not hash (out of memory), which says nothing about the password.
 */
MUST_USE enum status users_check(const struct users *users, const char *name, const char *password,
                                 struct error *err);

/* A new yescrypt hash, to be freed by the caller. STATUS_INVALID for an empty password or one over 511 bytes.
 */
MUST_USE enum status user_hash(const char *password, char **hash_out, struct error *err);

/*
 * Changes the file under a lock, by a new file, fsync and rename, keeping owner and mode. HASH NULL removes.
 * USER_ADD of one that is there: STATUS_INVALID; the others of one that is not: STATUS_NOT_FOUND. USER_ADD
 * makes the file (0600, owned as its folder is) when there is none.
 */
enum user_change { USER_ADD, USER_REPLACE, USER_REMOVE };
MUST_USE enum status users_change(const char *path, enum user_change change, const char *name,
                                  const char *hash, struct error *err);

#endif
