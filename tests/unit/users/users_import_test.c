/* Users from elsewhere: what is taken, what is refused and why. */
#include "gateway/users/users_import.h"
#include "tests/unit/users/fixture.h"

#define SIX                                                                                                  \
    "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/"                                                     \
    "O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1" /* "Hello world!" */
#define BLOWFISH "$2b$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui"
#define STORED "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
#define SERVER "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
#define SALT "W22ZaJ0SNY7soEsUEjb6gQ=="
#define OWN "SCRAM-SHA-256$4096:" SALT "$" STORED ":" SERVER /* "pencil" */

static enum status import(const char *text, const struct users *existing, struct users *users,
                          struct buf *problems)
{
    struct error err = {0};
    buf_init(problems, 1u << 16);
    return users_import(span_str(text), "file", existing, users, problems, &err);
}

static void test_what_is_taken(void **state)
{
    (void)state;
    static const struct {
        const char *line, *name, *password;
        bool hash, scram;
    } cases[] = {
        {"alice:" SIX, "alice", "Hello world!", true, false},
        {"alice:" SIX "\r", "alice", "Hello world!", true, false},
        {"alice:" SIX ":19000:0:99999:7:::", "alice", "Hello world!", true, false}, /* shadow(5) */
        {"alice:{SHA512-CRYPT}" SIX, "alice", "Hello world!", true, false},
        {"alice:{crypt}" SIX "::1000:1000::/home/alice::", "alice", "Hello world!", true, false},
        {"alice:{SCRAM-SHA-256}4096," SALT "," STORED "," SERVER, "alice", "pencil", false, true},
        {"alice:{SCRAM-SHA-256}4096," SALT "," STORED "," SERVER ":1000:1000::", "alice", "pencil", false,
         true},
        {"alice:" SIX ":" OWN, "alice", "Hello world!", true, true},
        {"alice::" OWN, "alice", "pencil", false, true},
        {"alice:{PLAIN}correct horse", "alice", "correct horse", true, true},
        {"alice:{Plain}a{b}c", "alice", "a{b}c", true, true},
        {"alice:{CLEARTEXT}secret:1000:1000::/home:/bin/sh:", "alice", "secret", true, true},
        {"alice:{PLAIN}secret:::::", "alice", "secret", true, true},
        {"alice@example.org:{PLAIN}secret:", "alice@example.org", "secret", true, true},
        {"\xc3\xbcser:{PLAIN}\xc3\xbc", "\xc3\xbcser", "\xc3\xbc", true, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct users users;
        const struct user *user;
        struct error err = {0};
        struct buf problems;
        enum status st = import(cases[i].line, NULL, &users, &problems);
        if (st != STATUS_OK || problems.len > 0 || users.n != 1)
            fail_msg("case %zu: %s", i, problems.len ? buf_str(&problems) : "");
        assert_string_equal(users.items[0].name, cases[i].name);
        assert_int_equal(users.items[0].has_scram, cases[i].scram);
        assert_int_equal(users.items[0].hash != NULL, cases[i].hash);
        if (users_check(&users, cases[i].name, cases[i].password, NULL, &user, &err) != STATUS_OK)
            fail_msg("case %zu: not the password", i);
        users_free(&users);
        buf_free(&problems);
    }
}

static void test_what_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *line, *why;
    } cases[] = {
        {"alice", "no colon"},
        {"alice:", "no password"},
        {"alice:*", "locked"},
        {"alice:!" SIX, "locked"},
        {"alice:x:1000:1000::/home:", "no password"},
        {"alice:secret", "neither a hash"},
        {"alice:abJnggxhB/yWI", "neither a hash"},                         /* DES */
        {"alice:$1$abcdefgh$G//4keteveJp0qb8z2DxG/", "broken at leisure"}, /* MD5 */
        {"alice:$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/", "broken at leisure"},
        {"alice:{SHA}VBPuJHI7uixaa6LQGWx4s+5GKNE=", "{SHA} cannot"},
        {"alice:{SSHA512}AAAA", "{SSHA512} cannot"},
        {"alice:{SCRAM-SHA-1}4096,x,y,z", "{SCRAM-SHA-1} cannot"},
        {"alice:{SCRAM-SHA-256}4096," SALT "," STORED, "SCRAM"},
        {"alice:{SCRAM-SHA-256}1," SALT "," STORED "," SERVER, "SCRAM iterations"},
        {"alice:{SCRAM-SHA-256}4096," SALT "," STORED "," SERVER ",x", "SCRAM"},
        {"alice:$6$saltstring$svn8UoSVapNt", "not whole"},
        {"alice:$2b$05$abcdefghijklmnopqrstuu", "whole"},
        {"alice:" SIX " ", "leisure"},
        {"alice:{PLAIN}", "is empty"},
        {"alice:{PLAIN}a:b", "a colon behind {PLAIN}"},
        {"alice:{PLAIN}a:1000:b", "a colon behind {PLAIN}"},
        {"alice:{PLAIN}a\tb", "SASLprep"},
        {"alice:{PLAIN", "without end"},
        {":" SIX, "user name"},
        {"a\tb:" SIX, "user name"},
        {"a\xff:" SIX, "user name"},
        {"\xef\xac\x81n:" SIX, "as fin"},
        {"alice:" SIX ":SCRAM-SHA-256$x", "SCRAM"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct users users;
        struct buf problems;
        char text[1000];
        snprintf(text, sizeof text, "# list\nbob:" SIX "\n\n%s\n", cases[i].line);
        if (import(text, NULL, &users, &problems) != STATUS_INVALID || problems.len == 0)
            fail_msg("case %zu was taken", i);
        if (strncmp(buf_str(&problems), "file:4: ", 8) != 0 || !strstr(buf_str(&problems), cases[i].why))
            fail_msg("case %zu: %s", i, buf_str(&problems));
        assert_int_equal(users.n, 0); /* all or nothing */
        buf_free(&problems);
    }
}

static void test_all_problems_in_one_run(void **state)
{
    (void)state;
    static const char text[] = "alice:secret\nbob:" SIX "\ncarol:*\nbob:" SIX "\ndan:" SIX "\n";
    struct error err = {0};
    struct user dan = {.name = strdup("dan"), .hash = strdup(SIX)};
    struct users existing = {0}, users;
    struct buf problems;
    assert_int_equal(users_append(&existing, &dan, &err), STATUS_OK);
    assert_int_equal(import(text, &existing, &users, &problems), STATUS_INVALID);
    static const char *const expected[] = {"file:1: user alice", "file:3: user carol",
                                           "file:5: user dan: is there", "file: user bob stands there twice"};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        if (!strstr(buf_str(&problems), expected[i]))
            fail_msg("not found: %s in %s", expected[i], buf_str(&problems));
    buf_free(&problems);
    assert_int_equal(import("dan:" SIX "\n", NULL, &users, &problems), STATUS_OK);
    assert_int_equal(users.n, 1);
    users_free(&users);
    users_free(&existing);
    buf_free(&problems);
}

static void test_nothing_is_nobody(void **state)
{
    (void)state;
    struct users users;
    struct buf problems;
    assert_int_equal(import("", NULL, &users, &problems), STATUS_OK);
    assert_int_equal(import("# nobody\n\r\n  \n", NULL, &users, &problems), STATUS_OK);
    assert_int_equal(users.n, 0);
    buf_free(&problems);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_taken),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_all_problems_in_one_run),
        cmocka_unit_test(test_nothing_is_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
