/* pgp_message_read: for whom is what other programs encrypted? Real gpg, sq and rnp, and what only looks like
 * it. */
#include "tests/unit/pgp/fixture.h"

#include <sys/resource.h>

#include "pgp/message.h"
#include "tests/unit/pgp/armoring.h"

#define PKESK "\x84\x1e\x03\x11\x11\x11\x11\x11\x11\x11\x11\x01xxxxxxxxxxxxxxxxxxxx"
#define SEIPD "\xd2\x40\x01yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"

static struct span bytes_of(const char *s, size_t size)
{
    return span_of(s, size - 1);
}
#define BYTES(s) bytes_of(s, sizeof s)

static void see(struct span data, bool sealed, size_t n, const char *what)
{
    struct pgp_message message;
    struct error err = {0};
    enum status status = pgp_message_read(data, &message, &err);

    if ((status == STATUS_OK) != sealed || (sealed && message.n_keyids != n) ||
        (!sealed && err.text[0] == '\0'))
        fail_msg("%s: %s \"%s\"", what, status_word(status), err.text);
    pgp_message_free(&message);
}

/* Runs SHELL, which writes the file "made", and reads that. */
static void see_made(const struct fixture *f, const char *shell, bool sealed, size_t n)
{
    struct buf made;

    fixture_run(f, "%s", shell);
    fixture_read(f, "made", &made);
    see(buf_span(&made), sealed, n, shell);
    buf_free(&made);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    fixture_make(f);
    fixture_run(f, "gpg --quick-gen-key a@example.org ed25519 sign never; "
                   "FPR=$(gpg -k --with-colons a@example.org | awk -F: '/^fpr/{print $10; exit}'); "
                   "gpg --quick-add-key $FPR cv25519 encr never; gpg --quick-gen-key b@example.org rsa2048 "
                   "cert,sign never; "
                   "FPR=$(gpg -k --with-colons b@example.org | awk -F: '/^fpr/{print $10; exit}'); "
                   "gpg --quick-add-key $FPR rsa2048 encr never; "
                   "gpg --armor --export a@example.org > a.asc; gpg --armor --export b@example.org > b.asc; "
                   "echo hello > text; head -c 3000000 /dev/urandom > large");
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture_free(*state);
    free(*state);
    return 0;
}

