#include "gateway/submission/limits.h"

#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of an IPv6 address that name the client's network. */
#define V6_PREFIX_BYTES 8

enum status limits_init(struct limits *limits, unsigned sessions_max, unsigned per_client_max,
                        struct error *err)
{
    size_t room = sessions_max ? sessions_max : 1;
    *limits = (struct limits){.sessions_max = sessions_max, .per_client_max = per_client_max, .n_buckets = 1};
    while (limits->n_buckets < room)
        limits->n_buckets *= 2;
    limits->clients = calloc(room, sizeof *limits->clients);
    limits->buckets = calloc(limits->n_buckets, sizeof *limits->buckets);
    if (!limits->clients || !limits->buckets ||
        RAND_bytes((unsigned char *)limits->seed, sizeof limits->seed) != 1) {
        limits_free(limits);
        return error_set(err, STATUS_TEMPORARY, "out of memory for %u sessions", sessions_max);
    }
    for (size_t i = 0; i + 1 < room; i++)
        limits->clients[i].next = (uint32_t)i + 2;
    limits->free = 1;
    return STATUS_OK;
}

void limits_free(struct limits *limits)
{
    free(limits->clients);
    free(limits->buckets);
    *limits = (struct limits){0};
}

struct client_key limits_key(const struct sockaddr_storage *address)
{
    struct client_key key = {0};
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const void *)address;
        key.bytes[10] = key.bytes[11] = 0xff;
        memcpy(key.bytes + 12, &v4->sin_addr, 4);
    } else if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const void *)address;
        bool mapped = IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr);
        memcpy(key.bytes, &v6->sin6_addr, mapped ? sizeof key.bytes : V6_PREFIX_BYTES);
    }
    return key;
}

struct client_key limits_user_key(const char *user)
{
    struct client_key key = {0};
    unsigned char digest[EVP_MAX_MD_SIZE];
    /* Without a digest all users count as one: too strict, never too lax. */
    if (EVP_Digest(user, strlen(user), digest, NULL, EVP_sha256(), NULL) == 1)
        memcpy(key.bytes, digest, sizeof key.bytes);
    return key;
}

/* Multiplications by secret odd numbers: who does not know them cannot fill one bucket on purpose. */
static uint32_t *bucket_of(struct limits *limits, const struct client_key *key)
{
    uint64_t half[2];
    memcpy(half, key->bytes, sizeof half);
    uint64_t hash = (half[0] ^ limits->seed[1]) * (limits->seed[0] | 1);
    hash ^= hash >> 32;
    hash = (hash ^ half[1]) * (limits->seed[1] | 1);
    hash ^= hash >> 29;
    return &limits->buckets[hash & (limits->n_buckets - 1)];
}

/* The link that leads to KEY's client; one that is 0: it has none. */
static uint32_t *find(struct limits *limits, const struct client_key *key)
{
    uint32_t *link = bucket_of(limits, key);
    while (*link && memcmp(&limits->clients[*link - 1].key, key, sizeof *key) != 0)
        link = &limits->clients[*link - 1].next;
    return link;
}

bool limits_enter_unknown(struct limits *limits)
{
    if (limits->sessions >= limits->sessions_max)
        return false;
    limits->sessions++;
    return true;
}

void limits_leave_unknown(struct limits *limits)
{
    limits->sessions--;
}

bool limits_identify(struct limits *limits, const struct client_key *key)
{
    uint32_t *link = find(limits, key);
    if ((*link ? limits->clients[*link - 1].sessions : 0) >= limits->per_client_max)
        return false;
    if (!*link) {
        /* There is room: no more clients than sessions, and this one is counted. */
        *link = limits->free;
        struct limits_client *fresh = &limits->clients[*link - 1];
        limits->free = fresh->next;
        *fresh = (struct limits_client){.key = *key};
        limits->n_clients++;
    }
    limits->clients[*link - 1].sessions++;
    return true;
}

bool limits_enter(struct limits *limits, const struct client_key *key)
{
    if (!limits_enter_unknown(limits))
        return false;
    if (limits_identify(limits, key))
        return true;
    limits_leave_unknown(limits);
    return false;
}

void limits_leave(struct limits *limits, const struct client_key *key)
{
    uint32_t *link = find(limits, key), index = *link;
    struct limits_client *client = &limits->clients[index - 1];
    limits->sessions--;
    if (--client->sessions > 0)
        return;
    *link = client->next;
    client->next = limits->free;
    limits->free = index;
    limits->n_clients--;
}
