/* The users file: reading, checking, changing. */
#include <sys/inotify.h>
#include <time.h>

#include "gateway/users/users_watch.h"
#include "tests/unit/users/fixture.h"

static void test_A21_names(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool ok;
    } cases[] = {
        {"alice", true},
        {"alice@example.org", true},
        {"a b", true},
        {"\xc3\xbcser", true},
        {"\xf0\x9f\x94\x91", true},
        {"*)(|&\\'\"", true}, /* only a name: nothing interprets it */
        {"", false},
        {"#alice", false},
        {"a:b", false},
        {"a\nb", false},
        {"a\tb", false},
        {"a\rb", false},
        {"a\x7f", false},
        {"a\xc2\x85", false},     /* NEL, a C1 control */
        {"a\xc3", false},         /* cut */
        {"a\xff", false},         /* not UTF-8 */
        {"a\xc0\x80", false},     /* overlong NUL */
        {"a\xe0\x80\xaf", false}, /* overlong slash */
        {"a\xed\xa0\x80", false}, /* surrogate */
        {"a\xf4\x90\x80\x80", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (user_name_is_valid(cases[i].name) != cases[i].ok)
            fail_msg("case %zu", i);
    char longest[257];
    memset(longest, 'a', 256);
    longest[256] = '\0';
    assert_false(user_name_is_valid(longest));
    longest[255] = '\0';
    assert_true(user_name_is_valid(longest));
}

#define HASH "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7"
#define OTHER "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ8"

/* RFC 7677 §3: user "user", password "pencil". */
#define SCRAM                                                                                                \
    "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"              \
    "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="

static void test_files(void **state)
{
    const struct folder *f = *state;
    static const struct {
        const char *text;
        enum status status;
        size_t n;
        const char *error;
    } cases[] = {
        {"", STATUS_OK, 0, NULL},
        {"# nobody\n\n  \n", STATUS_OK, 0, NULL},
        {"alice:" HASH "\n", STATUS_OK, 1, NULL},
        {"bob:" HASH "\n#x\nalice:" HASH, STATUS_OK, 2, NULL},
        {"alice\n", STATUS_INVALID, 0, ":1: "},
        {"# first\nalice:" HASH "\nbob:\n", STATUS_INVALID, 0, ":3: "},
        {"alice:secret\n", STATUS_INVALID, 0, ":1: "},
        {"alice:*\n", STATUS_INVALID, 0, ":1: "},
        {":" HASH "\n", STATUS_INVALID, 0, ":1: "},
        {"a\tb:" HASH "\n", STATUS_INVALID, 0, ":1: "},
        {"alice:" HASH "\r\n", STATUS_INVALID, 0, ":1: "},
        {"alice:" HASH "\nalice:" HASH "\n", STATUS_INVALID, 0, "twice"},
        {"alice:ab\n", STATUS_INVALID, 0, ":1: "},
        {"alice:" HASH ":" SCRAM "\n", STATUS_OK, 1, NULL},
        {"alice::" SCRAM "\n", STATUS_OK, 1, NULL},
        {"alice:" HASH ":\n", STATUS_INVALID, 0, ":1: "},
        {"alice::\n", STATUS_INVALID, 0, ":1: "},
        {"alice:" HASH ":" SCRAM ":x\n", STATUS_INVALID, 0, ":1: "},
        {"alice:" SCRAM "\n", STATUS_INVALID, 0, ":1: "},
        {"b:" HASH "\nalice:" HASH ":SCRAM-SHA-256$1:eA==$eA==:eA==\n", STATUS_INVALID, 0, ":2: SCRAM"},
        {"alice:abJnggxhB/yWI\n", STATUS_INVALID, 0, ":1: "}, /* DES: not safe */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct users users;
        struct error err = {0};
        write_users(f, cases[i].text, strlen(cases[i].text), 0600);
        enum status st = users_load(f->users, &users, &err);
        if (st != cases[i].status)
            fail_msg("case %zu: %d %s", i, st, err.text);
        assert_int_equal(users.n, cases[i].n);
        if (cases[i].error)
            assert_non_null(strstr(err.text, cases[i].error));
        users_free(&users);
    }
    struct users users;
    struct error err = {0};
    write_users(f, "a\0b:" HASH "\n", sizeof "a\0b:" HASH, 0600);
    assert_int_equal(users_load(f->users, &users, &err), STATUS_INVALID);
}

static void test_A26_rights(void **state)
{
    const struct folder *f = *state;
    static const mode_t modes[] = {0640, 0604, 0660, 0644, 0610, 0601};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        struct users users;
        struct error err = {0};
        write_users(f, "", 0, modes[i]);
        assert_int_equal(users_load(f->users, &users, &err), STATUS_DENIED);
        assert_non_null(strstr(err.text, "chmod"));
    }
    struct users users;
    struct error err = {0};
    unlink(f->users);
    assert_int_equal(users_load(f->users, &users, &err), STATUS_NOT_FOUND);
    assert_non_null(strstr(err.text, "sealctl user add"));
    assert_int_equal(users_load("/dev/null", &users, &err), STATUS_DENIED);
}

