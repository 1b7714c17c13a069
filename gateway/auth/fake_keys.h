/*
 * SCRAM keys for names that have none, so that an exchange with them looks and lasts as one with any user
 * (A19): a salt that stays the same for a name, with iterations as others have. They come from a secret that
 * outlives restarts; without it nobody can tell them from true ones.
 */
#ifndef SEALGATE_AUTH_FAKE_KEYS_H
#define SEALGATE_AUTH_FAKE_KEYS_H

#include "base/error.h"
#include "gateway/users/users.h"

#define FAKE_SECRET_SIZE 32

struct fake_secret {
    unsigned char bytes[FAKE_SECRET_SIZE];
};

/*
 * Reads the secret, or makes the file (0600) when there is none. STATUS_DENIED: others can read it;
 * STATUS_INVALID: damaged.
 */
MUST_USE enum status fake_secret_open(const char *path, struct fake_secret *secret_out, struct error *err);

/* The keys for NAME among USERS, of which the fakes take their shape. No password belongs to them.
 * STATUS_TEMPORARY: out of memory. */
MUST_USE enum status fake_keys_make(const struct fake_secret *secret, const struct users *users,
                                    const char *name, struct scram_keys *keys_out, struct error *err);

#endif
