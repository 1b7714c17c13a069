/* pgp_encrypt with a real gpg and with ones that fail; pgp_check_message on what came out. */
#include "tests/unit/pgp/fixture.h"

#include "pgp/armor.h"
#include "tests/unit/pgp/armoring.h"

#define GPG "/usr/bin/gpg"
#define OUT_MAX (64u << 20)

static const char *const names[] = {"rsa", "ecc", "nist"};

struct state {
    struct fixture f;
    struct pgp_engine *engine;
    char paths[3][100];
    struct pgp_recipient recipients[3];
    struct pgp_certificate_info info[3];
    struct pgp_expected expected[3];
};

static int set_up(void **state)
{
    struct state *s = calloc(1, sizeof *s);

    assert_non_null(s);
    fixture_make(&s->f);
    fixture_run(&s->f,
                "mkdir -m 700 user; export HOME=%s/user; "
                "make() { gpg --quick-gen-key $1@example.org $2 cert,sign never; "
                "FPR=$(gpg --list-keys --with-colons $1@example.org | awk -F: '/^fpr/{print $10; exit}'); "
                "for sub in $3; do gpg --quick-add-key $FPR $sub encr $4; done; gpg --export $FPR > $1; }; "
                "make rsa rsa2048 rsa2048 never; make ecc ed25519 'cv25519 cv25519' never; "
                "make nist nistp256 nistp256 never; "
                "gpg --armor --export > all.asc; gpg --export-secret-keys rsa@example.org > secret",
                s->f.dir);
    s->engine = fixture_engine(&s->f, GPG);
    for (size_t i = 0; i < 3; i++) {
        snprintf(s->paths[i], sizeof s->paths[i], "%s/%s", s->f.dir, names[i]);
        s->recipients[i].certificate_path = s->paths[i];
        fixture_inspect(&s->f, s->engine, names[i], &s->info[i]);
        s->expected[i] = (struct pgp_expected){s->info[i].encryption_keyids, s->info[i].n_encryption_keyids};
    }
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct state *s = *state;

    for (size_t i = 0; i < 3; i++)
        pgp_certificate_info_free(&s->info[i]);
    pgp_engine_close(s->engine);
    fixture_free(&s->f);
    free(s);
    return 0;
}

static void fill(struct buf *out, size_t len)
{
    uint32_t v = 12345;

    buf_init(out, OUT_MAX);
    for (size_t i = 0; i < len; i++) {
        v = v * 1664525u + 1013904223u;
        buf_append_char(out, (char)(v >> 24));
    }
}

/* pgp_encrypt of PLAINTEXT in two pieces, appended to OUT, which is worthless after a failure. */
static enum status encrypt_bytes(struct pgp_engine *engine, const struct pgp_recipient *recipients, size_t n,
                                 struct span plaintext, struct buf *out, struct error *err)
{
    const struct span pieces[] = {
        span_of(plaintext.p, plaintext.len / 3),
        span_of(plaintext.p + plaintext.len / 3, plaintext.len - plaintext.len / 3)};
    struct sink sink = sink_to_buf(out);
    char cipher[PGP_CIPHER_SIZE];
    enum status status =
        pgp_encrypt(engine, recipients, n, (struct spans){.items = pieces, .n = 2}, &sink, cipher, err);

    if (status != STATUS_OK)
        buf_reset(out);
    else
        assert_string_equal(cipher, "AES256");
    return status;
}

/* Encrypts with GPG_PATH's engine; what pgp_encrypt and then pgp_check_message say. */
static enum status seal(struct state *s, struct pgp_engine *engine, size_t n, struct span plaintext,
                        struct buf *out, struct error *err)
{
    enum status status;

    buf_init(out, OUT_MAX);
    status = encrypt_bytes(engine, s->recipients, n, plaintext, out, err);
    if (status != STATUS_OK)
        assert_int_equal(out->len, 0);
    return status == STATUS_OK ? pgp_check_message(buf_span(out), s->expected, n, plaintext.len, err)
                               : status;
}

static void what_gpg_decrypts_is_what_went_in(void **state)
{
    static const size_t lens[] = {0, 1, 100, 8192, 65536, 3000000};
    struct state *s = *state;

    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        for (size_t n = 1; n <= 3; n += 2) {
            struct buf plain, out, back;
            struct error err;

            fill(&plain, lens[i]);
            if (seal(s, s->engine, n, buf_span(&plain), &out, &err) != STATUS_OK)
                fail_msg("%zu bytes for %zu: %s", lens[i], n, err.text);
            fixture_write(&s->f, "sealed", buf_span(&out));
            for (size_t k = 0; k < n; k++) {
                fixture_run(&s->f, "gpg --decrypt --try-secret-key %s@example.org sealed > opened", names[k]);
                fixture_read(&s->f, "opened", &back);
                assert_true(span_eq(buf_span(&plain), buf_span(&back)));
                buf_free(&back);
            }
            buf_free(&plain);
            buf_free(&out);
        }
    }
}

