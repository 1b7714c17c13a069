/*
 * The users file: one "name:hash[:scram]" line per user, # comments; mode 0600 (A26). Written by sealctl,
 * read by the roles auth (SCRAM keys) and passwords (hashes).
 *
 * HASH is one of crypt(5), for PLAIN and LOGIN; it holds no colon. SCRAM is of the form of RFC 5803
 * (scram_keys.h); it does, and is all that follows the second colon. A line without SCRAM serves PLAIN and
 * LOGIN only; HASH may be empty when SCRAM is there, which then serves all.
 */
#ifndef SEALGATE_USERS_USERS_H
#define SEALGATE_USERS_USERS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "gateway/users/scram_keys.h"

struct user {
    char *name;
    char *hash; /* NULL: only SCRAM keys are there */
    bool has_scram;
    struct scram_keys scram;
};

struct users {
    struct user *items; /* by name */
    size_t n;
    unsigned char secret[32]; /* SHA-256 of the file, which nobody can compute who does not know the hashes */
};

/* A name has 1 to 255 bytes of printable UTF-8 without ':' and control characters (A21), and no '#' first. */
bool user_name_is_valid(const char *name);

/*
 * Is NAME, moreover, written as SASLprep (RFC 4013) writes it, which is how it arrives with SCRAM?
 * STATUS_INVALID: no, and the text says how it would be written. For new users; names that stand in a file
 * already need not be.
 */
MUST_USE enum status user_name_is_prepared(const char *name, struct error *err);

/* Is HASH one of crypt(5) that cannot be broken at leisure? STATUS_INVALID: no. */
MUST_USE enum status user_hash_is_safe(const char *hash, struct error *err);

/* STATUS_NOT_FOUND: no such file; STATUS_DENIED: rights; STATUS_INVALID: "users:12: …"; STATUS_TEMPORARY:
 * cannot be read. */
MUST_USE enum status users_load(const char *path, struct users *users_out, struct error *err);
void users_free(struct users *users);

/* By the name as it stands there, byte by byte. NULL: none; it belongs to USERS. */
const struct user *users_find(const struct users *users, const char *name);

/* Wipes and frees what USER owns. */
void user_wipe(struct user *user);

/* To build a set: takes over what USER owns, also when it fails (STATUS_TEMPORARY). users_sort at the end. */
MUST_USE enum status users_append(struct users *users, struct user *user, struct error *err);
void users_sort(struct users *users);

/*
 * Changes the file under a lock, by a new file, fsync and rename, keeping owner, mode and what else stands in
 * it. USER_ADD of one that is there: STATUS_INVALID; the others of one that is not: STATUS_NOT_FOUND.
 * USER_ADD makes the file (0600, owned as its folder is) when there is none. Of USER, USER_REMOVE needs the
 * name only.
 */
enum user_change { USER_ADD, USER_REPLACE, USER_REMOVE };
MUST_USE enum status users_change(const char *path, enum user_change change, const struct user *user,
                                  struct error *err);

/* Adds all of ADDED, which is sorted, or none. With REPLACE they take the place of those that are there
 * already; without, such a one is STATUS_INVALID. The rest as with users_change. */
MUST_USE enum status users_add_all(const char *path, const struct users *added, bool replace,
                                   struct error *err);

#endif