static void test_passwords(void **state)
{
    const struct folder *f = *state;
    char too_long[600];
    memset(too_long, 'x', sizeof too_long - 1);
    too_long[sizeof too_long - 1] = '\0';
    add_user(f, "alice", "correct horse");
    add_user(f, "bob", "battery staple");
    const struct {
        const char *name, *password;
        enum status status;
    } cases[] = {
        {"alice", "correct horse", STATUS_OK},       {"bob", "battery staple", STATUS_OK},
        {"alice", "battery staple", STATUS_DENIED},  {"alice", "correct hors", STATUS_DENIED},
        {"alice", "correct horse ", STATUS_DENIED},  {"alice", "", STATUS_DENIED},
        {"Alice", "correct horse", STATUS_DENIED},   {"carol", "correct horse", STATUS_DENIED},
        {"", "correct horse", STATUS_DENIED},        {"alice", too_long, STATUS_DENIED},
        {"ali*", "correct horse", STATUS_DENIED},    {"alice\n", "correct horse", STATUS_DENIED},
        {"alice:x", "correct horse", STATUS_DENIED},
    };
    struct users users;
    struct error err = {0};
    assert_int_equal(users_load(f->users, &users, &err), STATUS_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct user *user = NULL;
        assert_int_equal(users_check(&users, cases[i].name, cases[i].password, NULL, &user, &err),
                         cases[i].status);
        assert_true(!user == (cases[i].status != STATUS_OK));
        if (user)
            assert_string_equal(user->name, cases[i].name);
    }
    users_free(&users);
}

static void test_passwords_that_are_refused(void **state)
{
    (void)state;
    char too_long[600] = {0};
    memset(too_long, 'x', sizeof too_long - 1);
    const char *const refused[] = {"",
                                   too_long,
                                   "a\x01z",
                                   "a\xff",
                                   "\xc2\xad" /* maps to nothing */,
                                   "\xd8\xa7"
                                   "1" /* RFC 3454 §6: ends unlike it begins */};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct user user = {.name = strdup("alice")};
        struct error err = {0};
        if (user_set_password(&user, refused[i], &err) != STATUS_INVALID)
            fail_msg("case %zu", i);
        assert_false(user.has_scram);
        user_wipe(&user);
    }
}

/* The same password may arrive as another mail program writes it. */
static void test_passwords_are_prepared(void **state)
{
    const struct folder *f = *state;
    struct users users;
    const struct user *user;
    struct error err = {0};
    add_user(f, "alice", "pass\xc2\xa0word \xef\xac\x81"); /* NO-BREAK SPACE, LIGATURE FI */
    assert_int_equal(users_load(f->users, &users, &err), STATUS_OK);
    assert_int_equal(users_check(&users, "alice", "pass word fi", NULL, &user, &err), STATUS_OK);
    assert_int_equal(users_check(&users, "alice", "pass\xc2\xa0word \xef\xac\x81", NULL, &user, &err),
                     STATUS_OK);
    assert_int_equal(users_check(&users, "al\xc2\xadice", "pass word fi", NULL, &user, &err), STATUS_OK);
    assert_string_equal(user->name, "alice");
    assert_true(scram_keys_match(&user->scram, "pass word fi"));
    users_free(&users);
}

