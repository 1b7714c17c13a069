/* A GnuPG home that several processes begin to use at once. */
#include <dirent.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "pgp/sign.h"
#include "tests/unit/pgp/fixture.h"

#define PROCESSES 8
#define ROUNDS 3
#define NOBODY "0123456789ABCDEF0123456789ABCDEF01234567"

struct state {
    struct fixture f;
};

/* Opens the home and asks it for a key that is not there; 0: it said so. */
static int ask(const char *home, int go)
{
    const struct pgp_engine_settings settings = {.gpg_path = "/usr/bin/gpg", .home = home, .signing = true};
    struct pgp_engine *engine = NULL;
    struct error err = {0};
    char byte;
    enum status status;

    /* All are released at the same moment, when the other end closes. */
    if (read(go, &byte, 1) != 0)
        return 2;
    status = pgp_engine_open(&settings, &engine, &err);
    if (status == STATUS_OK)
        status = pgp_signer_check(engine, NOBODY, &err);
    pgp_engine_close(engine);
    if (status != STATUS_NOT_FOUND)
        fprintf(stderr, "%s: %s\n", status_word(status), err.text);
    return status == STATUS_NOT_FOUND ? 0 : 1;
}

static void ask_at_once(const char *home)
{
    pid_t pids[PROCESSES];
    int go[2], failed = 0;

    assert_int_equal(pipe(go), 0);
    for (int i = 0; i < PROCESSES; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] == 0) {
            close(go[1]);
            _exit(ask(home, go[0]));
        }
    }
    close(go[0]);
    close(go[1]);
    for (int i = 0; i < PROCESSES; i++) {
        int result = 0;
        assert_int_equal(waitpid(pids[i], &result, 0), pids[i]);
        failed += result != 0;
    }
    assert_int_equal(failed, 0);
}

static void nobody_finds_half_a_database(void **state)
{
    struct state *s = *state;

    for (int i = 0; i < ROUNDS; i++) {
        char home[100];

        snprintf(home, sizeof home, "%s/h%d", s->f.dir, i);
        ask_at_once(home);
    }
}

/* What was put aside is gone afterwards, and what an administrator imported meanwhile is still there. */
static void what_is_there_stays(void **state)
{
    struct state *s = *state;
    const struct pgp_engine_settings settings = {
        .gpg_path = "/usr/bin/gpg", .home = s->f.dir, .signing = true};
    struct pgp_engine *engine = NULL;
    struct error err;
    struct stat st;
    char path[100];
    DIR *dir;

    fixture_run(&s->f, "printf 'a keybox' > pubring.kbx");
    assert_int_equal(pgp_engine_open(&settings, &engine, &err), STATUS_OK);
    pgp_engine_close(engine);
    snprintf(path, sizeof path, "%s/pubring.kbx", s->f.dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, strlen("a keybox"));
    snprintf(path, sizeof path, "%s/trustdb.gpg", s->f.dir);
    assert_int_equal(stat(path, &st), 0);
    dir = opendir(s->f.dir);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));)
        assert_int_not_equal(strncmp(entry->d_name, "new.", 4), 0);
    closedir(dir);
}

/* A keyring of GnuPG 1.4 is not hidden behind an empty keybox. */
static void an_old_keyring_stays_in_use(void **state)
{
    struct state *s = *state;
    const struct pgp_engine_settings settings = {
        .gpg_path = "/usr/bin/gpg", .home = s->f.dir, .signing = true};
    struct pgp_engine *engine = NULL;
    struct error err;
    struct stat st;
    char path[100];

    fixture_run(&s->f, "touch pubring.gpg");
    assert_int_equal(pgp_engine_open(&settings, &engine, &err), STATUS_OK);
    pgp_engine_close(engine);
    snprintf(path, sizeof path, "%s/pubring.kbx", s->f.dir);
    assert_int_equal(stat(path, &st), -1);
}

static int setup(void **state)
{
    struct state *s = calloc(1, sizeof *s);

    assert_non_null(s);
    fixture_make(&s->f);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct state *s = *state;

    fixture_free(&s->f);
    free(s);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nobody_finds_half_a_database, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_there_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(an_old_keyring_stays_in_use, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
