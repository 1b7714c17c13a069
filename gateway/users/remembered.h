/*
 * Passwords that were right not long ago, so that a client that logs in for each message need not have its
 * password hashed each time. No password is kept, only a MAC of it and of the hash in the users file under a
 * key of this process: a user who is removed or has a new password is found in the file, or not, before this
 * is asked, and is not remembered. Wrong passwords are never remembered, and always cost a hash (A20).
 */
#ifndef SEALGATE_USERS_REMEMBERED_H
#define SEALGATE_USERS_REMEMBERED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define REMEMBERED_MAX 1024

struct remembered {
    unsigned char key[32];
    int64_t for_ms; /* 0: nothing is remembered */
    struct {
        unsigned char mac[32];
        int64_t until_ms;     /* of the monotonic clock; 0: empty */
    } places[REMEMBERED_MAX]; /* by the MAC; a newer one takes the place of an older one */
};

/* STATUS_TEMPORARY: no random bytes. */
MUST_USE enum status remembered_init(struct remembered *remembered, int64_t for_ms, struct error *err);
void remembered_wipe(struct remembered *remembered);

/* Was PASSWORD found right for HASH less than for_ms before NOW_MS? */
bool remembered_has(const struct remembered *remembered, const char *hash, const char *password,
                    int64_t now_ms);

/* It was found right just now, by hashing it. */
void remembered_add(struct remembered *remembered, const char *hash, const char *password, int64_t now_ms);

#endif
