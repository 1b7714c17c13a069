/* Lines of Dovecot's authentication protocol. */
#include "gateway/passwords/dovecot_wire.h"
#include "tests/unit/passwords/fixture.h"

static void test_A21_fields_are_escaped(void **state)
{
    (void)state;
    static const struct {
        const char *text, *field;
    } cases[] = {
        {"", ""},
        {"alice@example.org", "alice@example.org"},
        {"a\tb", "a\001tb"},
        {"a\nb\rc", "a\001nb\001rc"},
        {"\001", "\0011"},
        {"\001t", "\0011t"},
        {"\xc3\xbc)(|*\"'\\", "\xc3\xbc)(|*\"'\\"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf b;
        char back[100];
        buf_init(&b, 1000);
        dovecot_escape(&b, span_str(cases[i].text));
        assert_string_equal(buf_str(&b), cases[i].field);
        assert_true(dovecot_unescape(buf_span(&b), back, sizeof back));
        assert_string_equal(back, cases[i].text);
        buf_free(&b);
    }
    char back[4];
    assert_false(dovecot_unescape(span_str("a\001"), back, sizeof back));
    assert_false(dovecot_unescape(span_str("a\001x"), back, sizeof back));
    assert_false(dovecot_unescape(span_str("a\0010"), back, sizeof back)); /* a NUL */
    assert_false(dovecot_unescape(span_of("a\0b", 3), back, sizeof back));
    assert_false(dovecot_unescape(span_of("a\001\0", 3), back, sizeof back));
    assert_false(dovecot_unescape(span_str("abcd"), back, sizeof back));
    assert_true(dovecot_unescape(span_str("abc"), back, sizeof back));
}

/* Whatever name and password hold, they make no second field or line: they travel in base64. */
static void test_A21_the_request(void **state)
{
    (void)state;
    struct buf b;
    struct password_check check = question("a\tuser=root\nAUTH", "p\tq");
    snprintf(check.client_address, sizeof check.client_address, "::1\tx");
    buf_init(&b, DOVECOT_LINE_MAX);
    dovecot_request(&b, 7, &check);
    assert_string_equal(buf_str(&b), "AUTH\t7\tPLAIN\tservice=smtp\tsecured\tno-penalty\trip=::1\001tx\t"
                                     "resp=AGEJdXNlcj1yb290CkFVVEgAcAlx\n");
    buf_free(&b);
    /* The longest that there can be. */
    memset(&check, 'x', sizeof check);
    check.user[sizeof check.user - 1] = check.password[sizeof check.password - 1] = '\0';
    check.client_address[sizeof check.client_address - 1] = '\0';
    buf_init(&b, DOVECOT_LINE_MAX);
    dovecot_request(&b, UINT32_MAX, &check);
    assert_false(b.failed);
    buf_free(&b);
}

static void test_greetings(void **state)
{
    (void)state;
    static const struct {
        const char *lines[6];
        bool good, done, plain;
    } cases[] = {
        {{"VERSION\t1\t2", "MECH\tPLAIN\tplaintext", "SPID\t1", "COOKIE\tx", "DONE"}, true, true, true},
        {{"VERSION\t1\t99", "MECH\tLOGIN\tplaintext", "DONE"}, true, true, false},
        {{"VERSION\t1\t0", "FUTURE\tthing", "MECH\tPLAIN"}, true, false, true},
        {{"VERSION\t2\t0"}, false, false, false},
        {{"VERSION"}, false, false, false},
        {{"MECH\tPLAIN\tplaintext"}, false, false, false},
        {{"DONE"}, false, false, false},
        {{"HTTP/1.1 400 Bad Request"}, false, false, false},
        {{""}, false, false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dovecot_greeting greeting = {0};
        bool good = true;
        for (size_t n = 0; cases[i].lines[n]; n++)
            good = good && dovecot_greeting_line(&greeting, span_str(cases[i].lines[n]));
        if (good != cases[i].good ||
            (good && (greeting.done != cases[i].done || greeting.plain != cases[i].plain)))
            fail_msg("case %zu", i);
    }
}

static void test_replies(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        enum dovecot_reply reply;
        const char *user;
    } cases[] = {
        {"OK\t7\tuser=alice", DOVECOT_OK, "alice"},
        {"OK\t7\tx=y\tuser=a\001tb\tuser=c", DOVECOT_OK, "a\tb"},
        {"OK\t7", DOVECOT_NONSENSE, ""},
        {"OK\t7\tuser=", DOVECOT_NONSENSE, ""},
        {"OK\t7\tuser=a\001", DOVECOT_NONSENSE, ""},
        {"OK\t7\toriginal_user=alice", DOVECOT_NONSENSE, ""},
        {"OK\t8\tuser=alice", DOVECOT_NONSENSE, ""},
        {"OK\t07\tuser=alice", DOVECOT_NONSENSE, ""},
        {"OK", DOVECOT_NONSENSE, ""},
        /* The password is right, but the user may not log in; with a proxy that is only not here. */
        {"OK\t7\tuser=alice\tnologin", DOVECOT_FAIL, ""},
        {"OK\t7\tnologin=y\tuser=alice\treason=on leave", DOVECOT_FAIL, ""},
        {"OK\t7\tuser=alice\tnologin\tproxy\thost=192.0.2.1", DOVECOT_OK, "alice"},
        {"OK\t7\tproxy=y\tuser=alice\tnologin=", DOVECOT_OK, "alice"},
        {"OK\t7\tuser=nologin\tx=nologin\tnologins", DOVECOT_OK, "nologin"},
        {"OK 7 user=alice", DOVECOT_NONE, ""},
        {"FAIL\t7\tuser=alice", DOVECOT_FAIL, ""},
        {"FAIL\t7", DOVECOT_FAIL, ""},
        {"FAIL\t7\tuser=alice\ttemp", DOVECOT_TEMPORARY, ""},
        {"FAIL\t7\tuser=alice\tcode=temp_fail", DOVECOT_TEMPORARY, ""},
        {"FAIL\t7\tuser=temp\tuser_disabled", DOVECOT_FAIL, ""},
        {"FAIL\t6\ttemp", DOVECOT_NONSENSE, ""},
        {"CONT\t7\t", DOVECOT_NONSENSE, ""},
        {"", DOVECOT_NONE, ""},
        {"NEWS\t7", DOVECOT_NONE, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char user[PASSWORD_USER_MAX];
        if (dovecot_reply_read(span_str(cases[i].line), 7, user) != cases[i].reply)
            fail_msg("case %zu", i);
        assert_string_equal(user, cases[i].user);
    }
    char user[PASSWORD_USER_MAX], line[PASSWORD_USER_MAX + 20];
    snprintf(line, sizeof line, "OK\t7\tuser=%0256d", 0);
    assert_int_equal(dovecot_reply_read(span_str(line), 7, user), DOVECOT_NONSENSE);
    assert_string_equal(user, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_A21_fields_are_escaped),
        cmocka_unit_test(test_A21_the_request),
        cmocka_unit_test(test_greetings),
        cmocka_unit_test(test_replies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
