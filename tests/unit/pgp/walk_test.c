/* pgp_walk and pgp_packet_next read the same packets, in whatever pieces the data comes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it. */
#include <cmocka.h>
#include <string.h>

#include "pgp/packet.h"
#include "pgp/walk.h"
#include "tests/unit/pgp/armoring.h"

#define PACKETS_MAX 64

struct seen {
    struct pgp_walked packets[PACKETS_MAX];
    size_t n;
};

static enum status note(void *arg, const struct pgp_walked *packet, struct error *err)
{
    struct seen *seen = arg;

    if (seen->n == PACKETS_MAX)
        return error_set(err, STATUS_LIMIT, "too many packets");
    seen->packets[seen->n++] = *packet;
    return STATUS_OK;
}

static enum status walk(struct span data, size_t step, struct seen *seen)
{
    enum status status = STATUS_OK;
    struct pgp_walk walking;
    struct error err;

    seen->n = 0;
    pgp_walk_start(&walking, note, seen);
    for (size_t at = 0; at < data.len && status == STATUS_OK; at += step)
        status =
            pgp_walk_feed(&walking, span_of(data.p + at, data.len - at < step ? data.len - at : step), &err);
    return status == STATUS_OK ? pgp_walk_end(&walking, &err) : status;
}

static void assert_same_packet(const struct pgp_walked *walked, const struct pgp_packet *packet)
{
    size_t head = packet->body.len < PGP_WALK_HEAD ? packet->body.len : PGP_WALK_HEAD;

    assert_int_equal(walked->tag, packet->tag);
    assert_int_equal(walked->body_len, packet->body_len);
    assert_true(walked->head_len >= head);
    assert_memory_equal(walked->head, packet->body.p, head);
}

/* What pgp_packet_next makes of DATA, which walking in pieces of any size makes of it too. */
static enum status compare(struct span data)
{
    static const size_t steps[] = {1, 2, 3, 5, 511, SIZE_MAX};
    enum status status = STATUS_OK;

    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        struct span rest = data;
        struct pgp_packet packet;
        struct seen seen;
        struct error err;
        size_t n = 0;
        enum status walked = walk(data, steps[i], &seen);

        for (status = STATUS_OK; rest.len > 0 && status == STATUS_OK; n += status == STATUS_OK) {
            status = pgp_packet_next(&rest, &packet, &err);
            if (status == STATUS_OK) {
                assert_true(n < seen.n);
                assert_same_packet(&seen.packets[n], &packet);
            }
        }
        assert_int_equal(walked, status);
        assert_int_equal(seen.n, n);
    }
    return status;
}

/* Old and new format, every form of length, parts, an empty body. */
static void make(struct buf *out)
{
    buf_init(out, 1u << 20);
    buf_append(out, "\x84\x03\x03xy", 5);        /* one octet of length, old format */
    buf_append(out, "\x85\x00\x02xy", 5);        /* two */
    buf_append(out, "\x86\x00\x00\x00\x01x", 6); /* four */
    buf_append(out, "\xc1\x00\xc1\x01x", 5);     /* new format, and an empty body */
    buf_append(out, "\xc2\xc0\x00", 3);          /* two octets: 192 */
    for (int i = 0; i < 192; i++)
        buf_append_char(out, (char)i);
    buf_append(out, "\xc2\xff\x00\x00\x00\x02xy", 8); /* five */
    buf_append(out, "\xd2\xe9", 2);                   /* parts of 512, 1 and 2, and the last of 3 */
    for (int i = 0; i < 512; i++)
        buf_append_char(out, (char)i);
    buf_append(out, "\xe0x\xe1xy\x03xyz", 9);
    buf_append(out, "\xd4\xea", 2); /* 1024, and an empty last one */
    for (int i = 0; i < 1024; i++)
        buf_append_char(out, (char)i);
    buf_append_char(out, 0);
    packet_add(out, 13, span_str("Alice"), 0);
}

static void all_forms_of_lengths(void **state)
{
    struct buf data;

    (void)state;
    make(&data);
    assert_int_equal(compare(buf_span(&data)), STATUS_OK);
    buf_free(&data);
}

static void every_cut_and_every_flip(void **state)
{
    struct buf data;
    size_t refused = 0;

    (void)state;
    make(&data);
    for (size_t len = 0; len < data.len; len++)
        refused += compare(span_of(data.data, len)) != STATUS_OK;
    assert_true(refused > data.len / 2);
    for (size_t i = 0; i < data.len; i++) {
        data.data[i] ^= (uint8_t)(1 << i % 8);
        (void)(compare(buf_span(&data)) == STATUS_OK);
        data.data[i] ^= (uint8_t)(1 << i % 8);
    }
    buf_free(&data);
}

static void noise_is_read_alike(void **state)
{
    static const uint8_t starts[] = {0x84, 0xa3, 0xc1, 0xd2, 0xd4, 0xc9, 0xcb, 0xc0, 0x80, 0x3f, 0xff};
    uint32_t v = 4711;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        uint8_t bytes[600];

        for (size_t i = 0; i < sizeof bytes; i++) {
            v = v * 1664525u + 1013904223u;
            bytes[i] = (uint8_t)(v >> 24);
        }
        bytes[0] = starts[(size_t)round % sizeof starts];
        (void)(compare(span_of(bytes, (v >> 8) % sizeof bytes)) == STATUS_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_forms_of_lengths),
        cmocka_unit_test(every_cut_and_every_flip),
        cmocka_unit_test(noise_is_read_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