static void the_message_has_the_form_that_was_promised(void **state)
{
    static const char head[] = "-----BEGIN PGP MESSAGE-----\r\n\r\n";
    struct state *s = *state;
    struct buf plain, out, packets;
    struct error err;
    const char *text;

    /* So that a compressed message would be shorter than its plaintext. */
    buf_init(&plain, 5000);
    for (int i = 0; i < 5000; i++)
        buf_append_char(&plain, 'a');
    assert_int_equal(seal(s, s->engine, 3, buf_span(&plain), &out, &err), STATUS_OK);
    text = buf_str(&out);
    assert_memory_equal(text, head, sizeof head - 1);
    for (const char *lf = strchr(text, '\n'); lf; lf = strchr(lf + 1, '\n'))
        assert_int_equal(lf[-1], '\r');
    fixture_write(&s->f, "sealed", buf_span(&out));
    fixture_run(&s->f, "gpg --show-session-key --list-packets sealed > packets 2>&1");
    fixture_read(&s->f, "packets", &packets);
    text = buf_str(&packets);
    assert_non_null(strstr(text, "mdc_method: 2"));
    assert_non_null(strstr(text, "mode b"));
    assert_non_null(strstr(text, "name=\"\""));
    assert_null(strstr(text, "compressed"));
    buf_free(&packets);
    buf_free(&plain);
    buf_free(&out);
}

static void A11_every_flipped_byte_is_refused(void **state)
{
    struct state *s = *state;
    struct span plain = span_str("Meet me at noon.\r\n");
    struct error err;
    struct buf out;

    assert_int_equal(seal(s, s->engine, 3, plain, &out, &err), STATUS_OK);
    for (size_t i = 0; i < out.len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            out.data[i] ^= (uint8_t)(1 << bit);
            assert_int_equal(pgp_check_message(buf_span(&out), s->expected, 3, plain.len, &err),
                             STATUS_INTERNAL);
            out.data[i] ^= (uint8_t)(1 << bit);
        }
        assert_int_equal(pgp_check_message(span_of(out.data, i), s->expected, 3, plain.len, &err),
                         STATUS_INTERNAL);
    }
    buf_free(&out);
}

/* A flip before the armor was made: the CRC is right, and only the recipient's MDC can tell. */
static void A11_gpg_refuses_a_flip_that_the_armor_hides(void **state)
{
    struct state *s = *state;
    struct span plain = span_str("Meet me at noon.\r\n");
    struct buf out, data, again;
    struct sink sink = sink_to_buf(&data);
    struct error err;

    assert_int_equal(seal(s, s->engine, 1, plain, &out, &err), STATUS_OK);
    buf_init(&data, OUT_MAX);
    buf_init(&again, OUT_MAX);
    assert_int_equal(pgp_armor_decode_message(buf_span(&out), &sink, &err), STATUS_OK);
    data.data[data.len - 30] ^= 1;
    armor_block(&again, "MESSAGE", buf_span(&data), 64, "\r\n");
    assert_int_equal(pgp_check_message(buf_span(&again), s->expected, 1, plain.len, &err), STATUS_OK);
    fixture_write(&s->f, "flipped", buf_span(&again));
    fixture_run(&s->f, "if gpg --decrypt flipped > opened; then false; fi");
    buf_free(&out);
    buf_free(&data);
    buf_free(&again);
}

static void other_recipients_than_intended_are_refused(void **state)
{
    struct state *s = *state;
    struct span plain = span_str("Meet me at noon.\r\n");
    struct error err;
    struct buf out;

    assert_int_equal(seal(s, s->engine, 2, plain, &out, &err), STATUS_OK);
    assert_int_equal(pgp_check_message(buf_span(&out), s->expected, 1, plain.len, &err), STATUS_INTERNAL);
    assert_int_equal(pgp_check_message(buf_span(&out), s->expected, 3, plain.len, &err), STATUS_INTERNAL);
    assert_int_equal(pgp_check_message(buf_span(&out), s->expected + 1, 2, plain.len, &err), STATUS_INTERNAL);
    buf_free(&out);
}

