/*
 * The PROXY header (A31): read as the connection reads it, asking for no byte that belongs to the client, it
 * ends in the same answer whatever pieces it comes in, and an address is believed only from a header that
 * holds together. Input: what stands at the front of the connection.
 */
#include <netinet/in.h>
#include <string.h>

#include "gateway/wire/proxy_header.h"
#include "tests/fuzz/fuzz.h"

static size_t header_length(struct span in)
{
    return PROXY_HEADER_FIXED + ((size_t)(uint8_t)in.p[14] << 8 | (uint8_t)in.p[15]);
}

/* By the text of the protocol, §2.2. */
static void check_client(struct span in, const struct sockaddr_storage *client)
{
    const struct sockaddr_in *v4 = (const void *)client;
    const struct sockaddr_in6 *v6 = (const void *)client;
    require(in.p[12] == 0x21);
    if (client->ss_family == AF_INET) {
        require(in.p[13] == 0x11 && memcmp(&v4->sin_addr, in.p + 16, 4) == 0 &&
                memcmp(&v4->sin_port, in.p + 24, 2) == 0);
    } else {
        require(client->ss_family == AF_INET6 && in.p[13] == 0x21);
        require(memcmp(&v6->sin6_addr, in.p + 16, 16) == 0 && memcmp(&v6->sin6_port, in.p + 48, 2) == 0);
    }
}

/* The answer for the first LEN bytes; what it says must hold for every answer. */
static enum proxy_result parse(struct span in, size_t len, size_t *used_out)
{
    struct sockaddr_storage client;
    enum proxy_result result = proxy_header_parse(span_of(in.p, len), &client, used_out);
    if (result == PROXY_MORE)
        require(*used_out > len && *used_out <= PROXY_HEADER_FIXED + PROXY_HEADER_REST_MAX);
    if (result == PROXY_CLIENT || result == PROXY_LOCAL)
        require(*used_out <= len && *used_out == header_length(in));
    if (result == PROXY_CLIENT)
        check_client(in, &client);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct span in = span_of(bytes, len);
    size_t used, wanted = 0;
    enum proxy_result whole = parse(in, len, &used), step = PROXY_MORE;
    require(whole == PROXY_BAD || memcmp(in.p ? in.p : "", "\r\n\r\n\0\r\nQUIT\n", len < 12 ? len : 12) == 0);
    /* As a reader does who takes only what was asked for. */
    while (step == PROXY_MORE && wanted <= len) {
        step = parse(in, wanted, &used);
        require(step != PROXY_MORE || used > wanted);
        if (step == PROXY_MORE)
            wanted = used;
    }
    /* Who waits for the rest of a header has not yet refused it. */
    require(step == whole || (step == PROXY_MORE && whole == PROXY_BAD));
    /* Byte by byte: never undecided again once it was refused, never refused once it was taken. */
    bool decided = false;
    for (size_t i = 0; i <= len; i++) {
        enum proxy_result now = parse(in, i, &used);
        require(!decided || now == whole);
        decided = now != PROXY_MORE;
    }
    return 0;
}
