#include "gateway/message/spool.h"

#include <errno.h>
#include <limits.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#define VERSION 1
#define NONCE_BYTES 12
#define TAG_BYTES 16
#define FRONT_BYTES (1 + NONCE_BYTES)
#define CHUNK 16384

/* Starts CTX in one direction with the id as associated data. */
static bool start(EVP_CIPHER_CTX *ctx, const struct spool_key *key, const uint8_t *nonce, const char *id,
                  bool encrypt)
{
    int len;
    return EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, key->bytes, nonce, encrypt) == 1 &&
           EVP_CipherUpdate(ctx, NULL, &len, (const uint8_t *)id, (int)strlen(id)) == 1;
}

static enum status failed(const char *id, struct error *err)
{
    return error_set(err, STATUS_INTERNAL, "spool: AES-256-GCM failed for message %s", id);
}

/* What is locked goes out in chunks: a write to a memory file costs more than the cipher of a small message.
 */
struct locker {
    EVP_CIPHER_CTX *ctx;
    const char *id;
    const struct sink *out;
    size_t len;
    uint8_t chunk[CHUNK];
};

static enum status flush(struct locker *locker, struct error *err)
{
    size_t len = locker->len;
    locker->len = 0;
    return sink_write(locker->out, span_of(locker->chunk, len), err);
}

/* Room for at least one byte behind what is there. */
static enum status make_room(struct locker *locker, struct error *err)
{
    return locker->len < CHUNK ? STATUS_OK : flush(locker, err);
}

static enum status put(struct locker *locker, const uint8_t *bytes, size_t len, struct error *err)
{
    enum status st = STATUS_OK;
    for (size_t i = 0; i < len && st == STATUS_OK; i++) {
        st = make_room(locker, err);
        locker->chunk[locker->len++] = bytes[i];
    }
    return st;
}

static enum status lock_piece(struct locker *locker, struct span piece, struct error *err)
{
    enum status st = STATUS_OK;
    while (piece.len > 0 && st == STATUS_OK) {
        st = make_room(locker, err);
        size_t room = CHUNK - locker->len;
        size_t part = piece.len < room ? piece.len : room;
        int len = 0;
        if (EVP_EncryptUpdate(locker->ctx, locker->chunk + locker->len, &len, (const uint8_t *)piece.p,
                              (int)part) != 1 ||
            (size_t)len != part)
            return failed(locker->id, err);
        locker->len += part;
        piece = span_of(piece.p + part, piece.len - part);
    }
    return st;
}

static enum status lock_end(struct locker *locker, struct error *err)
{
    uint8_t tag[TAG_BYTES];
    int last = 0;
    if (EVP_EncryptFinal_ex(locker->ctx, tag, &last) != 1 || last != 0 ||
        EVP_CIPHER_CTX_ctrl(locker->ctx, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, tag) != 1)
        return failed(locker->id, err);
    enum status st = put(locker, tag, TAG_BYTES, err);
    return st == STATUS_OK ? flush(locker, err) : st;
}

enum status spool_lock(const struct spool_key *key, const char *id, struct spans plaintext,
                       const struct sink *out, struct error *err)
{
    uint8_t front[FRONT_BYTES] = {VERSION};
    if (spans_len(plaintext) > INT_MAX - SPOOL_OVERHEAD)
        return error_set(err, STATUS_LIMIT, "spool: a body of %zu bytes is too large", spans_len(plaintext));
    struct locker locker;
    locker.ctx = EVP_CIPHER_CTX_new();
    locker.id = id;
    locker.out = out;
    locker.len = 0;
    bool started =
        locker.ctx && RAND_bytes(front + 1, NONCE_BYTES) == 1 && start(locker.ctx, key, front + 1, id, true);
    enum status st = started ? put(&locker, front, sizeof front, err) : failed(id, err);
    for (size_t i = 0; i < plaintext.n && st == STATUS_OK; i++)
        st = lock_piece(&locker, plaintext.items[i], err);
    if (st == STATUS_OK)
        st = lock_end(&locker, err);
    EVP_CIPHER_CTX_free(locker.ctx);
    return st;
}

enum status spool_lock_bytes(const struct spool_key *key, const char *id, struct span plaintext,
                             struct buf *out, struct error *err)
{
    struct sink sink = sink_to_buf(out);
    return spool_lock(key, id, (struct spans){.items = &plaintext, .n = 1}, &sink, err);
}

static bool unlock_into(const struct spool_key *key, const char *id, const uint8_t *locked, size_t text_len,
                        uint8_t *out)
{
    const uint8_t *nonce = locked + 1;
    const uint8_t *ciphertext = locked + FRONT_BYTES;
    uint8_t tag[TAG_BYTES];
    memcpy(tag, ciphertext + text_len, TAG_BYTES);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int len = 0, last = 0;
    bool ok = ctx && start(ctx, key, nonce, id, false) &&
              EVP_DecryptUpdate(ctx, out, &len, ciphertext, (int)text_len) == 1 &&
              EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, tag) == 1 &&
              EVP_DecryptFinal_ex(ctx, out + len, &last) == 1 && (size_t)len + (size_t)last == text_len;
    EVP_CIPHER_CTX_free(ctx);
    return ok;
}

enum status spool_unlock(const struct spool_key *key, const char *id, struct span locked, struct buf *out,
                         struct error *err)
{
    if (locked.len < SPOOL_OVERHEAD || locked.len > INT_MAX || locked.p[0] != VERSION) {
        buf_reset(out);
        return error_set(err, STATUS_INTERNAL,
                         "spool: the body of message %s is cut or not a locked body (%zu bytes)", id,
                         locked.len);
    }
    size_t len = locked.len - SPOOL_OVERHEAD;
    uint8_t *room = buf_reserve(out, len);
    if (!room) {
        enum status status = buf_check(out, "spool: the unlocked body", err);
        buf_reset(out);
        return status;
    }
    bool ok = unlock_into(key, id, (const uint8_t *)locked.p, len, room);
    buf_commit(out, len);
    if (ok)
        return STATUS_OK;
    /* Counted first, so that the reset also wipes what was deciphered before the tag proved wrong. */
    buf_reset(out);
    return error_set(err, STATUS_INTERNAL,
                     "spool: the body of message %s was changed, belongs to another message, or was locked "
                     "with another spool key",
                     id);
}
