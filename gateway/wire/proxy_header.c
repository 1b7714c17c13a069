#include "gateway/wire/proxy_header.h"

#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

static const char signature[12] = {'\r', '\n', '\r', '\n', '\0', '\r', '\n', 'Q', 'U', 'I', 'T', '\n'};

enum { COMMAND_LOCAL = 0x20, COMMAND_PROXY = 0x21 };            /* version 2 in the upper half */
enum { FAMILY_UNSPEC, FAMILY_INET, FAMILY_INET6, FAMILY_UNIX }; /* upper half of byte 13 */
enum { PROTOCOL_UNSPEC, PROTOCOL_STREAM, PROTOCOL_DGRAM };      /* lower half */
enum { INET_SIZE = 12, INET6_SIZE = 36, UNIX_SIZE = 216, TLV_HEAD = 3 };

static size_t sixteen_bits(const char *p)
{
    return (size_t)(uint8_t)p[0] << 8 | (uint8_t)p[1];
}

static bool take_inet(struct span rest, struct sockaddr_storage *out)
{
    struct sockaddr_in *v4 = (void *)out;
    if (rest.len < INET_SIZE)
        return false;
    v4->sin_family = AF_INET;
    memcpy(&v4->sin_addr, rest.p, 4);
    memcpy(&v4->sin_port, rest.p + 8, 2);
    return true;
}

static bool take_inet6(struct span rest, struct sockaddr_storage *out)
{
    struct sockaddr_in6 *v6 = (void *)out;
    if (rest.len < INET6_SIZE)
        return false;
    v6->sin6_family = AF_INET6;
    memcpy(&v6->sin6_addr, rest.p, 16);
    memcpy(&v6->sin6_port, rest.p + 32, 2);
    return true;
}

/* What they say is not needed, but a header that does not hold together is not believed at all. */
static bool tlvs_are_whole(struct span tlvs)
{
    while (tlvs.len > 0) {
        if (tlvs.len < TLV_HEAD)
            return false;
        size_t len = TLV_HEAD + sixteen_bits(tlvs.p + 1);
        if (len > tlvs.len)
            return false;
        tlvs = span_of(tlvs.p + len, tlvs.len - len);
    }
    return true;
}

/* The fixed part as far as it is there. */
static bool may_be_header(struct span input)
{
    size_t known = input.len < sizeof signature ? input.len : sizeof signature;
    if (memcmp(input.p, signature, known) != 0)
        return false;
    if (input.len > 12 && (uint8_t)input.p[12] != COMMAND_LOCAL && (uint8_t)input.p[12] != COMMAND_PROXY)
        return false;
    return input.len < PROXY_HEADER_FIXED || sixteen_bits(input.p + 14) <= PROXY_HEADER_REST_MAX;
}

static enum proxy_result take_addresses(uint8_t family_and_protocol, struct span rest,
                                        struct sockaddr_storage *out)
{
    unsigned family = family_and_protocol >> 4, protocol = family_and_protocol & 15;
    size_t size = 0;
    bool taken = true;
    if (family > FAMILY_UNIX || protocol > PROTOCOL_DGRAM)
        return PROXY_BAD;
    /* "UNSPEC: the receiver should ignore address information"; so is any length then. */
    if (family == FAMILY_UNSPEC || protocol == PROTOCOL_UNSPEC)
        return PROXY_LOCAL;
    /* SMTP over datagrams there is none. */
    if (protocol == PROTOCOL_DGRAM)
        return PROXY_BAD;
    if (family == FAMILY_UNIX) {
        size = UNIX_SIZE;
        taken = rest.len >= UNIX_SIZE;
    } else if (family == FAMILY_INET) {
        size = INET_SIZE;
        taken = take_inet(rest, out);
    } else {
        size = INET6_SIZE;
        taken = take_inet6(rest, out);
    }
    if (!taken || !tlvs_are_whole(span_of(rest.p + size, rest.len - size)))
        return PROXY_BAD;
    return family == FAMILY_UNIX ? PROXY_LOCAL : PROXY_CLIENT;
}

enum proxy_result proxy_header_parse(struct span input, struct sockaddr_storage *client_out, size_t *used_out)
{
    memset(client_out, 0, sizeof *client_out);
    *used_out = PROXY_HEADER_FIXED;
    if (input.len == 0)
        return PROXY_MORE;
    if (!may_be_header(input))
        return PROXY_BAD;
    if (input.len < PROXY_HEADER_FIXED)
        return PROXY_MORE;
    size_t rest = sixteen_bits(input.p + 14);
    *used_out = PROXY_HEADER_FIXED + rest;
    if (input.len < *used_out)
        return PROXY_MORE;
    if ((uint8_t)input.p[12] == COMMAND_LOCAL)
        return PROXY_LOCAL;
    return take_addresses((uint8_t)input.p[13], span_of(input.p + PROXY_HEADER_FIXED, rest), client_out);
}
