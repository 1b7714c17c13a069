#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "gateway/wire/proxy_header.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V4 "\xc0\x00\x02\x07\x0a\x00\x00\x01\xc3\x50\x01\xd1" /* 192.0.2.7:50000 → 10.0.0.1:465 */
#define V6                                                                                                   \
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x09"                                                             \
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"                                                             \
    "\xc3\x50\x01\xd1"
#define BYTES(s) s, sizeof s - 1

struct header {
    char bytes[PROXY_HEADER_FIXED + 65536];
    size_t len;
};

static void make(struct header *h, int command, int family, const void *rest, size_t len)
{
    memcpy(h->bytes, SIGNATURE, 12);
    h->bytes[12] = (char)command;
    h->bytes[13] = (char)family;
    h->bytes[14] = (char)(len >> 8);
    h->bytes[15] = (char)len;
    if (len > 0)
        memcpy(h->bytes + PROXY_HEADER_FIXED, rest, len);
    h->len = PROXY_HEADER_FIXED + len;
}

static const char *text_of(const struct sockaddr_storage *ss)
{
    static char text[INET6_ADDRSTRLEN + 8];
    char host[INET6_ADDRSTRLEN] = "";
    const struct sockaddr_in *v4 = (const void *)ss;
    const struct sockaddr_in6 *v6 = (const void *)ss;
    if (ss->ss_family == AF_INET)
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
    else if (ss->ss_family == AF_INET6)
        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
    else
        return "";
    snprintf(text, sizeof text, "%s %u", host,
             ntohs(ss->ss_family == AF_INET ? v4->sin_port : v6->sin6_port));
    return text;
}

static void headers(void **state)
{
    (void)state;
    static const struct {
        int command, family;
        const char *rest;
        size_t len;
        enum proxy_result want;
        const char *client;
    } cases[] = {
        {0x21, 0x11, BYTES(V4), PROXY_CLIENT, "192.0.2.7 50000"},
        {0x21, 0x21, BYTES(V6), PROXY_CLIENT, "2001:db8::9 50000"},
        /* TLVs are passed over when they hold together. */
        {0x21, 0x11, BYTES(V4 "\x01\x00\x02h2\x04\x00\x00"), PROXY_CLIENT, "192.0.2.7 50000"},
        {0x21, 0x11, BYTES(V4 "\x01\x00\x03h2"), PROXY_BAD, ""},
        {0x21, 0x11, BYTES(V4 "\x01\x00"), PROXY_BAD, ""},
        {0x21, 0x21, BYTES(V6 "\x01\xff\xffh2"), PROXY_BAD, ""},
        /* Too short for the family that it names. */
        {0x21, 0x11, "", 0, PROXY_BAD, ""},
        {0x21, 0x11, V4, 11, PROXY_BAD, ""},
        {0x21, 0x21, V6, 35, PROXY_BAD, ""},
        {0x21, 0x31, V6, 36, PROXY_BAD, ""},
        /* The balancer itself, whatever else stands there. */
        {0x20, 0x00, "", 0, PROXY_LOCAL, ""},
        {0x20, 0x11, BYTES(V4), PROXY_LOCAL, ""},
        {0x20, 0xff, BYTES("junk"), PROXY_LOCAL, ""},
        {0x21, 0x00, "", 0, PROXY_LOCAL, ""},
        {0x21, 0x00, BYTES("junk"), PROXY_LOCAL, ""},
        {0x21, 0x10, BYTES(V4), PROXY_LOCAL, ""},
        /* Not TCP, and numbers that nobody has defined. */
        {0x21, 0x12, BYTES(V4), PROXY_BAD, ""},
        {0x21, 0x22, BYTES(V6), PROXY_BAD, ""},
        {0x21, 0x13, BYTES(V4), PROXY_BAD, ""},
        {0x21, 0x41, BYTES(V6), PROXY_BAD, ""},
        {0x22, 0x11, BYTES(V4), PROXY_BAD, ""},
        {0x11, 0x11, BYTES(V4), PROXY_BAD, ""},
        {0x31, 0x11, BYTES(V4), PROXY_BAD, ""},
        {0x01, 0x11, BYTES(V4), PROXY_BAD, ""},
    };
    static struct header h;
    struct sockaddr_storage client;
    size_t used;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        make(&h, cases[i].command, cases[i].family, cases[i].rest, cases[i].len);
        assert_int_equal(proxy_header_parse(span_of(h.bytes, h.len), &client, &used), cases[i].want);
        if (cases[i].want == PROXY_BAD)
            continue;
        assert_int_equal(used, h.len);
        assert_string_equal(text_of(&client), cases[i].client);
    }
}

static void a_unix_client_is_the_balancer(void **state)
{
    (void)state;
    static struct header h;
    static const char paths[216];
    struct sockaddr_storage client;
    size_t used;
    make(&h, 0x21, 0x31, paths, sizeof paths);
    assert_int_equal(proxy_header_parse(span_of(h.bytes, h.len), &client, &used), PROXY_LOCAL);
    assert_int_equal(used, h.len);
}

/* Whoever reads only what is asked for takes no byte of the client. */
static void asks_for_no_byte_behind_the_header(void **state)
{
    (void)state;
    static struct header h;
    struct sockaddr_storage client;
    size_t have = 0, used = 0;
    enum proxy_result result;
    make(&h, 0x21, 0x11, BYTES(V4 "\x04\x00\x05\0\0\0\0\0"));
    memcpy(h.bytes + h.len, "EHLO", 4);
    while ((result = proxy_header_parse(span_of(h.bytes, have), &client, &used)) == PROXY_MORE) {
        assert_true(used > have);
        assert_true(used <= h.len);
        have++;
    }
    assert_int_equal(result, PROXY_CLIENT);
    assert_int_equal(have, h.len);
    /* And with more behind it, the length is that of the header. */
    assert_int_equal(proxy_header_parse(span_of(h.bytes, h.len + 4), &client, &used), PROXY_CLIENT);
    assert_int_equal(used, h.len);
}

static void what_is_no_header_is_known_at_the_first_wrong_byte(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
    } cases[] = {
        {BYTES("PROXY TCP4 192.0.2.7 10.0.0.1 50000 465\r\n")}, /* version 1 */
        {BYTES("P")},
        {BYTES("EHLO x\r\n")},
        {BYTES("\x16\x03\x01")},
        {BYTES("\r\n\r\nQUIT\r\n")},
        {BYTES("\r\n\r\n\0\r\nQUIT\r")},
        {BYTES(SIGNATURE "\x11")},
        {BYTES(SIGNATURE "\x21\x11\x20\x01")}, /* 8193 bytes to follow */
        {BYTES(SIGNATURE "\x20\x00\xff\xff")},
    };
    struct sockaddr_storage client;
    size_t used;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(proxy_header_parse(span_of(cases[i].bytes, cases[i].len), &client, &used),
                         PROXY_BAD);
    assert_int_equal(proxy_header_parse(span_of(BYTES(SIGNATURE "\x20\x00\x20\x00")), &client, &used),
                     PROXY_MORE);
    assert_int_equal(used, PROXY_HEADER_FIXED + PROXY_HEADER_REST_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers),
        cmocka_unit_test(a_unix_client_is_the_balancer),
        cmocka_unit_test(asks_for_no_byte_behind_the_header),
        cmocka_unit_test(what_is_no_header_is_known_at_the_first_wrong_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
