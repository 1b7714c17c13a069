/* The users file: reading, checking, changing. */
#include <time.h>

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
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(users_check(&users, cases[i].name, cases[i].password, &err), cases[i].status);
    users_free(&users);
    char *hash = NULL;
    assert_int_equal(user_hash("", &hash, &err), STATUS_INVALID);
    assert_int_equal(user_hash(too_long, &hash, &err), STATUS_INVALID);
    assert_null(hash);
}

static double cpu_ms(const struct users *users, const char *name)
{
    struct timespec a, b;
    struct error err;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
    for (int i = 0; i < 5; i++)
        assert_int_equal(users_check(users, name, "wrong", &err), STATUS_DENIED);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
    return (double)(b.tv_sec - a.tv_sec) * 1e3 + (double)(b.tv_nsec - a.tv_nsec) / 1e6;
}

/* By CPU time, so that a busy machine does not matter; the hash is all but all of it. */
static void test_A19_unknown_users_cost_the_same(void **state)
{
    const struct folder *f = *state;
    struct users users;
    struct error err = {0}, unknown = {0};
    add_user(f, "alice", "correct horse");
    assert_int_equal(users_load(f->users, &users, &err), STATUS_OK);
    cpu_ms(&users, "alice");
    double ratio = cpu_ms(&users, "nobody") / cpu_ms(&users, "alice");
    assert_true(ratio > 0.5 && ratio < 2);
    assert_int_equal(users_check(&users, "alice", "wrong", &err), STATUS_DENIED);
    assert_int_equal(users_check(&users, "nobody", "wrong", &unknown), STATUS_DENIED);
    assert_string_equal(err.text, unknown.text);
    users_free(&users);
}

static void read_users(const struct folder *f, char *text, size_t size)
{
    FILE *file = fopen(f->users, "r");
    assert_non_null(file);
    text[fread(text, 1, size - 1, file)] = '\0';
    fclose(file);
}

static void test_changes(void **state)
{
    const struct folder *f = *state;
    char text[2000];
    struct error err = {0};
    assert_int_equal(users_change(f->users, USER_REPLACE, "alice", HASH, &err), STATUS_NOT_FOUND);
    assert_int_equal(users_change(f->users, USER_ADD, "alice", HASH, &err), STATUS_OK);
    struct stat st;
    assert_int_equal(stat(f->users, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(users_change(f->users, USER_ADD, "alice", HASH, &err), STATUS_INVALID);
    assert_int_equal(users_change(f->users, USER_REMOVE, "bob", NULL, &err), STATUS_NOT_FOUND);
    assert_int_equal(users_change(f->users, USER_ADD, "a:b", HASH, &err), STATUS_INVALID);
    assert_int_equal(users_change(f->users, USER_ADD, "bob", "x\nroot:y", &err), STATUS_INVALID);
    assert_int_equal(users_change(f->users, USER_ADD, "bob", "", &err), STATUS_INVALID);

    static const char before[] = "# comment\nalice:" HASH "\n\n# end";
    write_users(f, before, sizeof before - 1, 0400);
    assert_int_equal(users_change(f->users, USER_ADD, "bob", "$y$new", &err), STATUS_OK);
    read_users(f, text, sizeof text);
    assert_string_equal(text, "# comment\nalice:" HASH "\n\n# end\nbob:$y$new\n");
    assert_int_equal(stat(f->users, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0400);
    assert_int_equal(users_change(f->users, USER_REPLACE, "alice", "$y$other", &err), STATUS_OK);
    assert_int_equal(users_change(f->users, USER_REMOVE, "bob", NULL, &err), STATUS_OK);
    read_users(f, text, sizeof text);
    assert_string_equal(text, "# comment\n\n# end\nalice:$y$other\n");
}

/* A changer that died left its file behind. */
static void test_a_left_over_file_is_no_obstacle(void **state)
{
    const struct folder *f = *state;
    char left[400];
    struct error err = {0};
    snprintf(left, sizeof left, "%s.new", f->users);
    FILE *file = fopen(left, "w");
    assert_non_null(file);
    fputs("half", file);
    fclose(file);
    assert_int_equal(users_change(f->users, USER_ADD, "alice", HASH, &err), STATUS_OK);
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
        TEST(test_changes),
        TEST(test_a_left_over_file_is_no_obstacle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
