#include "gateway/users/scram_keys.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/users/saslprep.h"

static const char scheme[] = "SCRAM-SHA-256$";

/* RFC 5802 §3: ClientKey, StoredKey, ServerKey from SaltedPassword. */
static bool keys_from_salted(const unsigned char salted[SCRAM_KEY_SIZE], struct scram_keys *keys)
{
    static const char client[] = "Client Key", server[] = "Server Key";
    unsigned char client_key[SCRAM_KEY_SIZE];
    bool good = HMAC(EVP_sha256(), salted, SCRAM_KEY_SIZE, (const unsigned char *)client, sizeof client - 1,
                     client_key, NULL) &&
                HMAC(EVP_sha256(), salted, SCRAM_KEY_SIZE, (const unsigned char *)server, sizeof server - 1,
                     keys->server_key, NULL) &&
                SHA256(client_key, sizeof client_key, keys->stored_key);
    OPENSSL_cleanse(client_key, sizeof client_key);
    return good;
}

enum status scram_keys_derive(const char *password, struct scram_keys *keys, struct error *err)
{
    unsigned char salted[SCRAM_KEY_SIZE];
    char *prepared = NULL;
    enum status st = saslprep("the password", password, true, &prepared, err);
    if (st != STATUS_OK)
        return st;
    bool good = PKCS5_PBKDF2_HMAC(prepared, (int)strlen(prepared), keys->salt, (int)keys->salt_len,
                                  (int)keys->iterations, EVP_sha256(), sizeof salted, salted) &&
                keys_from_salted(salted, keys);
    explicit_bzero(prepared, strlen(prepared));
    free(prepared);
    OPENSSL_cleanse(salted, sizeof salted);
    return good ? STATUS_OK : error_set(err, STATUS_TEMPORARY, "cannot derive SCRAM keys");
}

enum status scram_keys_make(const char *password, struct scram_keys *keys_out, struct error *err)
{
    *keys_out = (struct scram_keys){.iterations = SCRAM_ITERATIONS, .salt_len = SCRAM_SALT_SIZE};
    if (RAND_bytes(keys_out->salt, SCRAM_SALT_SIZE) != 1)
        return error_set(err, STATUS_TEMPORARY, "no random bytes for a salt");
    return scram_keys_derive(password, keys_out, err);
}

bool scram_keys_match(const struct scram_keys *keys, const char *password)
{
    struct scram_keys mine = *keys;
    bool same = scram_keys_derive(password, &mine, NULL) == STATUS_OK &&
                CRYPTO_memcmp(mine.stored_key, keys->stored_key, SCRAM_KEY_SIZE) == 0;
    OPENSSL_cleanse(&mine, sizeof mine);
    return same;
}

/* Canonical base64 with its padding, of MIN to MAX bytes. */
static bool decode(struct span text, size_t min, size_t max, unsigned char *out, size_t *len_out)
{
    unsigned char room[4 * ((SCRAM_SALT_MAX + 2) / 3)], again[sizeof room + 1];
    if (text.len == 0 || text.len % 4 != 0 || text.len > sizeof room)
        return false;
    int n = EVP_DecodeBlock(room, (const unsigned char *)text.p, (int)text.len);
    if (n < 0)
        return false;
    size_t padding = (text.p[text.len - 1] == '=') + (size_t)(text.p[text.len - 2] == '=');
    size_t len = (size_t)n - padding;
    /* EVP_DecodeBlock passes over spaces at both ends and takes "=" anywhere. */
    if (len < min || len > max || EVP_EncodeBlock(again, room, (int)len) != (int)text.len ||
        memcmp(again, text.p, text.len) != 0)
        return false;
    memcpy(out, room, len);
    *len_out = len;
    return true;
}

static bool read_iterations(struct span text, uint32_t *iterations_out)
{
    uint32_t n = 0;
    if (text.len == 0 || text.len > 9 || text.p[0] == '0')
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
        n = n * 10 + (uint32_t)(text.p[i] - '0');
    }
    *iterations_out = n;
    return n >= SCRAM_ITERATIONS_MIN && n <= SCRAM_ITERATIONS_MAX;
}

enum status scram_keys_from_parts(struct span iterations, struct span salt, struct span stored_key,
                                  struct span server_key, struct scram_keys *keys_out, struct error *err)
{
    size_t stored_len, server_len;
    *keys_out = (struct scram_keys){0};
    if (!read_iterations(iterations, &keys_out->iterations))
        return error_set(err, STATUS_INVALID, "SCRAM iterations are not a number from %d to %d",
                         SCRAM_ITERATIONS_MIN, SCRAM_ITERATIONS_MAX);
    if (!decode(salt, 1, SCRAM_SALT_MAX, keys_out->salt, &keys_out->salt_len) ||
        !decode(stored_key, SCRAM_KEY_SIZE, SCRAM_KEY_SIZE, keys_out->stored_key, &stored_len) ||
        !decode(server_key, SCRAM_KEY_SIZE, SCRAM_KEY_SIZE, keys_out->server_key, &server_len))
        return error_set(err, STATUS_INVALID, "SCRAM salt or keys are no base64 of the right length");
    return STATUS_OK;
}

/* What stands before SEPARATOR, which is taken from *TEXT too; all of it when there is none. */
static struct span take(struct span *text, char separator)
{
    const char *end = text->len ? memchr(text->p, separator, text->len) : NULL;
    size_t len = end ? (size_t)(end - text->p) : text->len;
    struct span taken = span_of(text->p, len);
    *text = end ? span_of(end + 1, text->len - len - 1) : span_of(text->p + len, 0);
    return taken;
}

enum status scram_keys_parse(struct span text, struct scram_keys *keys_out, struct error *err)
{
    size_t scheme_len = sizeof scheme - 1;
    *keys_out = (struct scram_keys){0};
    if (text.len < scheme_len || memcmp(text.p, scheme, scheme_len) != 0)
        return error_set(err, STATUS_INVALID, "not of the form %siterations:salt$StoredKey:ServerKey",
                         scheme);
    text = span_of(text.p + scheme_len, text.len - scheme_len);
    struct span iterations = take(&text, ':'), salt = take(&text, '$'), stored_key = take(&text, ':');
    return scram_keys_from_parts(iterations, salt, stored_key, text, keys_out, err);
}

static void append_base64(struct buf *b, const unsigned char *bytes, size_t len)
{
    unsigned char text[4 * ((SCRAM_SALT_MAX + 2) / 3) + 1];
    int n = EVP_EncodeBlock(text, bytes, (int)len);
    buf_append(b, text, (size_t)n);
}

void scram_keys_format(struct buf *b, const struct scram_keys *keys)
{
    buf_printf(b, "%s%u:", scheme, keys->iterations);
    append_base64(b, keys->salt, keys->salt_len);
    buf_append_char(b, '$');
    append_base64(b, keys->stored_key, SCRAM_KEY_SIZE);
    buf_append_char(b, ':');
    append_base64(b, keys->server_key, SCRAM_KEY_SIZE);
}