static void the_same_certificate_twice_is_one_recipient(void **state)
{
    struct state *s = *state;
    struct pgp_recipient twice[] = {s->recipients[0], s->recipients[0]};
    struct pgp_expected expected[] = {s->expected[0], s->expected[0]};
    struct span plain = span_str("Meet me at noon.\r\n");
    struct error err;
    struct buf out;

    buf_init(&out, OUT_MAX);
    assert_int_equal(encrypt_bytes(s->engine, twice, 2, plain, &out, &err), STATUS_OK);
    assert_int_equal(pgp_check_message(buf_span(&out), expected, 2, plain.len, &err), STATUS_OK);
    buf_free(&out);
}

static void a_bad_certificate_spoils_all(void **state)
{
    static const char *const bad[] = {"missing", "cut", "junk", "empty", "expired", "revoked", "signonly"};
    struct state *s = *state;

    fixture_run(
        &s->f,
        "head -c 300 rsa > cut; echo hello > junk; : > empty; "
        "gpg --faked-system-time '20240101T000000!' --quick-gen-key old@example.org default default 1y; "
        "gpg --export old@example.org > expired; "
        "gpg --quick-gen-key gone@example.org default default never; "
        "sed s/^:-/-/ g/openpgp-revocs.d/$(gpg --list-keys --with-colons gone@example.org | "
        "awk -F: '/^fpr/{print $10; exit}').rev > rev; gpg --import rev; "
        "gpg --export gone@example.org > revoked; "
        "gpg --quick-gen-key sign@example.org ed25519 sign never; gpg --export sign@example.org > signonly");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char path[100];
        struct pgp_recipient two[] = {s->recipients[0], {path}};
        struct buf out;
        struct error err = {0};
        enum status status;

        snprintf(path, sizeof path, "%s/%s", s->f.dir, bad[i]);
        buf_init(&out, OUT_MAX);
        status = encrypt_bytes(s->engine, two, 2, span_str("hello"), &out, &err);
        if (status != STATUS_TEMPORARY || !strstr(err.text, path) || out.len > 0)
            fail_msg("%s: %s \"%s\" %zu bytes", bad[i], status_word(status), err.text, out.len);
        buf_free(&out);
    }
}

static void paths_are_plain_and_there_is_a_recipient(void **state)
{
    static const char *const paths[] = {"",        "relative", "/tmp/a\n--hidden\n/tmp/b",
                                        "/tmp/a ", "--",       "/tmp/\x7f"};
    struct state *s = *state;
    struct error err;
    struct buf out;

    buf_init(&out, OUT_MAX);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct pgp_recipient recipient = {paths[i]};

        assert_int_equal(encrypt_bytes(s->engine, &recipient, 1, span_str("hello"), &out, &err),
                         STATUS_INTERNAL);
    }
    assert_int_equal(encrypt_bytes(s->engine, NULL, 0, span_str("hello"), &out, &err), STATUS_INTERNAL);
    assert_int_equal(out.len, 0);
    buf_free(&out);
}

static void output_is_bounded(void **state)
{
    struct state *s = *state;
    struct buf plain, out;
    struct error err;

    fill(&plain, 100000);
    buf_init(&out, 50000);
    assert_int_equal(encrypt_bytes(s->engine, s->recipients, 1, buf_span(&plain), &out, &err), STATUS_LIMIT);
    assert_int_equal(out.len, 0);
    assert_false(out.failed);
    /* The engine can go on. */
    assert_int_equal(encrypt_bytes(s->engine, s->recipients, 1, span_str("hello"), &out, &err), STATUS_OK);
    buf_free(&plain);
    buf_free(&out);
}

static void R5_a_failing_gpg_never_passes_both(void **state)
{
    static const char *const bodies[] = {
        "exit 0",
        "exit 2",
        "cat > /dev/null; exit 0",
        "cat > /dev/null; exit 2",
        "kill -9 $$",
        "/usr/bin/gpg \"$@\" | head -c 1; exit 0",
        "/usr/bin/gpg \"$@\" | head -c 500; exit 0",
        "/usr/bin/gpg \"$@\" | head -n -1; exit 0",
        "/usr/bin/gpg \"$@\" | head -n -2; exit 0",
        "/usr/bin/gpg \"$@\" | sed 5d; exit 0",
        "/usr/bin/gpg \"$@\" | tail -n +2; exit 0",
        "/usr/bin/gpg \"$@\"; echo secret; exit 0",
        "echo secret; /usr/bin/gpg \"$@\"; exit 0",
        "/usr/bin/gpg --throw-keyids \"$@\"; exit 0",
        "/usr/bin/gpg --comment secret \"$@\"; exit 0",
        "cat; exit 0",
        "head -c 10000 > /dev/null; exit 0",
    };
    struct state *s = *state;
    struct buf plain, out;

    /* Under the size of a pipe, so that GPGME does not spin. */
    fill(&plain, 20000);
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        struct pgp_engine *engine;
        struct error err;
        char path[100];

        fixture_fake_gpg(&s->f, "fake", bodies[i], path);
        engine = fixture_engine(&s->f, path);
        if (seal(s, engine, 3, buf_span(&plain), &out, &err) == STATUS_OK)
            fail_msg("%s", bodies[i]);
        buf_free(&out);
        pgp_engine_close(engine);
    }
    buf_free(&plain);
}

