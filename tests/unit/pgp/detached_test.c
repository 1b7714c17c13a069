/* pgp_detached_check: what gpg signs, and what only looks like a signature (A12). */
#include "tests/unit/pgp/fixture.h"

#include "pgp/detached.h"
#include "tests/unit/pgp/armoring.h"

static void see(struct span data, const char *micalg, bool good, const char *what)
{
    struct error err = {0};
    enum status status = pgp_detached_check(data, span_str(micalg), &err);

    if (status != (good ? STATUS_OK : STATUS_INVALID) || (!good && err.text[0] == '\0'))
        fail_msg("%s, %s: %s \"%s\"", what, micalg, status_word(status), err.text);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    fixture_make(f);
    fixture_run(f, "gpg --quick-gen-key a@example.org ed25519 sign never; "
                   "gpg --quick-gen-key b@example.org rsa2048 sign never; "
                   "gpg --quick-gen-key c@example.org nistp256 sign never; echo hello > text");
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture_free(*state);
    free(*state);
    return 0;
}

static void test_a12_what_gpg_made(void **state)
{
    static const struct {
        const char *shell, *micalg;
        bool good;
    } rows[] = {
        {"gpg -u a@example.org --digest-algo sha512 --armor --detach-sign -o made text", "pgp-sha512", true},
        {"gpg -u a@example.org --digest-algo sha512 --armor --detach-sign -o made text", "PGP-SHA512", true},
        {"gpg -u a@example.org --digest-algo sha512 --armor --detach-sign -o made text", "pgp-sha256", false},
        {"gpg -u a@example.org --digest-algo sha512 --armor --detach-sign -o made text", "", false},
        {"gpg -u b@example.org --digest-algo sha256 --armor --textmode --detach-sign -o made text",
         "pgp-sha256", true},
        {"gpg -u c@example.org --digest-algo sha384 --armor --detach-sign -o made text", "pgp-sha384", true},
        {"gpg -u a@example.org -u b@example.org --digest-algo sha256 --armor --detach-sign -o made text",
         "pgp-sha256", true},
        {"gpg -u a@example.org --sig-notation x@example.org=$(seq -s, 300) --digest-algo sha256 --armor "
         "--detach-sign -o made text",
         "pgp-sha256", true},
        /* not armored; a signed text, not a signature; of a key, not of a text; no signature at all */
        {"gpg -u a@example.org --digest-algo sha512 --detach-sign -o made text", "pgp-sha512", false},
        {"gpg -u a@example.org --digest-algo sha512 --armor --sign -o made text", "pgp-sha512", false},
        {"gpg -u a@example.org --digest-algo sha512 --clear-sign -o made text", "pgp-sha512", false},
        {"gpg --armor --export a@example.org | sed 's/PUBLIC KEY BLOCK/SIGNATURE/' > made", "pgp-sha512",
         false},
        {"gpg --armor --store -o - text | sed 's/MESSAGE/SIGNATURE/' > made", "pgp-sha512", false},
        {"sed 's/^:---/---/;s/PUBLIC KEY BLOCK/SIGNATURE/' $(ls g/openpgp-revocs.d/* | head -n 1) | "
         "sed -n '/BEGIN/,/END/p' > made",
         "pgp-sha512", false},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf made;

        fixture_run(*state, "rm -f made text.asc; %s", rows[i].shell);
        fixture_read(*state, "made", &made);
        see(buf_span(&made), rows[i].micalg, rows[i].good, rows[i].shell);
        buf_free(&made);
    }
}

/* BINARY in armor. */
static void see_packets(struct span binary, bool good, const char *what)
{
    struct buf armored;

    buf_init(&armored, 2 * binary.len + 200);
    armor_block(&armored, "SIGNATURE", binary, 64, "\r\n");
    see(buf_span(&armored), "pgp-sha256", good, what);
    buf_free(&armored);
}

