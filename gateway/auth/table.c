#include "gateway/auth/table.h"

#include <arpa/inet.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_MIN 16
#define SIZE_MAX_CHAINS 16384
/* Bytes of an IPv6 address that name the client's network. */
#define V6_PREFIX_BYTES 8

enum status table_open(struct exchange_table *table, unsigned max, unsigned per_client_max, struct error *err)
{
    size_t size = SIZE_MIN;
    while (size < max && size < SIZE_MAX_CHAINS)
        size *= 2;
    *table = (struct exchange_table){.size = size, .max = max, .per_client_max = per_client_max};
    table->by_id = calloc(size, sizeof(struct table_entry *));
    table->by_client = calloc(size, sizeof(struct table_entry *));
    if (table->by_id && table->by_client)
        return STATUS_OK;
    table_close(table);
    return error_set(err, STATUS_TEMPORARY, "out of memory for %u authentications", max);
}

void table_close(struct exchange_table *table)
{
    free(table->by_id);
    free(table->by_client);
    *table = (struct exchange_table){0};
}

void table_client(const char *address, uint8_t client_out[16])
{
    struct in6_addr v6;
    struct in_addr v4;
    memset(client_out, 0, 16);
    if (inet_pton(AF_INET, address, &v4) == 1) {
        client_out[10] = client_out[11] = 0xff;
        memcpy(client_out + 12, &v4, 4);
    } else if (inet_pton(AF_INET6, address, &v6) == 1) {
        memcpy(client_out, &v6, V6_PREFIX_BYTES);
    }
}

static struct table_entry **id_chain(const struct exchange_table *table, uint64_t id)
{
    return &table->by_id[id & (table->size - 1)];
}

/* FNV-1a: at worst, somebody with many addresses makes one chain long, up to the size of the table. */
static struct table_entry **client_chain(const struct exchange_table *table, const uint8_t client[16])
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (int i = 0; i < 16; i++)
        hash = (hash ^ client[i]) * 0x100000001b3u;
    return &table->by_client[(hash ^ hash >> 32) & (table->size - 1)];
}

static unsigned count_client(const struct exchange_table *table, const uint8_t client[16])
{
    unsigned n = 0;
    for (const struct table_entry *e = *client_chain(table, client); e; e = e->next_by_client)
        n += memcmp(e->client, client, sizeof e->client) == 0;
    return n;
}

enum status table_add(struct exchange_table *table, struct table_entry *entry, struct error *err)
{
    if (table->n >= table->max)
        return error_set(err, STATUS_LIMIT, "%zu authentications at the same time", table->n);
    if (count_client(table, entry->client) >= table->per_client_max)
        return error_set(err, STATUS_LIMIT, "%u authentications of a client at the same time",
                         table->per_client_max);
    do {
        if (RAND_bytes((unsigned char *)&entry->id, sizeof entry->id) != 1)
            return error_set(err, STATUS_TEMPORARY, "no random bytes for an authentication");
    } while (entry->id == 0 || table_find(table, entry->id));
    struct table_entry **by_id = id_chain(table, entry->id);
    struct table_entry **by_client = client_chain(table, entry->client);
    entry->next_by_id = *by_id;
    entry->next_by_client = *by_client;
    *by_id = *by_client = entry;
    table->n++;
    return STATUS_OK;
}

struct table_entry *table_find(const struct exchange_table *table, uint64_t id)
{
    struct table_entry *e = *id_chain(table, id);
    while (e && e->id != id)
        e = e->next_by_id;
    return e;
}

void table_remove(struct exchange_table *table, struct table_entry *entry)
{
    struct table_entry **at = id_chain(table, entry->id);
    while (*at != entry)
        at = &(*at)->next_by_id;
    *at = entry->next_by_id;
    at = client_chain(table, entry->client);
    while (*at != entry)
        at = &(*at)->next_by_client;
    *at = entry->next_by_client;
    table->n--;
}

struct table_entry *table_any(const struct exchange_table *table)
{
    for (size_t i = 0; i < table->size; i++)
        if (table->by_id[i])
            return table->by_id[i];
    return NULL;
}