/* A hash that another system made counts for the bytes it was made of. */
static void test_hashes_and_keys_from_elsewhere(void **state)
{
    const struct folder *f = *state;
    static const char text[] = "six:$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/"
                               "O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1\n"
                               "user::" SCRAM "\n";
    struct users users;
    const struct user *user;
    struct error err = {0};
    write_users(f, text, sizeof text - 1, 0600);
    assert_int_equal(users_load(f->users, &users, &err), STATUS_OK);
    assert_int_equal(users_check(&users, "six", "Hello world!", NULL, &user, &err), STATUS_OK);
    assert_false(user->has_scram);
    assert_int_equal(users_check(&users, "user", "pencil", NULL, &user, &err), STATUS_OK);
    assert_null(user->hash);
    assert_int_equal(users_check(&users, "user", "pencils", NULL, &user, &err), STATUS_DENIED);
    assert_int_equal(users_check(&users, "six", "pencil", NULL, &user, &err), STATUS_DENIED);
    users_free(&users);
}

static void test_names_as_scram_carries_them(void **state)
{
    (void)state;
    struct error err = {0};
    assert_int_equal(user_name_is_prepared("alice@example.org", &err), STATUS_OK);
    assert_int_equal(user_name_is_prepared("\xc3\xbcser", &err), STATUS_OK);
    assert_int_equal(user_name_is_prepared("\xef\xac\x81n", &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, " as fin"));
    assert_int_equal(user_name_is_prepared("u\xcc\x88ser", &err), STATUS_INVALID);
    assert_int_equal(user_name_is_prepared("\xf0\x9f\x94\x91", &err), STATUS_INVALID);
}

/* Of the fastest of some: caches that others use too only ever make it slower. */
static double cpu_ms(const struct users *users, const char *name)
{
    double least = 1e9;
    struct timespec a, b;
    const struct user *user;
    struct error err;
    for (int i = 0; i < 5; i++) {
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
        assert_int_equal(users_check(users, name, "wrong", NULL, &user, &err), STATUS_DENIED);
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
        double ms = (double)(b.tv_sec - a.tv_sec) * 1e3 + (double)(b.tv_nsec - a.tv_nsec) / 1e6;
        least = ms < least ? ms : least;
    }
    return least;
}

/* By CPU time, so that a busy machine does not matter; the hash is all but all of it. */
static void test_A19_unknown_users_cost_the_same(void **state)
{
    const struct folder *f = *state;
    struct users users;
    const struct user *user;
    struct error err = {0}, unknown = {0};
    add_user(f, "alice", "correct horse");
    assert_int_equal(users_load(f->users, &users, &err), STATUS_OK);
    cpu_ms(&users, "alice");
    double ratio = cpu_ms(&users, "nobody") / cpu_ms(&users, "alice");
    assert_true(ratio > 0.5 && ratio < 2);
    assert_int_equal(users_check(&users, "alice", "wrong", NULL, &user, &err), STATUS_DENIED);
    assert_int_equal(users_check(&users, "nobody", "wrong", NULL, &user, &unknown), STATUS_DENIED);
    assert_string_equal(err.text, unknown.text);
    users_free(&users);
}

/* Nor does the kind of hashes that the file holds tell: here a check is a hundred times cheaper than
 * yescrypt. */
static void test_A19_unknown_users_cost_what_others_cost(void **state)
{
    const struct folder *f = *state;
    static const char text[] =
        "alice:$6$rounds=1000$x$"
        "TtpmgdBL9IRMyiEXdo4W2VQXWYt4mFxFejWYXSuRT6horaARFY0AbH.ESH6NH4Nlur7cjsn6rYnTiuzkHOhzt.\n";
    struct users users;
    struct error err = {0};
    write_users(f, text, sizeof text - 1, 0600);
    assert_int_equal(users_load(f->users, &users, &err), STATUS_OK);
    cpu_ms(&users, "alice");
    double ratio = cpu_ms(&users, "nobody") / cpu_ms(&users, "alice");
    assert_true(ratio > 0.2 && ratio < 5);
    users_free(&users);
}