/* Cut off anywhere, or with more behind it, it is none. */
static void test_a12_nothing_is_missing_and_nothing_more(void **state)
{
    struct buf made, binary;
    char what[40];

    fixture_run(*state, "rm -f made; gpg -u a@example.org --digest-algo sha256 --detach-sign -o made text");
    fixture_read(*state, "made", &made);
    see_packets(buf_span(&made), true, "whole");
    buf_init(&binary, made.len + 10);
    for (size_t len = 1; len < made.len; len++) {
        snprintf(what, sizeof what, "%zu octets", len);
        see_packets(span_of(made.data, len), false, what);
        /* The packet as long as it says, its inner lengths not. */
        buf_reset(&binary);
        buf_append(&binary, made.data, len);
        if (len > 2 && len < 192 + 2) {
            binary.data[1] = (uint8_t)(len - 2);
            see_packets(buf_span(&binary), false, what);
        }
    }
    buf_append(&made, "\xb4\x01u", 3);
    see_packets(buf_span(&made), false, "a user ID behind it");
    buf_free(&binary);
    buf_free(&made);
}

/* Version 6 (RFC 9580) that no gpg here makes; and what is none. */
static void test_forms_of_the_packet(void **state)
{
    (void)state;
#define SALT "\x10ssssssssssssssss"
#define X64 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
    static const struct {
        const char *body;
        size_t len;
        bool good;
    } rows[] = {
#define ROW(body, good) {body, sizeof(body) - 1, good}
        ROW("\x06\x01\x1b\x08\0\0\0\0\0\0\0\0LL" SALT X64, true),
        ROW("\x06\x00\x1b\x08\0\0\0\2\1\2\0\0\0\0LL" SALT X64, true),
        ROW("\x06\x01\x1b\x08\0\0\0\0\0\0\0\0LL" SALT X64 "x", false),
        ROW("\x06\x01\x1b\x08\0\0\0\0\0\0\0\0LL" X64, false),
        ROW("\x05\x01\x1b\x08\0\0\0\0\0\0\0\0LL" SALT X64, false),
        ROW("\x04\x00\x01\x08\0\0\0\0LL\0\x08v", true),
        ROW("\x04\x00\x01\x08\0\2\1\x02\0\0LL\0\x08v", true),
        ROW("\x04\x00\x01\x08\0\0\0\0LL\0\0", false),       /* an empty number */
        ROW("\x04\x00\x01\x08\0\0\0\0LL\0\x08vv", false),   /* more behind it */
        ROW("\x04\x00\x63\x08\0\0\0\0LL\0\x08v", false),    /* no algorithm to sign with */
        ROW("\x04\x00\x01\x63\0\0\0\0LL\0\x08v", false),    /* no hash */
        ROW("\x04\x10\x01\x08\0\0\0\0LL\0\x08v", false),    /* of a user ID */
        ROW("\x04\x00\x01\x08\0\1\0\0\0LL\0\x08v", false),  /* a subpacket without a type */
        ROW("\x04\x00\x01\x08\0\2\2x\0\0LL\0\x08v", false), /* a subpacket that ends behind its area */
        ROW("\x03\x05\x00tttt11111111\x01\x08LL\0\x08v", false),
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char packet[200], what[20];
        packet[0] = '\xc2';
        packet[1] = (char)rows[i].len;
        memcpy(packet + 2, rows[i].body, rows[i].len);
        snprintf(what, sizeof what, "row %zu", i);
        see_packets(span_of(packet, rows[i].len + 2), rows[i].good, what);
    }
}

static void test_a12_only_the_claim(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "nonsense",
        "-----BEGIN PGP SIGNATURE-----\r\n\r\n-----END PGP SIGNATURE-----\r\n",
        "-----BEGIN PGP SIGNATURE-----\r\n\r\nbm9uc2Vuc2U=\r\n-----END PGP SIGNATURE-----\r\n",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        see(span_str(rows[i]), "pgp-sha256", false, rows[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a12_what_gpg_made),
        cmocka_unit_test(test_a12_nothing_is_missing_and_nothing_more),
        cmocka_unit_test(test_forms_of_the_packet),
        cmocka_unit_test(test_a12_only_the_claim),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
