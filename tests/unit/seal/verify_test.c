/* The last look at a finished copy: whatever is not exactly right is found (promise 5, A12). */
#include "tests/unit/seal/world.h"

#include "base/memfile.h"
#include "gateway/seal/verify.h"

static const char outer[] = "Received: from a by b; Tue, 14 Nov 2023 22:13:20 +0000\r\n"
                            "From: alice@example.org\r\n"
                            "To: bob@example.com, carol@example.net\r\n";
static const char inner[] = "Subject: x\r\n\r\nCANARY\r\n";
/* In two pieces, as real ones come. */
static const struct span inner_pieces[] = {{inner, 12}, {inner + 12, sizeof inner - 13}};

struct made {
    struct world world;
    struct seal seal;
    const struct certificate *readers[CERTIFICATE_SMIME + 1][PEOPLE];
    struct sealed_order order[CERTIFICATE_SMIME + 1]; /* by format */
    struct buf copy[CERTIFICATE_SMIME + 1];
};

/* The copy that ORDER makes, appended to COPY. */
static enum status copy_of(const struct made *m, const struct sealed_order *order, struct buf *copy,
                           struct error *err)
{
    struct seal_bodies bodies;
    struct sealed_made made;
    struct span body;
    struct sink sink = seal_bodies_sink(&bodies);
    assert_int_equal(seal_bodies_open(&bodies, err), STATUS_OK);
    /* What lies in front of it is another's. */
    assert_int_equal(sink_write(&sink, span_str("another body"), err), STATUS_OK);
    enum status st = sealed_copy(&m->seal, order, &bodies, &made, err);
    if (st == STATUS_OK) {
        assert_int_equal(made.place.at, 12);
        assert_int_equal(made.place.at + made.place.len, bodies.len);
        assert_int_equal(seal_bodies_map(&bodies, made.place, &body, err), STATUS_OK);
        buf_append_span(copy, body);
        memfile_unmap(body);
    }
    seal_bodies_close(&bodies);
    return st;
}

static void make_copy(struct made *m, enum certificate_format format, enum who one, enum who two)
{
    struct error err;
    m->readers[format][0] = &m->world.certificates[one];
    m->readers[format][1] = &m->world.certificates[two];
    m->order[format] = (struct sealed_order){.outer = span_str(outer),
                                             .inner = {.items = inner_pieces, .n = 2},
                                             .format = format,
                                             .certificates = m->readers[format],
                                             .n = 2};
    buf_init(&m->copy[format], 1u << 20);
    if (copy_of(m, &m->order[format], &m->copy[format], &err) != STATUS_OK)
        fail_msg("%s", err.text);
}

