/*
 * Bodies that are not sealed rest on disk under the spool key: AES-256-GCM, a fresh random nonce each, the
 * queue id as associated data, so that a body cannot be moved to another message (promise 4).
 */
#ifndef SEALGATE_MESSAGE_SPOOL_H
#define SEALGATE_MESSAGE_SPOOL_H

#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/sink.h"
#include "base/span.h"

#define SPOOL_KEY_BYTES 32
struct spool_key {
    uint8_t bytes[SPOOL_KEY_BYTES];
};

/* Makes the key file (0600, 32 random bytes, fsynced) when it does not exist, by O_EXCL; an existing one is
 * left alone. */
MUST_USE enum status spool_key_ensure(const char *path, struct error *err);
/* Loads it: exactly 32 bytes. Rights are checked by the caller (secret_file_check) and again here: mode & 077
 * is STATUS_DENIED (A26). */
MUST_USE enum status spool_key_load(const char *path, struct spool_key *key_out, struct error *err);

#define SPOOL_OVERHEAD 29u /* version byte, nonce, tag */

/* Writes version byte, nonce, ciphertext and tag to OUT (plaintext + 29 bytes), piece by piece. After a
 * failure what OUT got is worthless. */
MUST_USE enum status spool_lock(const struct spool_key *key, const char *id, struct spans plaintext,
                                const struct sink *out, struct error *err);
/* The same for bytes in one place, appended to OUT. */
MUST_USE enum status spool_lock_bytes(const struct spool_key *key, const char *id, struct span plaintext,
                                      struct buf *out, struct error *err);

/* STATUS_INTERNAL when it was changed, cut, or belongs to another id; OUT is then reset. */
MUST_USE enum status spool_unlock(const struct spool_key *key, const char *id, struct span locked,
                                  struct buf *out, struct error *err);

#endif
