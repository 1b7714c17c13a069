/* Fake SCRAM keys: their bytes, and their shape. */
#include "gateway/auth/fake_keys.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#define DIGEST_SIZE 32

/* What the outside sees of somebody's keys before it knows the password. */
struct shape {
    uint32_t iterations;
    size_t salt_len;
    size_t users;
};

/* Files that were imported from several servers have a few; of more, some rare ones are not imitated. */
#define SHAPES_MAX 32

/* HMAC-SHA-256 of "PURPOSE NUL NAME": one secret, a stream of its own for each purpose. */
static bool derive(const struct fake_secret *secret, const char *purpose, const char *name,
                   unsigned char out[DIGEST_SIZE])
{
    struct buf text;
    unsigned len = 0;
    buf_init(&text, strlen(purpose) + strlen(name) + 1);
    buf_append(&text, purpose, strlen(purpose) + 1);
    buf_append_str(&text, name);
    bool done = !text.failed && HMAC(EVP_sha256(), secret->bytes, sizeof secret->bytes, text.data, text.len,
                                     out, &len) != NULL;
    buf_free(&text);
    return done && len == DIGEST_SIZE;
}

static int compare(const void *a, const void *b)
{
    const struct shape *x = a, *y = b;
    if (x->iterations != y->iterations)
        return x->iterations < y->iterations ? -1 : 1;
    return x->salt_len < y->salt_len ? -1 : x->salt_len > y->salt_len;
}

/* The one to be counted with KEYS: theirs, a new one, or the rarest, which gives way to it. */
static struct shape *shape_of(const struct scram_keys *keys, struct shape shapes[SHAPES_MAX], size_t *n)
{
    struct shape *rarest = shapes;
    for (size_t i = 0; i < *n; i++) {
        if (shapes[i].iterations == keys->iterations && shapes[i].salt_len == keys->salt_len)
            return &shapes[i];
        if (shapes[i].users < rarest->users)
            rarest = &shapes[i];
    }
    struct shape *taken = *n < SHAPES_MAX ? &shapes[(*n)++] : rarest;
    taken->iterations = keys->iterations;
    taken->salt_len = keys->salt_len;
    return taken;
}

/*
 * Where there are too many, a new shape takes over the count of the rarest (the algorithm called "space
 * saving"): one that more than each 32nd user has is there in the end, whatever the order.
 */
static size_t collect(const struct users *users, struct shape shapes[SHAPES_MAX], size_t *users_out)
{
    size_t n = 0;
    memset(shapes, 0, SHAPES_MAX * sizeof *shapes);
    *users_out = 0;
    for (size_t i = 0; i < users->n; i++) {
        if (!users->items[i].has_scram)
            continue;
        shape_of(&users->items[i].scram, shapes, &n)->users++;
        (*users_out)++;
    }
    qsort(shapes, n, sizeof *shapes, compare);
    return n;
}

/*
 * Each shape falls to as large a part of all names as it has of the users. So a rare one does not give a user
 * away, and a name keeps its shape when a user comes or goes, but for one name in as many as there are users.
 */
static struct shape choose(const struct users *users, uint64_t lot)
{
    struct shape shapes[SHAPES_MAX];
    size_t total;
    size_t n = collect(users, shapes, &total);
    size_t rank = (size_t)(((unsigned __int128)lot * total) >> 64);
    for (size_t i = 0; i < n; i++) {
        if (rank < shapes[i].users)
            return shapes[i];
        rank -= shapes[i].users;
    }
    return (struct shape){.iterations = SCRAM_ITERATIONS, .salt_len = SCRAM_SALT_SIZE};
}

enum status fake_keys_make(const struct fake_secret *secret, const struct users *users, const char *name,
                           struct scram_keys *keys_out, struct error *err)
{
    unsigned char lot_bytes[DIGEST_SIZE], salt[2 * DIGEST_SIZE];
    uint64_t lot;
    *keys_out = (struct scram_keys){0};
    if (!derive(secret, "shape", name, lot_bytes) || !derive(secret, "salt", name, salt) ||
        !derive(secret, "salt, continued", name, salt + DIGEST_SIZE) ||
        !derive(secret, "stored key", name, keys_out->stored_key) ||
        !derive(secret, "server key", name, keys_out->server_key))
        return error_set(err, STATUS_TEMPORARY, "out of memory for SCRAM keys");
    memcpy(&lot, lot_bytes, sizeof lot);
    struct shape shape = choose(users, lot);
    keys_out->iterations = shape.iterations;
    keys_out->salt_len = shape.salt_len;
    memcpy(keys_out->salt, salt, shape.salt_len);
    return STATUS_OK;
}