static int make(void **state)
{
    struct made *m = calloc(1, sizeof *m);
    struct error err;
    assert_non_null(m);
    world_make(&m->world);
    if (seal_open(&m->world.settings, &m->seal, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    make_copy(m, CERTIFICATE_OPENPGP, BOB, CAROL);
    make_copy(m, CERTIFICATE_SMIME, DAVE, ERIN);
    *state = m;
    return 0;
}

static int end(void **state)
{
    struct made *m = *state;
    buf_free(&m->copy[CERTIFICATE_OPENPGP]);
    buf_free(&m->copy[CERTIFICATE_SMIME]);
    seal_close(&m->seal);
    world_free(&m->world);
    free(m);
    return 0;
}

static enum status verify(const struct made *m, enum certificate_format format, struct span copy)
{
    struct error err;
    return verify_copy(copy, &m->order[format], &err);
}

static void what_was_made_is_right(void **state)
{
    struct made *m = *state;
    assert_int_equal(verify(m, CERTIFICATE_OPENPGP, buf_span(&m->copy[CERTIFICATE_OPENPGP])), STATUS_OK);
    assert_int_equal(verify(m, CERTIFICATE_SMIME, buf_span(&m->copy[CERTIFICATE_SMIME])), STATUS_OK);
}

/* The copy with WHAT put in at AT, or for a NULL WHAT with one byte taken out or changed. */
static void changed(struct span copy, size_t at, size_t without, const char *what, struct buf *out)
{
    buf_reset(out);
    buf_append(out, copy.p, at);
    buf_append_str(out, what);
    buf_append(out, copy.p + at + without, copy.len - at - without);
    assert_false(out->failed);
}

/* A11, A12: OpenPGP has a checksum over all of the data, so every changed byte shows; of S/MIME ciphertext
 * only a wrong form does. */
static void a12_every_byte_counts(void **state)
{
    struct made *m = *state;
    struct buf other;
    buf_init(&other, 1u << 20);
    for (enum certificate_format format = CERTIFICATE_OPENPGP; format <= CERTIFICATE_SMIME; format++) {
        struct span copy = buf_span(&m->copy[format]);
        const char *separator = memmem(copy.p, copy.len, "\r\n\r\n", 4);
        assert_non_null(separator);
        size_t header_len = (size_t)(separator + 4 - copy.p);
        for (size_t at = 0; at < copy.len; at++) {
            const char byte[] = {(char)(copy.p[at] ^ 1), '\0'};
            changed(copy, at, 1, "", &other);
            if (verify(m, format, buf_span(&other)) == STATUS_OK)
                fail_msg("format %d without its byte %zu", (int)format, at);
            changed(copy, at, 0, "A", &other);
            if (verify(m, format, buf_span(&other)) == STATUS_OK)
                fail_msg("format %d with one more byte at %zu", (int)format, at);
            changed(copy, at, 1, byte, &other);
            if ((format == CERTIFICATE_OPENPGP || at < header_len) &&
                verify(m, format, buf_span(&other)) == STATUS_OK)
                fail_msg("format %d with its byte %zu changed", (int)format, at);
        }
    }
    buf_free(&other);
}

static void a12_cut_copies_are_found(void **state)
{
    struct made *m = *state;
    for (enum certificate_format format = CERTIFICATE_OPENPGP; format <= CERTIFICATE_SMIME; format++)
        for (size_t len = 0; len < m->copy[format].len; len++)
            if (verify(m, format, span_of(m->copy[format].data, len)) == STATUS_OK)
                fail_msg("format %d, %zu bytes", (int)format, len);
}

/* Puts INSERTED before the first BEFORE in the copy (NULL: at its end). */
static void see_found(const struct made *m, enum certificate_format format, const char *before,
                      const char *inserted)
{
    struct span copy = buf_span(&m->copy[format]);
    struct buf other;
    const char *at = before ? memmem(copy.p, copy.len, before, strlen(before)) : copy.p + copy.len;
    assert_non_null(at);
    buf_init(&other, 1u << 20);
    changed(copy, (size_t)(at - copy.p), 0, inserted, &other);
    if (verify(m, format, buf_span(&other)) != STATUS_INTERNAL)
        fail_msg("format %d takes \"%s\" before \"%s\"", (int)format, inserted, before);
    buf_free(&other);
}

static void a12_nothing_stands_before_behind_or_beside(void **state)
{
    static const struct {
        enum certificate_format format;
        const char *before, *inserted;
    } cases[] = {
        {CERTIFICATE_OPENPGP, "Received:", "Bcc: heidi@example.com\r\n"},
        {CERTIFICATE_OPENPGP, "MIME-Version:", "Bcc: heidi@example.com\r\n"},
        {CERTIFICATE_OPENPGP, "MIME-Version:", "Content-Type: text/plain\r\n"},
        {CERTIFICATE_OPENPGP, "\r\n--=_", "Content-Transfer-Encoding: base64\r\n"},
        {CERTIFICATE_OPENPGP, "--=_", "CANARY\r\n"},
        {CERTIFICATE_OPENPGP, "--=_", "\r\n"},
        {CERTIFICATE_OPENPGP, "Version: 1", "CANARY\r\n"},
        {CERTIFICATE_OPENPGP, "\r\nVersion: 1", "Content-Description: CANARY\r\n"},
        {CERTIFICATE_OPENPGP, "-----BEGIN", "CANARY\r\n"},
        {CERTIFICATE_OPENPGP, "-----BEGIN", "\r\n"},
        {CERTIFICATE_OPENPGP, NULL, "CANARY\r\n"},
        {CERTIFICATE_OPENPGP, NULL, "\r\n"},
        {CERTIFICATE_SMIME, "MIME-Version:", "Bcc: heidi@example.com\r\n"},
        {CERTIFICATE_SMIME, "MIME-Version:", "Content-Type: text/plain\r\n"},
        {CERTIFICATE_SMIME, NULL, "CANARY\r\n"},
        {CERTIFICATE_SMIME, NULL, "\r\n"},
        {CERTIFICATE_SMIME, NULL, "AAAA\r\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        see_found(*state, cases[i].format, cases[i].before, cases[i].inserted);
}

/* A third part, with the right boundary. */
static void a12_a_third_part_is_found(void **state)
{
    struct made *m = *state;
    struct span copy = buf_span(&m->copy[CERTIFICATE_OPENPGP]);
    char boundary[200], part[400], word[100];
    const char *at = memmem(copy.p, copy.len, "boundary=\"", 10);
    assert_non_null(at);
    assert_int_equal(sscanf(at, "boundary=\"%99[^\"]", word), 1);
    snprintf(boundary, sizeof boundary, "\r\n--%s--\r\n", word);
    snprintf(part, sizeof part, "\r\n--%s\r\nContent-Type: text/plain\r\n\r\nCANARY\r\n", word);
    see_found(m, CERTIFICATE_OPENPGP, boundary, part);
    snprintf(boundary, sizeof boundary, "--%s\r\n", word);
    snprintf(part, sizeof part, "--%s\r\nContent-Type: text/plain\r\n\r\nCANARY\r\n\r\n", word);
    see_found(m, CERTIFICATE_OPENPGP, boundary, part);
}

/* Fewer, more or other readers than it was made for. */
static void a12_exactly_the_intended_keys(void **state)
{
    struct made *m = *state;
    static const char zeros[1000];
    static const enum who strangers[] = {[CERTIFICATE_OPENPGP] = OLGA, [CERTIFICATE_SMIME] = IVAN};
    struct error err;
    for (enum certificate_format format = CERTIFICATE_OPENPGP; format <= CERTIFICATE_SMIME; format++) {
        const struct certificate *stranger = &m->world.certificates[strangers[format]];
        const struct certificate *three[] = {m->readers[format][0], m->readers[format][1], stranger};
        const struct certificate *other[] = {m->readers[format][0], stranger};
        struct sealed_order order = m->order[format];
        struct span copy = buf_span(&m->copy[format]);
        order.n = 1;
        assert_int_equal(verify_copy(copy, &order, &err), STATUS_INTERNAL);
        order.certificates = three;
        order.n = 3;
        assert_int_equal(verify_copy(copy, &order, &err), STATUS_INTERNAL);
        order.certificates = other;
        order.n = 2;
        assert_int_equal(verify_copy(copy, &order, &err), STATUS_INTERNAL);
        order = m->order[format];
        const struct span longer[] = {inner_pieces[0], inner_pieces[1], {zeros, sizeof zeros}};
        order.inner = (struct spans){.items = longer, .n = 3};
        assert_int_equal(verify_copy(copy, &order, &err), STATUS_INTERNAL);
    }
}

/* Even when the outer header itself was made wrong. */
static void a10_bad_outer_headers_are_found(void **state)
{
    static const char *const bad[] = {
        "From: a@example.org\r\nBcc: b@example.org\r\n",
        "From: a@example.org\r\nresent-BCC: b@example.org\r\n",
        "From: a@example.org\r\nContent-Type: text/plain\r\n",
        "Content-Foo: x\r\n",
        "mime-version: 1.0\r\n",
        "From: a@example.org\r\nno field\r\n",
        "From: a@example.org",
        "Subject: gr\xc3\xbc\xc3\x9f\r\n",
        "From: a@example.org\r\n\r\nCANARY\r\n",
    };
    struct made *m = *state;
    for (enum certificate_format format = CERTIFICATE_OPENPGP; format <= CERTIFICATE_SMIME; format++) {
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
            struct sealed_order order = m->order[format];
            struct buf copy;
            struct error err;
            order.outer = span_str(bad[i]);
            buf_init(&copy, 1u << 20);
            if (copy_of(m, &order, &copy, &err) != STATUS_INTERNAL)
                fail_msg("taken: %s", bad[i]);
            assert_int_equal(copy.len, 0);
            buf_free(&copy);
        }
    }
}

static void orders_that_make_no_sense_are_refused(void **state)
{
    struct made *m = *state;
    struct certificate unusable = m->world.certificates[BOB], empty = m->world.certificates[BOB];
    const struct certificate *none[] = {NULL};
    const struct certificate *wrong_format[] = {&m->world.certificates[DAVE]};
    const struct certificate *not_usable[] = {&unusable};
    const struct certificate *no_bytes[] = {&empty};
    const struct {
        const struct certificate *const *certificates;
        size_t n;
    } cases[] = {{none, 0}, {none, 1}, {wrong_format, 1}, {not_usable, 1}, {no_bytes, 1}};
    unusable.usable = false;
    empty.bytes.len = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sealed_order order = m->order[CERTIFICATE_OPENPGP];
        struct buf copy;
        struct error err;
        order.certificates = cases[i].certificates;
        order.n = cases[i].n;
        buf_init(&copy, 1u << 20);
        assert_int_equal(copy_of(m, &order, &copy, &err), STATUS_INTERNAL);
        assert_int_equal(copy.len, 0);
        buf_free(&copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_made_is_right),
        cmocka_unit_test(a12_every_byte_counts),
        cmocka_unit_test(a12_cut_copies_are_found),
        cmocka_unit_test(a12_nothing_stands_before_behind_or_beside),
        cmocka_unit_test(a12_a_third_part_is_found),
        cmocka_unit_test(a12_exactly_the_intended_keys),
        cmocka_unit_test(a10_bad_outer_headers_are_found),
        cmocka_unit_test(orders_that_make_no_sense_are_refused),
    };
    return cmocka_run_group_tests(tests, make, end);
}
