#include "gateway/submission/limits.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of an IPv6 address that name the client's network. */
#define V6_PREFIX_BYTES 8

enum status limits_init(struct limits *limits, unsigned sessions_max, unsigned per_client_max,
                        struct error *err)
{
    *limits = (struct limits){.sessions_max = sessions_max, .per_client_max = per_client_max};
    limits->clients = calloc(sessions_max ? sessions_max : 1, sizeof *limits->clients);
    if (!limits->clients)
        return error_set(err, STATUS_TEMPORARY, "out of memory for %u sessions", sessions_max);
    return STATUS_OK;
}

void limits_free(struct limits *limits)
{
    free(limits->clients);
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

static struct limits_client *find(struct limits *limits, const struct client_key *key)
{
    for (size_t i = 0; i < limits->n_clients; i++)
        if (memcmp(&limits->clients[i].key, key, sizeof *key) == 0)
            return &limits->clients[i];
    return NULL;
}

bool limits_enter(struct limits *limits, const struct client_key *key)
{
    if (limits->sessions >= limits->sessions_max)
        return false;
    struct limits_client *client = find(limits, key);
    if ((client ? client->sessions : 0) >= limits->per_client_max)
        return false;
    if (!client) {
        client = &limits->clients[limits->n_clients++];
        *client = (struct limits_client){.key = *key};
    }
    client->sessions++;
    limits->sessions++;
    return true;
}

void limits_leave(struct limits *limits, const struct client_key *key)
{
    struct limits_client *client = find(limits, key);
    limits->sessions--;
    if (--client->sessions == 0)
        *client = limits->clients[--limits->n_clients];
}