static void read_users(const struct folder *f, char *text, size_t size)
{
    FILE *file = fopen(f->users, "r");
    assert_non_null(file);
    text[fread(text, 1, size - 1, file)] = '\0';
    fclose(file);
}

/* USER_REMOVE looks at the name only. */
static enum status change_to(const struct folder *f, enum user_change change, const char *name,
                             const char *hash)
{
    struct error err = {0};
    const struct user user = {.name = (char *)(uintptr_t)name, .hash = (char *)(uintptr_t)hash};
    return users_change(f->users, change, &user, &err);
}

static void test_changes(void **state)
{
    const struct folder *f = *state;
    char text[2000];
    assert_int_equal(change_to(f, USER_REPLACE, "alice", HASH), STATUS_NOT_FOUND);
    assert_int_equal(change_to(f, USER_ADD, "alice", HASH), STATUS_OK);
    struct stat st;
    assert_int_equal(stat(f->users, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(change_to(f, USER_ADD, "alice", HASH), STATUS_INVALID);
    assert_int_equal(change_to(f, USER_REMOVE, "bob", NULL), STATUS_NOT_FOUND);
    assert_int_equal(change_to(f, USER_ADD, "a:b", HASH), STATUS_INVALID);
    assert_int_equal(change_to(f, USER_ADD, "bob", HASH "\nroot:" HASH), STATUS_INVALID);
    assert_int_equal(change_to(f, USER_ADD, "bob", HASH ":x"), STATUS_INVALID);
    assert_int_equal(change_to(f, USER_ADD, "bob", ""), STATUS_INVALID);
    assert_int_equal(change_to(f, USER_ADD, "bob", NULL), STATUS_INVALID);

    static const char before[] = "# comment\nalice:" HASH "\n\n# end";
    write_users(f, before, sizeof before - 1, 0400);
    assert_int_equal(change_to(f, USER_ADD, "bob", HASH), STATUS_OK);
    read_users(f, text, sizeof text);
    assert_string_equal(text, "# comment\nalice:" HASH "\n\n# end\nbob:" HASH "\n");
    assert_int_equal(stat(f->users, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0400);
    assert_int_equal(change_to(f, USER_REPLACE, "alice", OTHER), STATUS_OK);
    assert_int_equal(change_to(f, USER_REMOVE, "bob", NULL), STATUS_OK);
    read_users(f, text, sizeof text);
    assert_string_equal(text, "# comment\n\n# end\nalice:" OTHER "\n");
}

static struct users set_of(const char *const *names, const char *hash)
{
    struct users set = {0};
    struct error err = {0};
    for (; *names; names++) {
        struct user user = {.name = strdup(*names), .hash = strdup(hash)};
        assert_int_equal(users_append(&set, &user, &err), STATUS_OK);
    }
    users_sort(&set);
    return set;
}

/* All or nothing, however many. */
static void test_adding_many(void **state)
{
    const struct folder *f = *state;
    char text[2000];
    struct error err = {0};
    struct users first = set_of((const char *const[]){"carol", "alice", "bob", "dan", "erin", NULL}, HASH);
    struct users second = set_of((const char *const[]){"frank", "dan", NULL}, OTHER);
    assert_int_equal(users_add_all(f->users, &first, false, &err), STATUS_OK);
    read_users(f, text, sizeof text);
    assert_string_equal(text, "alice:" HASH "\nbob:" HASH "\ncarol:" HASH "\ndan:" HASH "\nerin:" HASH "\n");
    assert_int_equal(users_add_all(f->users, &second, false, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "dan"));
    read_users(f, text, sizeof text);
    assert_null(strstr(text, "frank"));
    assert_int_equal(users_add_all(f->users, &second, true, &err), STATUS_OK);
    read_users(f, text, sizeof text);
    assert_string_equal(text, "alice:" HASH "\nbob:" HASH "\ncarol:" HASH "\nerin:" HASH "\ndan:" OTHER
                              "\nfrank:" OTHER "\n");
    users_free(&first);
    users_free(&second);
}

static void test_scram_keys_come_back_as_they_were_written(void **state)
{
    const struct folder *f = *state;
    struct users users;
    struct error err = {0};
    struct user user = user_with("alice", "correct horse");
    assert_int_equal(users_change(f->users, USER_ADD, &user, &err), STATUS_OK);
    assert_int_equal(users_load(f->users, &users, &err), STATUS_OK);
    assert_int_equal(users.n, 1);
    assert_string_equal(users.items[0].hash, user.hash);
    assert_true(users.items[0].has_scram);
    assert_memory_equal(&users.items[0].scram, &user.scram, sizeof user.scram);
    assert_true(user.scram.iterations >= 100000);
    user_wipe(&user);
    users_free(&users);
}

/* The file is read again when it changed; when it cannot be read, nobody is left. */
static void test_the_watch(void **state)
{
    const struct folder *f = *state;
    struct users_watch watch;
    struct error err = {0};
    assert_int_equal(users_watch_open(f->users, &watch, &err), STATUS_NOT_FOUND);
    assert_int_equal(change_to(f, USER_ADD, "alice", HASH), STATUS_OK);
    assert_int_equal(users_watch_refresh(&watch, &err), STATUS_OK);
    assert_non_null(users_find(&watch.users, "alice"));
    const struct user *before = watch.users.items;
    assert_int_equal(users_watch_refresh(&watch, &err), STATUS_OK);
    assert_ptr_equal(watch.users.items, before);
    assert_int_equal(change_to(f, USER_ADD, "bob", HASH), STATUS_OK);
    assert_int_equal(users_watch_refresh(&watch, &err), STATUS_OK);
    assert_non_null(users_find(&watch.users, "bob"));
    assert_int_equal(chmod(f->users, 0644), 0);
    assert_int_equal(users_watch_refresh(&watch, &err), STATUS_DENIED);
    assert_int_equal(watch.users.n, 0);
    assert_int_equal(chmod(f->users, 0600), 0);
    assert_int_equal(users_watch_refresh(&watch, &err), STATUS_OK);
    assert_int_equal(watch.users.n, 2);
    users_watch_close(&watch);
}

/* A file that is wrong is read once, however many try to log in (A20), and again when it is mended. */
static void test_A20_the_watch_reads_a_wrong_file_once(void **state)
{
    const struct folder *f = *state;
    static const char wrong[] = "alice\n";
    struct users_watch watch;
    struct error err = {0};
    char events[1024];
    write_users(f, wrong, sizeof wrong - 1, 0600);
    assert_int_equal(users_watch_open(f->users, &watch, &err), STATUS_INVALID);
    int opened = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    assert_true(opened >= 0 && inotify_add_watch(opened, f->users, IN_OPEN) >= 0);
    for (int i = 0; i < 3; i++) {
        struct error again = {0};
        assert_int_equal(users_watch_refresh(&watch, &again), STATUS_INVALID);
        assert_string_equal(again.text, err.text);
    }
    assert_int_equal(read(opened, events, sizeof events), -1);
    write_users(f, "", 0, 0600);
    assert_int_equal(users_watch_refresh(&watch, &err), STATUS_OK);
    users_watch_close(&watch);
    close(opened);
}

/* A changer that died left its file behind. */
static void test_a_left_over_file_is_no_obstacle(void **state)
{
    const struct folder *f = *state;
    char left[400];
    snprintf(left, sizeof left, "%s.new", f->users);
    FILE *file = fopen(left, "w");
    assert_non_null(file);
    fputs("half", file);
    fclose(file);
    assert_int_equal(change_to(f, USER_ADD, "alice", HASH), STATUS_OK);
    assert_int_equal(access(left, F_OK), -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, folder_make, folder_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_A21_names),
        TEST(test_files),
        TEST(test_A26_rights),
        TEST(test_passwords),
        TEST(test_A19_unknown_users_cost_the_same),
        TEST(test_A19_unknown_users_cost_what_others_cost),
        TEST(test_passwords_that_are_refused),
        TEST(test_passwords_are_prepared),
        TEST(test_hashes_and_keys_from_elsewhere),
        TEST(test_names_as_scram_carries_them),
        TEST(test_adding_many),
        TEST(test_scram_keys_come_back_as_they_were_written),
        TEST(test_the_watch),
        TEST(test_A20_the_watch_reads_a_wrong_file_once),
        TEST(test_changes),
        TEST(test_a_left_over_file_is_no_obstacle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
