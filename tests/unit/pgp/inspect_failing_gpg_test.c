/* pgp_certificate_inspect when gpg fails: an error, never a word about the certificate. */
#include "tests/unit/pgp/fixture.h"

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    fixture_make(f);
    fixture_run(f,
                "for name in one two; do gpg --quick-gen-key $name@example.org ed25519 cert,sign never; "
                "FPR=$(gpg --list-keys --with-colons $name@example.org | awk -F: '/^fpr/{print $10; exit}'); "
                "gpg --quick-add-key $FPR cv25519 encr never; gpg --export $FPR > $name; done");
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture_free(*state);
    free(*state);
    return 0;
}

static void R5_a_failed_gpg_is_never_a_fitness(void **state)
{
    static const char *const bodies[] = {
        "exit 0",
        "exit 2",
        "cat > /dev/null; exit 2",
        "kill -9 $$",
        "cat > /dev/null; exec /usr/bin/gpg \"${@/-&*/-}\" < /dev/null",
        "/usr/bin/gpg \"$@\" > /dev/null",
        "/usr/bin/gpg \"$@\" | head -c 100",
        "/usr/bin/gpg \"$@\" | head -n 2",
        /* Lists everything, but dies before IMPORT_RES. */
        "/usr/bin/gpg \"${@/--status-fd/--attribute-fd}\"",
    };
    struct fixture *f = *state;
    struct buf certificate;

    fixture_read(f, "one", &certificate);
    pgp_engine_close(fixture_engine(f, "/usr/bin/gpg")); /* the home is made by one that works */
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        struct pgp_certificate_info info;
        struct pgp_engine *engine;
        struct error err = {0};
        enum status status;
        char path[100];

        fixture_fake_gpg(f, "fake", bodies[i], path);
        engine = fixture_engine(f, path);
        status = pgp_certificate_inspect(engine, buf_span(&certificate), time(NULL), &info, &err);
        if (status != STATUS_TEMPORARY || info.fitness == PGP_USABLE)
            fail_msg("%s: %s, fitness %d \"%s\"", bodies[i], status_word(status), info.fitness, info.reason);
        pgp_engine_close(engine);
    }
    buf_free(&certificate);
}

static void an_answer_about_another_certificate_is_an_error(void **state)
{
    struct fixture *f = *state;
    struct pgp_certificate_info info;
    struct pgp_engine *engine;
    struct buf certificate;
    char path[100], body[200];
    struct error err;

    snprintf(body, sizeof body, "cat > /dev/null; exec /usr/bin/gpg \"${@/-&*/%s/two}\"", f->dir);
    fixture_fake_gpg(f, "other", body, path);
    engine = fixture_engine(f, path);
    fixture_read(f, "one", &certificate);
    assert_int_equal(pgp_certificate_inspect(engine, buf_span(&certificate), time(NULL), &info, &err),
                     STATUS_TEMPORARY);
    assert_non_null(strstr(err.text, "another certificate"));
    pgp_engine_close(engine);
    buf_free(&certificate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(R5_a_failed_gpg_is_never_a_fitness),
        cmocka_unit_test(an_answer_about_another_certificate_is_an_error),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