static void one_run_of_gpg_for_each_message(void **state)
{
    struct state *s = *state;
    struct pgp_engine *engine;
    struct error err;
    struct buf out;
    char path[100];

    fixture_fake_gpg(&s->f, "counting", "exec /usr/bin/gpg \"$@\"", path);
    fixture_run(&s->f, "rm -f runs");
    engine = fixture_engine(&s->f, path);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(seal(s, engine, 2, span_str("hello"), &out, &err), STATUS_OK);
        buf_free(&out);
    }
    assert_int_equal(fixture_count_runs(&s->f), 3);
    pgp_engine_close(engine);
}

/* ---- the engine ---- */

static void no_other_gnupg_home_is_touched(void **state)
{
    struct state *s = *state;
    struct pgp_engine *engine;
    struct error err;
    struct buf out;
    char home[100];

    snprintf(home, sizeof home, "%s/nobody", s->f.dir);
    fixture_run(&s->f, "mkdir nobody");
    setenv("HOME", home, 1);
    engine = fixture_engine(&s->f, GPG);
    assert_int_equal(seal(s, engine, 1, span_str("hello"), &out, &err), STATUS_OK);
    pgp_engine_close(engine);
    fixture_run(&s->f, "test -z \"$(ls -A nobody)\"; test -f e/gpg.conf; test ! -e e/random_seed; "
                       "test \"$(stat -c %%a e)\" = 700");
    buf_free(&out);
}

static void a_long_home_path_works(void **state)
{
    struct state *s = *state;
    struct pgp_engine *engine;
    struct error err;
    char home[300];
    struct pgp_engine_settings settings = {.gpg_path = GPG, .home = home};
    struct buf out;

    snprintf(home, sizeof home, "%s/%0150d", s->f.dir, 1);
    assert_int_equal(pgp_engine_open(&settings, &engine, &err), STATUS_OK);
    assert_int_equal(seal(s, engine, 1, span_str("hello"), &out, &err), STATUS_OK);
    pgp_engine_close(engine);
    buf_free(&out);
}

static void an_engine_that_cannot_work_does_not_open(void **state)
{
    static const struct {
        const char *gpg, *home;
        enum status status;
    } cases[] = {
        {"/nonexistent/gpg", "e", STATUS_TEMPORARY},
        {"/bin/true", "e", STATUS_TEMPORARY},
        {"/bin/false", "e", STATUS_TEMPORARY},
        {GPG, "open", STATUS_DENIED},
        {GPG, "link", STATUS_TEMPORARY},
        {GPG, "file", STATUS_TEMPORARY},
        {GPG, "missing/home", STATUS_TEMPORARY},
    };
    struct state *s = *state;

    fixture_run(&s->f, "mkdir -m 755 open; ln -s e link; touch file");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pgp_engine *engine;
        struct error err;
        char home[100];
        struct pgp_engine_settings settings = {.gpg_path = cases[i].gpg, .home = home};
        enum status status;

        snprintf(home, sizeof home, "%s/%s", s->f.dir, cases[i].home);
        status = pgp_engine_open(&settings, &engine, &err);
        if (status != cases[i].status || engine)
            fail_msg("%s %s: %s", cases[i].gpg, cases[i].home, status_word(status));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_gpg_decrypts_is_what_went_in),
        cmocka_unit_test(the_message_has_the_form_that_was_promised),
        cmocka_unit_test(A11_every_flipped_byte_is_refused),
        cmocka_unit_test(A11_gpg_refuses_a_flip_that_the_armor_hides),
        cmocka_unit_test(other_recipients_than_intended_are_refused),
        cmocka_unit_test(the_same_certificate_twice_is_one_recipient),
        cmocka_unit_test(a_bad_certificate_spoils_all),
        cmocka_unit_test(paths_are_plain_and_there_is_a_recipient),
        cmocka_unit_test(output_is_bounded),
        cmocka_unit_test(R5_a_failing_gpg_never_passes_both),
        cmocka_unit_test(one_run_of_gpg_for_each_message),
        cmocka_unit_test(no_other_gnupg_home_is_touched),
        cmocka_unit_test(a_long_home_path_works),
        cmocka_unit_test(an_engine_that_cannot_work_does_not_open),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
