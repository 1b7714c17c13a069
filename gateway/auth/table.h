/* The exchanges in hand: by their id, and how many each client has. Bounded (A20). */
#ifndef SEALGATE_AUTH_TABLE_H
#define SEALGATE_AUTH_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct exchange;

/* What an exchange is found by; the first member of struct exchange. */
struct table_entry {
    struct table_entry *next_by_id, *next_by_client;
    uint64_t id;        /* random: nobody steps into an exchange that is not theirs */
    uint8_t client[16]; /* table_client */
};

struct exchange_table {
    struct table_entry **by_id, **by_client; /* SIZE chains each; owned */
    size_t size;                             /* a power of two */
    size_t n;
    unsigned max, per_client_max;
};

MUST_USE enum status table_open(struct exchange_table *table, unsigned max, unsigned per_client_max,
                                struct error *err);
/* Empty by then. */
void table_close(struct exchange_table *table);

/* The client of an address in text: IPv4 address, or IPv6 /64. What is no address counts as one client. */
void table_client(const char *address, uint8_t client_out[16]);

/* Puts ENTRY, whose client is set, under a new id. STATUS_LIMIT: too many, in all or of this client;
 * STATUS_TEMPORARY: no random bytes. */
MUST_USE enum status table_add(struct exchange_table *table, struct table_entry *entry, struct error *err);
/* NULL: none. */
struct table_entry *table_find(const struct exchange_table *table, uint64_t id);
void table_remove(struct exchange_table *table, struct table_entry *entry);
/* Any; NULL: the table is empty. */
struct table_entry *table_any(const struct exchange_table *table);

#endif