static void test_a12_what_others_made_is_read(void **state)
{
    static const struct {
        const char *shell;
        size_t n;
    } cases[] = {
        {"gpg -a -e -r a@example.org < text > made", 1},
        {"gpg -e -r a@example.org < text > made", 1},
        {"gpg -e -r a@example.org -r b@example.org < text > made", 2},
        {"gpg -a --comment 'a comment' --emit-version -e -r a@example.org < text > made", 1},
        {"gpg -a -e -r a@example.org < text | sed 's/$/ \\t/' > made", 1},
        {"gpg -a -e -r a@example.org < text | sed 's/$/\\r/' > made", 1},
        {"gpg -a -e -r a@example.org < text | grep -v '^=' > made", 1},
        {"(echo; echo ' '; gpg -a -e -r a@example.org < text; echo; echo) > made", 1},
        {"gpg -a -e -r a@example.org < large > made", 1},
        {"gpg -e -r a@example.org --throw-keyids < text > made", 1},
        {"gpg -e -s -u a@example.org -r b@example.org < text > made", 1},
        {"sq encrypt --recipient-cert a.asc text > made", 1},
        {"sq encrypt --binary --recipient-cert a.asc --recipient-cert b.asc text > made", 2},
        {"mkdir -p r; rnp --homedir r --keyfile a.asc --encrypt --armor -r a@example.org --output - text > "
         "made",
         1},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        see_made(*state, cases[i].shell, true, cases[i].n);
}

static void test_a12_what_is_not_sealed_for_a_key_is_none(void **state)
{
    static const char *const cases[] = {
        "gpg --passphrase x -c < text > made",
        "gpg --passphrase x -c -e -r a@example.org < text > made",
        "gpg --store < text > made",
        "gpg -s < text > made",
        "gpg --clearsign < text > made",
        "gpg --armor --detach-sign < text > made",
        "cp a.asc made",
        "cp text made",
        ": > made",
        "(echo hello; gpg -a -e -r a@example.org < text) > made",
        "(gpg -a -e -r a@example.org < text; echo hello) > made",
        "(gpg -a -e -r a@example.org < text; gpg -a -e -r a@example.org < text) > made",
        "(gpg -e -r a@example.org < text; gpg -e -r a@example.org < text) > made",
        "(gpg -e -r a@example.org < text; echo) > made",
        "gpg -a -e -r a@example.org < text | head -n 5 > made",
        "gpg -e -r a@example.org < text | head -c 150 > made",
        "gpg -a -e -r a@example.org < text | sed '3s/^./x/;3s/^xx/yy/' | sed "
        "'4s/A/B/;4s/a/b/;4s/1/2/;4s/x/z/' > made",
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        see_made(*state, cases[i], false, 0);
}

/* What others make that is encrypted, and not as it must be: each with the reason. */
static void test_a12_old_and_draft_forms_are_told_apart(void **state)
{
    static const struct {
        const char *shell, *reason;
    } cases[] = {
        {"gpg --rfc2440 -e -r a@example.org < text > made", "it has no MDC"},
        {"gpg --rfc2440 -a -e -r a@example.org < text > made", "it has no MDC"},
        {"gpg --rfc2440 -e -r a@example.org < large > made", "it has no MDC"},
        {"mkdir -p r; rnp --homedir r --keyfile a.asc --encrypt --aead=ocb -r a@example.org --output - text "
         "> made",
         "it has AEAD of a draft (tag 20)"},
        {"mkdir -p r; rnp --homedir r --keyfile a.asc --encrypt --aead=eax --armor -r a@example.org --output "
         "- large "
         "> made",
         "it has AEAD of a draft (tag 20)"},
        {"gpg -z 6 --store < text > made", "a packet of indeterminate length"},
        {"gpg -z 6 -s -u a@example.org < large > made", "a packet of indeterminate length"},
        {"gpg -z 0 -s -u a@example.org < text > made", "a packet that is neither PKESK nor SEIPD"},
        {"gpg -z 0 --store < large > made", "a packet that is neither PKESK nor SEIPD"},
        {"gpg --passphrase x -c < text > made", "a password opens it"},
        {"cp a.asc made", "does not begin with -----BEGIN PGP MESSAGE"},
        {"gpg --export a@example.org > made", "a packet that is neither PKESK nor SEIPD"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture *f = *state;
        struct pgp_message message;
        struct error err = {0};
        struct buf made;

        fixture_run(f, "%s", cases[i].shell);
        fixture_read(f, "made", &made);
        assert_int_equal(pgp_message_read(buf_span(&made), &message, &err), STATUS_INVALID);
        if (!strstr(err.text, cases[i].reason))
            fail_msg("%s: \"%s\"", cases[i].shell, err.text);
        buf_free(&made);
    }
}

/* EFAIL's first step: a message with MDC becomes one without, by its packet's tag. */
static void test_a12_a_message_without_its_mdc_is_refused(void **state)
{
    enum { PKESK_OF_CV25519 = 96 }; /* bytes */
    struct fixture *f = *state;
    struct pgp_message message;
    struct error err;
    struct buf made, armored;

    fixture_run(f, "gpg -e -r a@example.org < text > made");
    fixture_read(f, "made", &made);
    see(buf_span(&made), true, 1, "as it is");
    assert_int_equal(made.data[PKESK_OF_CV25519], 0xc0 | 18);
    made.data[PKESK_OF_CV25519] = 0xc0 | 9;
    assert_int_equal(pgp_message_read(buf_span(&made), &message, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "it has no MDC"));
    buf_init(&armored, 10000);
    armor_block(&armored, "MESSAGE", buf_span(&made), 64, "\r\n");
    assert_int_equal(pgp_message_read(buf_span(&armored), &message, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "it has no MDC"));
    buf_free(&armored);
    buf_free(&made);
}

/* ---- lengths (RFC 4880 §4.2) ---- */

/* A SEIPD packet in parts: first parts of 2^N octets, and then LAST octets more. */
static void add_parts(struct buf *out, const unsigned *parts, size_t n, size_t last)
{
    bool first = true;

    buf_append_char(out, (char)(0xc0 | 18));
    for (size_t i = 0; i < n; i++) {
        buf_append_char(out, (char)(0xe0 | parts[i]));
        for (size_t k = 0; k < (size_t)1 << parts[i]; k++, first = false)
            buf_append_char(out, first ? 1 : 'y');
    }
    buf_append_char(out, (char)last);
    for (size_t k = 0; k < last; k++, first = false)
        buf_append_char(out, first ? 1 : 'y');
}

static void see_parts(const unsigned *parts, size_t n, size_t last, bool sealed)
{
    struct buf out, armored;

    buf_init(&out, 1u << 22);
    buf_init(&armored, 1u << 23);
    buf_append_span(&out, BYTES(PKESK));
    add_parts(&out, parts, n, last);
    see(buf_span(&out), sealed, 1, "in parts");
    armor_block(&armored, "MESSAGE", buf_span(&out), 76, "\n");
    see(buf_span(&armored), sealed, 1, "in parts, in armor");
    /* One long line. */
    buf_reset(&armored);
    buf_append_str(&armored, "-----BEGIN PGP MESSAGE-----\n\n");
    for (size_t at = 0; at < out.len; at += 30000) {
        static unsigned char text[40004];
        size_t len = out.len - at < 30000 ? out.len - at : 30000;

        EVP_EncodeBlock(text, out.data + at, (int)len);
        buf_append_str(&armored, (const char *)text);
    }
    buf_append_str(&armored, "\n-----END PGP MESSAGE-----\n");
    see(buf_span(&armored), sealed, 1, "in parts, in one line");
    buf_free(&armored);
    buf_free(&out);
}

static void test_a12_parts_of_any_size_are_followed(void **state)
{
    (void)state;
    see_parts((const unsigned[]){9}, 1, 0, true);
    see_parts((const unsigned[]){9, 0, 1, 2, 3}, 5, 100, true);
    see_parts((const unsigned[]){16, 16, 13, 0}, 4, 191, true);
    see_parts((const unsigned[]){20, 20}, 2, 1, true);
    see_parts((const unsigned[]){8}, 1, 100, false); /* the first has at least 512 octets */
    see_parts((const unsigned[]){0, 9}, 2, 100, false);
    see_parts(NULL, 0, 100, true);
    /* A PKESK is no data packet. */
    see(BYTES("\xc1\xe9\x03\x11\x11\x11\x11\x11\x11\x11\x11\x01" SEIPD), false, 0, "a PKESK in parts");
    /* 4 octets of length, and more than there is. */
    see(BYTES(PKESK "\xd2\xff\0\0\0\x40\x01yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"),
        true, 1, "five octets of length");
    see(BYTES(PKESK
              "\xd2\xff\xff\xff\xff\xff\x01yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"),
        false, 0, "4 GiB announced");
}

/* What is read of a message does not grow with it: 96 MB in armor. */
static void a_large_message_is_read_in_little_memory(void **state)
{
    enum { PART = 24, GROWTH_KB = 4 << 10 }; /* parts of 16 MiB */
    struct buf out, armored;
    struct pgp_message message;
    struct rusage before, after;
    struct error err;

    (void)state;
    buf_init(&out, 100u << 20);
    buf_init(&armored, 140u << 20);
    buf_append_span(&out, BYTES(PKESK));
    add_parts(&out, (const unsigned[]){PART, PART, PART, PART, PART, PART - 1}, 6, 7);
    armor_block(&armored, "MESSAGE", buf_span(&out), 64, "\r\n");
    buf_free(&out);
    assert_false(armored.failed);
    getrusage(RUSAGE_SELF, &before);
    assert_int_equal(pgp_message_read(buf_span(&armored), &message, &err), STATUS_OK);
    getrusage(RUSAGE_SELF, &after);
    assert_int_equal(message.n_keyids, 1);
    if (after.ru_maxrss - before.ru_maxrss > GROWTH_KB)
        fail_msg("%ld KB more", after.ru_maxrss - before.ru_maxrss);
    pgp_message_free(&message);
    buf_free(&armored);
}

static void test_a12_more_keys_than_the_bound_are_refused(void **state)
{
    struct pgp_message message;
    struct error err;
    struct buf out;

    (void)state;
    buf_init(&out, 1u << 20);
    for (int i = 0; i < PGP_MESSAGE_KEYS_MAX; i++)
        buf_append_span(&out, BYTES(PKESK));
    buf_append_span(&out, BYTES(SEIPD));
    see(buf_span(&out), true, PGP_MESSAGE_KEYS_MAX, "as many as may be");
    buf_reset(&out);
    for (int i = 0; i <= PGP_MESSAGE_KEYS_MAX; i++)
        buf_append_span(&out, BYTES(PKESK));
    buf_append_span(&out, BYTES(SEIPD));
    assert_int_equal(pgp_message_read(buf_span(&out), &message, &err), STATUS_LIMIT);
    assert_null(message.keyids);
    buf_free(&out);
}

/* ---- the packets ---- */

/* Every cut of a message, and one byte more, is none. */
static void test_a12_packets_are_read_to_the_last_byte(void **state)
{
    static const char whole[] = PKESK SEIPD;

    (void)state;
    see(BYTES(whole), true, 1, "whole");
    for (size_t len = 0; len < sizeof whole - 1; len++)
        see(span_of(whole, len), false, 0, "cut");
    see(BYTES(PKESK SEIPD "z"), false, 0, "a byte more");
    see(BYTES("-----BEGIN PGP MESSAGE-----\n\n-----END PGP MESSAGE-----\n"), false, 0,
        "armor around nothing");
    see(BYTES("-----BEGIN PGP MESSAGE-----\n\n=twTO\n-----END PGP MESSAGE-----\n"), false, 0,
        "armor around the CRC of nothing");
    see(BYTES(PKESK PKESK SEIPD), true, 2, "twice the same key");
    see(BYTES(SEIPD), false, 0, "no PKESK");
    see(BYTES(PKESK), false, 0, "no SEIPD");
    see(BYTES(PKESK "\xca\x03PGP" SEIPD), false, 0, "a marker");
    see(BYTES("\xca\x03PGP" PKESK SEIPD), false, 0, "a marker in front");
    see(BYTES(PKESK "\xc9\x04"
                    "abcd"),
        false, 0, "no MDC");
    see(BYTES(PKESK "\xd2\x03\x01yy"), false, 0, "too short for anything");
    see(BYTES(PKESK "\xd2\x40\x02yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"), false, 0,
        "SEIPD version 2");
    see(BYTES("\x84\x1e\x06\x11\x11\x11\x11\x11\x11\x11\x11\x01xxxxxxxxxxxxxxxxxxxx" SEIPD), false, 0,
        "PKESK version 6");
}

static void the_key_ids_are_those_of_the_recipients(void **state)
{
    struct fixture *f = *state;
    struct pgp_engine *engine = fixture_engine(f, "/usr/bin/gpg");
    struct pgp_certificate_info info;
    struct pgp_message message;
    struct error err;
    struct buf made;

    fixture_run(f, "gpg --export a@example.org > a.bin; gpg -e -r a@example.org < text > made");
    fixture_inspect(f, engine, "a.bin", &info);
    fixture_read(f, "made", &made);
    assert_int_equal(pgp_message_read(buf_span(&made), &message, &err), STATUS_OK);
    assert_int_equal(message.n_keyids, 1);
    assert_true(message.keyids[0] == info.encryption_keyids[0]);
    pgp_message_free(&message);
    buf_free(&made);
    pgp_certificate_info_free(&info);
    pgp_engine_close(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a12_what_others_made_is_read),
        cmocka_unit_test(test_a12_what_is_not_sealed_for_a_key_is_none),
        cmocka_unit_test(test_a12_old_and_draft_forms_are_told_apart),
        cmocka_unit_test(test_a12_a_message_without_its_mdc_is_refused),
        cmocka_unit_test(test_a12_parts_of_any_size_are_followed),
        cmocka_unit_test(a_large_message_is_read_in_little_memory),
        cmocka_unit_test(test_a12_more_keys_than_the_bound_are_refused),
        cmocka_unit_test(test_a12_packets_are_read_to_the_last_byte),
        cmocka_unit_test(the_key_ids_are_those_of_the_recipients),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
