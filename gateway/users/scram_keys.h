/*
 * SCRAM keys (RFC 5802 §3): what a server keeps of a password so that it can check a SCRAM exchange, and can
 * not itself log in with it. SHA-256 (RFC 7677).
 */
#ifndef SEALGATE_USERS_SCRAM_KEYS_H
#define SEALGATE_USERS_SCRAM_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"

#define SCRAM_KEY_SIZE 32
#define SCRAM_SALT_SIZE 16 /* of the salts we make */
#define SCRAM_SALT_MAX 64
#define SCRAM_ITERATIONS 120000 /* of the keys we make: some 40 ms; well over the 4096 of RFC 7677 §4 */
#define SCRAM_ITERATIONS_MIN 4096
#define SCRAM_ITERATIONS_MAX 5000000 /* some seconds: a file with more would stop every login */

struct scram_keys {
    uint32_t iterations;
    size_t salt_len;
    unsigned char salt[SCRAM_SALT_MAX];
    unsigned char stored_key[SCRAM_KEY_SIZE];
    unsigned char server_key[SCRAM_KEY_SIZE];
};

/*
 * The keys of a password, with a new salt. STATUS_INVALID: SASLprep (RFC 4013) refuses the password, or it is
 * empty. STATUS_TEMPORARY: out of memory or random bytes.
 */
MUST_USE enum status scram_keys_make(const char *password, struct scram_keys *keys_out, struct error *err);

/* The same with iterations and salt that stand in KEYS already. */
MUST_USE enum status scram_keys_derive(const char *password, struct scram_keys *keys, struct error *err);

/* Are these the keys of PASSWORD? False also when SASLprep refuses it. Costs one derivation. */
bool scram_keys_match(const struct scram_keys *keys, const char *password);

/*
 * The syntax of RFC 5803: "SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey", base64. STATUS_INVALID: not of
 * that form, padding and lengths included, or iterations out of bounds.
 */
MUST_USE enum status scram_keys_parse(struct span text, struct scram_keys *keys_out, struct error *err);
void scram_keys_format(struct buf *b, const struct scram_keys *keys);

/* As scram_keys_parse, from the four values, the last three in base64. */
MUST_USE enum status scram_keys_from_parts(struct span iterations, struct span salt, struct span stored_key,
                                           struct span server_key, struct scram_keys *keys_out,
                                           struct error *err);

#endif
