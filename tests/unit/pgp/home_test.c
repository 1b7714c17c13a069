/* A GnuPG home that several processes begin to use at once. */
#include <dirent.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/unit/pgp/fixture.h"

struct state {
    struct fixture f;
};

/* Opens the home "e" with the gpg at PATH and inspects "alice", for which GnuPG reads its trust database. */
static enum status inspect(const struct fixture *f, const char *path, struct error *err)
{
    char home[100];
    const struct pgp_engine_settings settings = {.gpg_path = path, .home = home};
    struct pgp_engine *engine = NULL;
    struct pgp_certificate_info info = {0};
    struct buf certificate;
    enum status status;

    snprintf(home, sizeof home, "%s/e", f->dir);
    fixture_read(f, "alice", &certificate);
    status = pgp_engine_open(&settings, &engine, err);
    if (status == STATUS_OK)
        status = pgp_certificate_inspect(engine, buf_span(&certificate), time(NULL), &info, err);
    pgp_certificate_info_free(&info);
    pgp_engine_close(engine);
    buf_free(&certificate);
    return status;
}

/* GnuPG writes the database in many steps. The first gpg that makes one here stops behind the first step. */
#define STOPS_HALF_WAY                                                                                       \
    "args=(\"$@\"); home=; while [ $# -gt 0 ]; do [ \"$1\" = --homedir ] && home=$2; shift; done\n"          \
    "if [ ! -e \"$home/trustdb.gpg\" ] && mkdir %1$s/first 2>/dev/null; then\n"                              \
    "  head -c 40 %1$s/whole > \"$home/trustdb.gpg\"; mkdir %1$s/half\n"                                     \
    "  until [ -e %1$s/go ]; do sleep 0.02; done\n"                                                          \
    "  cp %1$s/whole \"$home/trustdb.gpg\"\n"                                                                \
    "fi\n"                                                                                                   \
    "exec /usr/bin/gpg \"${args[@]}\"\n"

static void nobody_finds_half_a_database(void **state)
{
    struct state *s = *state;
    struct error err = {0};
    enum status status;
    char path[100], body[1000];
    int result = 0;
    pid_t first;

    fixture_run(&s->f, "gpg --quick-gen-key alice@example.com ed25519 sign never; gpg --export > alice; "
                       "cp g/trustdb.gpg whole");
    snprintf(body, sizeof body, STOPS_HALF_WAY, s->f.dir);
    fixture_fake_gpg(&s->f, "slow", body, path);
    first = fork();
    if (first == 0)
        _exit(inspect(&s->f, path, &err) == STATUS_OK ? 0 : 1);
    fixture_run(&s->f, "timeout 60 sh -c 'until [ -e half ]; do sleep 0.02; done'");
    status = inspect(&s->f, path, &err);
    fixture_run(&s->f, "touch go");
    assert_int_equal(waitpid(first, &result, 0), first);
    if (status != STATUS_OK)
        fail_msg("%s", err.text);
    assert_int_equal(result, 0);
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
