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

static enum status lock_piece(EVP_CIPHER_CTX *ctx, const char *id, struct span piece, const struct sink *out,
                              struct error *err)
{
    uint8_t chunk[CHUNK];
    enum status st = STATUS_OK;
    while (piece.len > 0 && st == STATUS_OK) {
        size_t part = piece.len < CHUNK ? piece.len : CHUNK;
        int len = 0;
        if (EVP_EncryptUpdate(ctx, chunk, &len, (const uint8_t *)piece.p, (int)part) != 1 ||
            (size_t)len != part)
            return failed(id, err);
        st = sink_write(out, span_of(chunk, part), err);
        piece = span_of(piece.p + part, piece.len - part);
    }
    return st;
}

static enum status lock_end(EVP_CIPHER_CTX *ctx, const char *id, const struct sink *out, struct error *err)
{
    uint8_t tag[TAG_BYTES];
    int last = 0;
    if (EVP_EncryptFinal_ex(ctx, tag, &last) != 1 || last != 0 ||
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, tag) != 1)
        return failed(id, err);
    return sink_write(out, span_of(tag, TAG_BYTES), err);
}

enum status spool_lock(const struct spool_key *key, const char *id, struct spans plaintext,
                       const struct sink *out, struct error *err)
{
    uint8_t front[FRONT_BYTES] = {VERSION};
    if (spans_len(plaintext) > INT_MAX - SPOOL_OVERHEAD)
        return error_set(err, STATUS_LIMIT, "spool: a body of %zu bytes is too large", spans_len(plaintext));
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool started = ctx && RAND_bytes(front + 1, NONCE_BYTES) == 1 && start(ctx, key, front + 1, id, true);
    enum status st = started ? sink_write(out, span_of(front, sizeof front), err) : failed(id, err);
    for (size_t i = 0; i < plaintext.n && st == STATUS_OK; i++)
        st = lock_piece(ctx, id, plaintext.items[i], out, err);
    if (st == STATUS_OK)
        st = lock_end(ctx, id, out, err);
    EVP_CIPHER_CTX_free(ctx);
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
