/* pgp_message_read: for whom is what other programs encrypted? Real gpg, sq and rnp, and what only looks like
 * it. */
#include "tests/unit/pgp/fixture.h"

#include "pgp/message.h"

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
        cmocka_unit_test(test_a12_packets_are_read_to_the_last_byte),
        cmocka_unit_test(the_key_ids_are_those_of_the_recipients),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
