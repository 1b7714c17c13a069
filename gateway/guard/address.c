#include "gateway/guard/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

/* Bytes of the network (IPv4 /24, IPv6 /64). */
#define V4_NETWORK 3
#define V6_NETWORK 8

static void read_v4(struct in_addr v4, struct address *a)
{
    char first[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &v4, a->host, sizeof a->host);
    memset((uint8_t *)&v4 + V4_NETWORK, 0, sizeof v4 - V4_NETWORK);
    inet_ntop(AF_INET, &v4, first, sizeof first);
    snprintf(a->network, sizeof a->network, "%s/24", first);
    memcpy(a->client, a->host, sizeof a->client);
}

static void read_v6(struct in6_addr v6, struct address *a)
{
    char first[INET6_ADDRSTRLEN];
    a->is_v6 = true;
    inet_ntop(AF_INET6, &v6, a->host, sizeof a->host);
    memset(v6.s6_addr + V6_NETWORK, 0, sizeof v6.s6_addr - V6_NETWORK);
    inet_ntop(AF_INET6, &v6, first, sizeof first);
    snprintf(a->network, sizeof a->network, "%s/64", first);
    memcpy(a->client, a->network, sizeof a->client);
}

void address_read(const char *text, struct address *address_out)
{
    struct in_addr v4;
    struct in6_addr v6;
    *address_out = (struct address){0};
    snprintf(address_out->host, sizeof address_out->host, "%.*s", (int)strcspn(text, "%/"), text);
    if (inet_pton(AF_INET, address_out->host, &v4) == 1) {
        read_v4(v4, address_out);
    } else if (inet_pton(AF_INET6, address_out->host, &v6) != 1) {
        snprintf(address_out->host, sizeof address_out->host, "%s", text);
        memcpy(address_out->client, address_out->host, sizeof address_out->client);
    } else if (IN6_IS_ADDR_V4MAPPED(&v6)) {
        memcpy(&v4, v6.s6_addr + 12, sizeof v4);
        read_v4(v4, address_out);
    } else {
        read_v6(v6, address_out);
    }
}
