#include "gateway/net/network.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAPPED_BITS 96

static void take_v6(const struct in6_addr *from, struct network_address *out)
{
    *out = (struct network_address){.v6 = !IN6_IS_ADDR_V4MAPPED(from)};
    if (out->v6)
        memcpy(out->bytes, from, 16);
    else
        memcpy(out->bytes, from->s6_addr + 12, 4);
}

bool network_address_parse(const char *text, struct network_address *address_out)
{
    struct in6_addr v6;
    *address_out = (struct network_address){0};
    if (inet_pton(AF_INET, text, address_out->bytes) == 1)
        return true;
    if (inet_pton(AF_INET6, text, &v6) != 1)
        return false;
    take_v6(&v6, address_out);
    return true;
}

bool network_address_of(const struct sockaddr_storage *from, struct network_address *address_out)
{
    *address_out = (struct network_address){0};
    if (from->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const void *)from;
        memcpy(address_out->bytes, &v4->sin_addr, 4);
        return true;
    }
    if (from->ss_family != AF_INET6)
        return false;
    const struct sockaddr_in6 *v6 = (const void *)from;
    take_v6(&v6->sin6_addr, address_out);
    return true;
}

/* Do the first BITS agree? */
static bool same_prefix(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    if (memcmp(a, b, whole) != 0)
        return false;
    return rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0;
}

static bool is_clean(const struct network *n)
{
    uint8_t cut[16] = {0};
    memcpy(cut, n->address.bytes, n->bits / 8);
    if (n->bits % 8)
        cut[n->bits / 8] = n->address.bytes[n->bits / 8] & (uint8_t)(0xff00 >> (n->bits % 8));
    return memcmp(cut, n->address.bytes, sizeof cut) == 0;
}

static bool parse_bits(const char *text, unsigned max, unsigned *bits_out)
{
    size_t len = strlen(text);
    if (len < 1 || len > 3 || strspn(text, "0123456789") != len || (len > 1 && text[0] == '0'))
        return false;
    *bits_out = (unsigned)atoi(text);
    return *bits_out <= max;
}

static bool parse(const char *text, struct network *out)
{
    char address[INET6_ADDRSTRLEN];
    size_t len = strcspn(text, "/");
    const char *bits = text[len] == '/' ? text + len + 1 : NULL;
    if (len == 0 || len >= sizeof address)
        return false;
    memcpy(address, text, len);
    address[len] = '\0';
    if (!network_address_parse(address, &out->address))
        return false;
    unsigned width = out->address.v6 ? 128 : 32;
    out->bits = width;
    if (!bits)
        return true;
    bool mapped = !out->address.v6 && strchr(address, ':');
    if (!parse_bits(bits, mapped ? 128 : width, &out->bits))
        return false;
    if (mapped && out->bits < MAPPED_BITS)
        return false;
    out->bits -= mapped ? MAPPED_BITS : 0;
    return true;
}

enum status network_parse(const char *text, struct network *network_out, struct error *err)
{
    struct network n = {0};
    if (!parse(text, &n))
        return error_set(err, STATUS_INVALID,
                         "\"%.100s\" is no network: write \"192.0.2.0/24\", \"2001:db8::/32\" or one address",
                         text);
    if (!is_clean(&n))
        return error_set(err, STATUS_INVALID, "\"%.100s\" has bits set behind its prefix of %u", text,
                         n.bits);
    *network_out = n;
    return STATUS_OK;
}

enum status networks_parse(char *const *texts, size_t n, struct network **networks_out, struct error *err)
{
    *networks_out = NULL;
    if (n == 0)
        return STATUS_OK;
    struct network *networks = calloc(n, sizeof *networks);
    if (!networks)
        return error_set(err, STATUS_TEMPORARY, "out of memory for networks");
    for (size_t i = 0; i < n; i++) {
        enum status st = network_parse(texts[i], &networks[i], err);
        if (st != STATUS_OK) {
            free(networks);
            return st;
        }
    }
    *networks_out = networks;
    return STATUS_OK;
}

bool networks_have(const struct network *networks, size_t n, const struct network_address *address)
{
    for (size_t i = 0; i < n; i++)
        if (networks[i].address.v6 == address->v6 &&
            same_prefix(networks[i].address.bytes, address->bytes, networks[i].bits))
            return true;
    return false;
}

void network_peer_text(const struct sockaddr *peer, char out[NETWORK_PEER_SIZE])
{
    const struct sockaddr_in *v4 = (const void *)peer;
    const struct sockaddr_in6 *v6 = (const void *)peer;
    if (peer->sa_family == AF_INET)
        inet_ntop(AF_INET, &v4->sin_addr, out, NETWORK_PEER_SIZE);
    else if (peer->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
        inet_ntop(AF_INET, v6->sin6_addr.s6_addr + 12, out, NETWORK_PEER_SIZE);
    else if (peer->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &v6->sin6_addr, out, NETWORK_PEER_SIZE);
    else
        snprintf(out, NETWORK_PEER_SIZE, "local");
}

bool network_is_public(const struct network_address *address)
{
    static const struct network never[] = {
        {{false, {0}}, 8},
        {{false, {10}}, 8},
        {{false, {100, 64}}, 10},
        {{false, {127}}, 8},
        {{false, {169, 254}}, 16},
        {{false, {172, 16}}, 12},
        {{false, {192, 0, 0}}, 24},
        {{false, {192, 0, 2}}, 24},
        {{false, {192, 88, 99}}, 24},
        {{false, {192, 168}}, 16},
        {{false, {198, 18}}, 15},
        {{false, {198, 51, 100}}, 24},
        {{false, {203, 0, 113}}, 24},
        {{false, {224}}, 3},
        {{true, {0x20, 0x01}}, 23},
        {{true, {0x20, 0x01, 0x0d, 0xb8}}, 32},
        {{true, {0x20, 0x02}}, 16},
        {{true, {0x3f, 0xff}}, 20},
    };
    /* What IANA gave out of IPv6 as global unicast. */
    static const struct network global[] = {{{true, {0x20}}, 3}};
    if (address->v6 && !networks_have(global, 1, address))
        return false;
    return !networks_have(never, sizeof never / sizeof never[0], address);
}

size_t networks_keep_allowed(const struct network *networks, size_t n, const struct sockaddr_storage *from,
                             size_t n_from, struct sockaddr_storage *out)
{
    size_t kept = 0;
    for (size_t i = 0; i < n_from; i++) {
        struct network_address address;
        if (network_address_of(&from[i], &address) &&
            (network_is_public(&address) || networks_have(networks, n, &address)))
            out[kept++] = from[i];
    }
    return kept;
}
