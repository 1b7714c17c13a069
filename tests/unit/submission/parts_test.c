/* Parts without a connection: limits, data, the table of replies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <string.h>

#include "base/memfile.h"
#include "gateway/submission/data.h"
#include "gateway/submission/limits.h"
#include "gateway/submission/replies.h"

static struct client_key key_of(const char *address)
{
    struct sockaddr_storage ss = {0};
    struct sockaddr_in *v4 = (void *)&ss;
    struct sockaddr_in6 *v6 = (void *)&ss;
    if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
        ss.ss_family = AF_INET;
    } else {
        memset(&ss, 0, sizeof ss);
        assert_int_equal(inet_pton(AF_INET6, address, &v6->sin6_addr), 1);
        ss.ss_family = AF_INET6;
    }
    return limits_key(&ss);
}

static void test_A17_clients(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool same;
    } cases[] = {
        {"192.0.2.1", "192.0.2.1", true},
        {"192.0.2.1", "192.0.2.2", false},
        {"192.0.2.1", "::ffff:192.0.2.1", true},
        {"2001:db8::1", "2001:db8::2", true},
        {"2001:db8:0:1::1", "2001:db8:0:2::1", false},
        {"::1", "192.0.2.1", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct client_key a = key_of(cases[i].a), b = key_of(cases[i].b);
        assert_int_equal(memcmp(&a, &b, sizeof a) == 0, cases[i].same);
    }
}

static void test_A17_limits(void **state)
{
    (void)state;
    struct limits limits;
    struct error err = {0};
    struct client_key a = key_of("192.0.2.1"), b = key_of("192.0.2.2"), c = key_of("192.0.2.3");
    assert_int_equal(limits_init(&limits, 3, 2, &err), STATUS_OK);
    assert_true(limits_enter(&limits, &a));
    assert_true(limits_enter(&limits, &a));
    assert_false(limits_enter(&limits, &a));
    assert_true(limits_enter(&limits, &b));
    assert_false(limits_enter(&limits, &c));
    limits_leave(&limits, &a);
    assert_true(limits_enter(&limits, &c));
    limits_leave(&limits, &a);
    limits_leave(&limits, &b);
    limits_leave(&limits, &c);
    assert_int_equal(limits.sessions, 0);
    assert_int_equal(limits.n_clients, 0);
    assert_true(limits_enter(&limits, &a));
    limits_free(&limits);
}

/* As many clients as there may be, coming and going. */
static void test_A17_many_clients(void **state)
{
    (void)state;
    enum { CLIENTS = 20000 };
    struct limits limits;
    struct error err = {0};
    static struct client_key keys[CLIENTS + 1];
    for (size_t i = 0; i <= CLIENTS; i++)
        memcpy(keys[i].bytes, &i, sizeof i);
    assert_int_equal(limits_init(&limits, CLIENTS, 1, &err), STATUS_OK);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < CLIENTS; i++)
            assert_true(limits_enter(&limits, &keys[i]));
        assert_false(limits_enter(&limits, &keys[CLIENTS]));
        for (size_t i = 0; i < CLIENTS; i += 2)
            limits_leave(&limits, &keys[i]);
        for (size_t i = 1; i < CLIENTS; i += 2)
            assert_false(limits_enter(&limits, &keys[i]));
        assert_int_equal(limits.sessions, CLIENTS / 2);
        for (size_t i = 1; i < CLIENTS; i += 2)
            limits_leave(&limits, &keys[i]);
        assert_int_equal(limits.n_clients, 0);
    }
    size_t longest = 0;
    for (size_t i = 0; i < CLIENTS; i++)
        assert_true(limits_enter(&limits, &keys[i]));
    for (size_t i = 0; i < limits.n_buckets; i++) {
        size_t len = 0;
        for (uint32_t at = limits.buckets[i]; at; at = limits.clients[at - 1].next)
            len++;
        longest = len > longest ? len : longest;
    }
    assert_true(longest < 20);
    limits_free(&limits);
}

static void test_A17_clients_not_known_yet(void **state)
{
    (void)state;
    struct limits limits;
    struct error err = {0};
    struct client_key a = key_of("192.0.2.1");
    assert_int_equal(limits_init(&limits, 3, 1, &err), STATUS_OK);
    assert_true(limits_enter_unknown(&limits));
    assert_true(limits_enter_unknown(&limits));
    assert_true(limits_enter_unknown(&limits));
    assert_false(limits_enter_unknown(&limits));
    assert_false(limits_enter(&limits, &a));
    assert_true(limits_identify(&limits, &a));
    assert_false(limits_identify(&limits, &a));
    limits_leave_unknown(&limits);
    limits_leave_unknown(&limits);
    limits_leave(&limits, &a);
    assert_int_equal(limits.sessions, 0);
    assert_int_equal(limits.n_clients, 0);
    limits_free(&limits);
}

static void feed_all(struct data *data, const char *text, bool chunk)
{
    struct span in = span_str(text);
    while (in.len > 0) {
        size_t used = chunk ? data_feed_chunk(data, in) : data_feed(data, in);
        assert_true(used > 0);
        in = span_of(in.p + used, in.len - used);
    }
}

enum way { BEHIND_DATA, BEHIND_BDAT, DATA_NORMALIZED, BDAT_NORMALIZED };

static void test_data(void **state)
{
    (void)state;
    static const struct {
        enum way way;
        const char *text;
        enum status status;
        const char *kept;
    } cases[] = {
        {BEHIND_DATA, "a\r\n..b\r\n.\r\n", STATUS_OK, "a\r\n.b\r\n"},
        {BEHIND_DATA, ".\r\n", STATUS_OK, ""},
        {BEHIND_DATA, "123456789\r\n.\r\n", STATUS_LIMIT, NULL},
        {BEHIND_DATA, "a\nb\r\n.\r\n", STATUS_INVALID, NULL},
        {BEHIND_DATA, "123456789\r\na\nb\r\n.\r\n", STATUS_INVALID, NULL},
        {BEHIND_BDAT, "", STATUS_OK, ""},
        {BEHIND_BDAT, "..\r\n.\r\n", STATUS_OK, "..\r\n.\r\n"},
        {BEHIND_BDAT, "123456", STATUS_OK, "123456\r\n"},
        {BEHIND_BDAT, "1234567", STATUS_LIMIT, NULL},
        {BEHIND_BDAT, "12\r\n.", STATUS_OK, "12\r\n.\r\n"},
        {BEHIND_BDAT, "123456\r\n", STATUS_OK, "123456\r\n"},
        {BEHIND_BDAT, "123456789", STATUS_LIMIT, NULL},
        {BEHIND_BDAT, "a\nb", STATUS_INVALID, NULL},
        {BEHIND_BDAT, "a\r", STATUS_INVALID, NULL},
        {BEHIND_BDAT, "123456789\n", STATUS_INVALID, NULL},
        {DATA_NORMALIZED, "a\nb\r\n.\r\n", STATUS_OK, "a\r\nb\r\n"},
        {DATA_NORMALIZED, "\n\n\n\n\n\r\n.\r\n", STATUS_LIMIT, NULL},
        {BDAT_NORMALIZED, "a\nb\r", STATUS_OK, "a\r\nb\r\n"},
        {BDAT_NORMALIZED, "123456\n", STATUS_OK, "123456\r\n"},
        {BDAT_NORMALIZED, "a\nb", STATUS_OK, "a\r\nb\r\n"},
        {BDAT_NORMALIZED, "1234567\r", STATUS_LIMIT, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct data data;
        struct error err = {0};
        struct span kept;
        bool chunk = cases[i].way == BEHIND_BDAT || cases[i].way == BDAT_NORMALIZED;
        assert_int_equal(data_begin(&data, 8, cases[i].way >= DATA_NORMALIZED, &err), STATUS_OK);
        feed_all(&data, cases[i].text, chunk);
        assert_int_equal(data_is_whole(&data), !chunk);
        assert_int_equal(data_finish(&data, &err), cases[i].status);
        assert_int_equal(data_has_bare_line_end(&data), cases[i].status == STATUS_INVALID);
        if (cases[i].kept) {
            assert_int_equal(memfile_map(data.fd, 100, &kept, &err), STATUS_OK);
            assert_int_equal(kept.len, strlen(cases[i].kept));
            assert_int_equal(data.kept, kept.len);
            if (kept.len > 0)
                assert_memory_equal(kept.p, cases[i].kept, kept.len);
            memfile_unmap(kept);
        } else if (data.failed != STATUS_OK) {
            assert_int_equal(data.kept, 0);
        }
        data_end(&data);
        assert_int_equal(data.fd, -1);
    }
}

/* "c.s.d" (RFC 3463 §2), of the reply's own class. */
static void assert_enhanced(const struct reply_entry *e)
{
    int class = 0, subject = -1, detail = -1, end = 0;
    assert_non_null(e->enhanced);
    assert_int_equal(sscanf(e->enhanced, "%1d.%3d.%3d%n", &class, &subject, &detail, &end), 3);
    assert_int_equal(end, strlen(e->enhanced));
    assert_int_equal(class, e->code / 100);
    assert_in_range(subject, 0, 7);
    assert_true(detail >= 0);
}

/* RFC 3463: the class of the enhanced code is the first digit of the code; RFC 2034 §4: none with 3yz. */
static void test_the_table_of_replies(void **state)
{
    (void)state;
    for (int id = REPLY_GREETING; id <= REPLY_SHUTTING_DOWN; id++) {
        const struct reply_entry *e = reply_entry(id);
        assert_true(e->code >= 200 && e->code < 600);
        assert_non_null(e->text);
        for (const char *p = e->text; *p; p++)
            assert_true((*p >= ' ' && *p < 0x7f) || *p == '\n');
        if (e->code / 100 == 3 || id == REPLY_GREETING || id == REPLY_HELO)
            assert_null(e->enhanced);
        else
            assert_enhanced(e);
        if (e->is_bad_command)
            assert_true(e->code >= 500);
    }
}

/* Fail closed: only "queued" is a 250. */
static void test_A33_only_queued_is_250(void **state)
{
    (void)state;
    for (int outcome = -1; outcome < 100; outcome++) {
        int code = reply_entry(reply_for_submit((enum submit_outcome)outcome))->code;
        assert_int_equal(code < 400, outcome == SUBMIT_QUEUED);
    }
    for (int st = STATUS_INVALID; st <= STATUS_INTERNAL; st++)
        assert_int_equal(reply_entry(reply_for_call((enum status)st))->code, 451);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_A17_clients),
        cmocka_unit_test(test_A17_limits),
        cmocka_unit_test(test_A17_many_clients),
        cmocka_unit_test(test_A17_clients_not_known_yet),
        cmocka_unit_test(test_data),
        cmocka_unit_test(test_the_table_of_replies),
        cmocka_unit_test(test_A33_only_queued_is_250),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
