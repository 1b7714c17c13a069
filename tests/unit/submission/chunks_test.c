/* Messages in chunks (RFC 3030): what is counted, what is refused, and what is never taken for a command. */
#include "tests/unit/submission/fixture.h"

static const char message[] = "Subject: x\r\n\r\n.\r\n..two\r\n\xc3\xbc, no line end here";

static void begin(struct client *c)
{
    say(c, "MAIL FROM:<alice@example.org>", "250 2.1.0");
    say(c, "RCPT TO:<bob@example.com>", "250 2.1.5");
}

/* BDAT with the LEN bytes of TEXT, in one write. */
static void put_chunk_of(struct client *c, const char *text, size_t len, bool last)
{
    char line[60];
    int head = snprintf(line, sizeof line, "BDAT %zu%s\r\n", len, last ? " LAST" : "");
    char *bytes = malloc((size_t)head + len);
    memcpy(bytes, line, (size_t)head);
    memcpy(bytes + head, text, len);
    assert_true(put(c, bytes, (size_t)head + len));
    free(bytes);
}

static void put_chunk(struct client *c, const char *text, bool last)
{
    put_chunk_of(c, text, strlen(text), last);
}

static void assert_message(struct fixture *f, const char *want)
{
    pthread_mutex_lock(&f->roles.lock);
    assert_int_equal(f->roles.message_len, strlen(want));
    assert_memory_equal(f->roles.message, want, strlen(want));
    f->roles.message_len = 0;
    pthread_mutex_unlock(&f->roles.lock);
}

/* At every split, and without un-stuffing; a last line without its end gets one (RFC 5321 §2.3.8). */
static void test_a_message_in_two_chunks_byte_for_byte(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct client *c = client_login(f);
    size_t len = strlen(message);
    for (size_t cut = 0; cut <= len; cut++) {
        begin(c);
        put_chunk_of(c, message, cut, false);
        char reply[60];
        snprintf(reply, sizeof reply, "250 2.0.0 %zu bytes received\r\n", cut);
        expect(c, reply);
        put_chunk_of(c, message + cut, len - cut, true);
        expect(c, "250 2.0.0 ID queued, sealed for 1 of 1 recipients\r\n");
        assert_message(f, "Subject: x\r\n\r\n.\r\n..two\r\n\xc3\xbc, no line end here\r\n");
        assert_true(f->roles.envelope.body_8bit);
    }
    quit(c);
    finish(f, NULL);
}

/* Each byte in a TLS record of its own. */
static void test_byte_by_byte(void **state)
{
    (void)state;
    static const char all[] = "MAIL FROM:<alice@example.org>\r\nRCPT TO:<bob@example.com>\r\n"
                              "BDAT 7\r\nA: b\r\n\rBDAT 1\r\n\nBDAT 0 LAST\r\nNOOP\r\n";
    static const char *const replies[] = {"250 2.1.0",         "250 2.1.5",           "250 2.0.0 7 bytes",
                                          "250 2.0.0 8 bytes", "250 2.0.0 ID queued", "250 2.0.0 OK"};
    struct fixture *f = start();
    struct client *c = client_login(f);
    for (size_t i = 0; i < sizeof all - 1; i++)
        assert_true(put(c, all + i, 1));
    for (size_t i = 0; i < sizeof replies / sizeof *replies; i++)
        expect(c, replies[i]);
    assert_message(f, "A: b\r\n\r\n");
    quit(c);
    finish(f, NULL);
}

/* RFC 3030 §4.2: everything may be pipelined; the replies come in order. */
static void test_pipelined(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct client *c = client_login(f);
    put_str(c, "MAIL FROM:<alice@example.org>\r\nRCPT TO:<bob@example.com>\r\nRCPT TO:<bad>\r\n"
               "BDAT 6\r\nA: b\r\nBDAT 8 LAST\r\n\r\nQUIT\r\n"
               "MAIL FROM:<alice@example.org>\r\nRCPT TO:<key@strict.example>\r\nBDAT 4 LAST\r\nC: d"
               "QUIT\r\n");
    static const char *const replies[] = {"250 2.1.0",         "250 2.1.5",    "501 5.1.3",
                                          "250 2.0.0 6 bytes", "250 2.0.0 ID", "250 2.1.0",
                                          "250 2.1.5",         "250 2.0.0 ID", "221"};
    for (size_t i = 0; i < sizeof replies / sizeof *replies; i++)
        expect(c, replies[i]);
    expect_end(c);
    client_close(c);
    assert_message(f, "C: d\r\n");
    assert_int_equal(roles_calls(f, SERVICE_SEAL), 2);
    finish(f, NULL);
}

#define SMUGGLED                                                                                             \
    "\r\nMAIL FROM:<mallory@example.org>\r\nRCPT TO:<bob@example.com>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n"

/* Whatever a chunk is refused for, its bytes are no commands; the reply comes behind them. */
static void test_A1_refused_chunks_are_swallowed(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct client *c = client_open(f, 1);
    put_chunk(c, "in clear" SMUGGLED, true);
    expect(c, "530 5.7.0");
    say(c, "EHLO client.example.org", "250-");
    put_chunk(c, "in clear" SMUGGLED, false);
    expect(c, "530 5.7.0");
    say(c, "STARTTLS", "220");
    client_tls(c);
    put_chunk(c, "before EHLO" SMUGGLED, true);
    expect(c, "503 5.5.1");
    say(c, "EHLO client.example.org", "250-");
    put_chunk(c, "before AUTH" SMUGGLED, true);
    expect(c, "530 5.7.0");
    say(c, AUTH_ALICE, "235");
    put_chunk(c, "without MAIL" SMUGGLED, true);
    expect(c, "503 5.5.1 Send MAIL first");
    say(c, "MAIL FROM:<alice@example.org>", "250");
    put_chunk(c, "without RCPT" SMUGGLED, false);
    expect(c, "554 5.5.1 No valid recipients");
    say(c, "RCPT TO:<bob@example.com>", "503 5.5.1"); /* half a message would be sent */
    put_chunk(c, SMUGGLED, true);
    expect(c, "554 5.5.1");
    say(c, "RCPT TO:<bob@example.com>", "503 5.5.1 Send MAIL first");
    quit(c);
    assert_int_equal(roles_calls(f, SERVICE_SEAL), 0);
    finish(f, NULL);
}

/* As behind DATA: no bare CR or LF, no NUL. The rest of the message fails with the first such chunk. */
static void test_A1_bad_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        const char *reply;
    } cases[] = {
        {"a\nb", 3, "554 5.6.0 The message has a bare CR or LF"},
        {"a\rb", 3, "554 5.6.0 The message has a bare CR or LF"},
        {"\r\n.\n", 4, "554 5.6.0 The message has a bare CR or LF"},
        {"a\0b", 3, "554 5.6.0 The message has a NUL byte"},
    };
    struct fixture *f = start();
    struct client *c = client_login(f);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int last = 0; last < 2; last++) {
            begin(c);
            put_chunk(c, "Subject: x\r\n", false);
            expect(c, "250 2.0.0");
            put_chunk_of(c, cases[i].bytes, cases[i].len, last);
            expect(c, cases[i].reply);
            if (!last) {
                put_chunk(c, "good\r\n" SMUGGLED, false);
                expect(c, cases[i].reply);
                put_chunk(c, "", true);
                expect(c, cases[i].reply);
            }
        }
    }
    /* A CR and its LF may stand in two chunks, but a CR at the end is bare. */
    begin(c);
    put_chunk(c, "a\r", false);
    expect(c, "250 2.0.0");
    put_chunk(c, "\nb\r", false);
    expect(c, "250 2.0.0");
    put_chunk(c, "", true);
    expect(c, "554 5.6.0 The message has a bare CR or LF");
    begin(c);
    put_chunk(c, "a\r", false);
    expect(c, "250 2.0.0");
    put_chunk(c, "b\r\n", true);
    expect(c, "554 5.6.0");
    assert_int_equal(roles_calls(f, SERVICE_SEAL), 0);
    quit(c);
    finish(f, NULL);
}

static void test_orders(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct client *c = client_login(f);
    begin(c);
    put_chunk(c, "first\r\n", false);
    expect(c, "250 2.0.0");
    say(c, "RCPT TO:<bob@example.com>", "503 5.5.1 Not between");
    say(c, "DATA", "503 5.5.1 Not between");
    say(c, "MAIL FROM:<alice@example.org>", "503 5.5.1");
    say(c, "STARTTLS", "503 5.5.1");
    say(c, AUTH_ALICE, "503 5.5.1");
    say(c, "NOOP", "250");
    say(c, "HELP", "214");
    say(c, "VRFY bob", "252");
    put_chunk(c, "last\r\n", true);
    expect(c, "250 2.0.0 ID");
    assert_message(f, "first\r\nlast\r\n");
    put_chunk(c, "behind LAST", true); /* RFC 3030 §2 */
    expect(c, "503 5.5.1 Send MAIL first");
    /* RSET and EHLO forget the chunks. */
    static const char *const forget[] = {"RSET", "EHLO client.example.org"};
    for (int i = 0; i < 2; i++) {
        begin(c);
        put_chunk(c, "forgotten", false);
        expect(c, "250 2.0.0");
        say(c, forget[i], "250");
        put_chunk(c, "stray", true);
        expect(c, "503 5.5.1");
        begin(c);
        put_chunk(c, "kept", true);
        expect(c, "250 2.0.0 ID");
        assert_message(f, "kept\r\n");
    }
    begin(c);
    say(c, "DATA", "354");
    say(c, "BDAT 5\r\n.", "250 2.0.0 ID"); /* a line of the message */
    assert_message(f, "BDAT 5\r\n");
    quit(c);
    finish(f, NULL);
}

/* Where a chunk ends is not known: nothing behind it may be read. */
static void test_A1_malformed_sizes_close(void **state)
{
    (void)state;
    static const char *const bad[] = {"BDAT",      "BDAT x",       "BDAT -1",
                                      "BDAT LAST", "BDAT 1 FIRST", "BDAT 1 LAST 2"};
    struct fixture *f = start();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct client *c = client_login(f);
        begin(c);
        put_str(c, bad[i]);
        put_str(c, "\r\nx" SMUGGLED);
        expect(c, "501 5.5.4 Malformed chunk size");
        expect_end(c);
        client_close(c);
    }
    struct client *c = client_login(f);
    put_str(c, "BDAT x\r\nNOOP\r\n");
    expect(c, "503 5.5.1");
    expect_end(c);
    client_close(c);
    /* Lines that are no command, but may be meant as this one. */
    static const char *const worse[] = {"BDAT\t9 LAST\r\n", "bdat:9\r\n", "BDAT 9\x01\r\n"};
    for (size_t i = 0; i < sizeof worse / sizeof *worse; i++) {
        c = client_login(f);
        put_str(c, worse[i]);
        put_str(c, "x" SMUGGLED);
        expect(c, "501 5.5.4 Malformed chunk size");
        expect_end(c);
        client_close(c);
    }
    assert_int_equal(roles_calls(f, SERVICE_SEAL), 0);
    finish(f, NULL);
}

static void put_filler(struct client *c, size_t len)
{
    char *filler = malloc(len);
    memset(filler, 'x', len);
    for (size_t at = 0; at < len; at += 10000)
        if (!put(c, filler + at, len - at < 10000 ? len - at : 10000))
            break;
    free(filler);
}

/* The limit of the fixture is 100000 bytes. */
static void test_too_big(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct client *c = client_login(f);
    begin(c);
    put_str(c, "BDAT 100000\r\n");
    put_filler(c, 100000);
    expect(c, "250 2.0.0 100000 bytes");
    put_chunk(c, "x", false);
    expect(c, "552 5.3.4");
    put_chunk(c, "x", true);
    expect(c, "552 5.3.4");
    begin(c);
    put_str(c, "BDAT 150000 LAST\r\n");
    put_filler(c, 150000);
    expect(c, "552 5.3.4");
    begin(c);
    put_chunk(c, "fits", true);
    expect(c, "250 2.0.0 ID");
    assert_int_equal(roles_calls(f, SERVICE_SEAL), 1);
    quit(c);
    finish(f, NULL);
}

/* A17: a chunk that never ends is swallowed up to twice the limit, a stranger's up to 64 KiB. */
static void test_A17_endless_chunks_close(void **state)
{
    (void)state;
    static const char *const sizes[] = {"200001", "18446744073709551615", "99999999999999999999999 LAST"};
    struct fixture *f = start();
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char line[60];
        struct client *c = client_login(f);
        begin(c);
        snprintf(line, sizeof line, "BDAT %s\r\n", sizes[i]);
        put_str(c, line);
        put_filler(c, 200000);
        expect(c, "552 5.3.4");
        expect_end(c);
        client_close(c);
        c = client_open(f, 0);
        say(c, "EHLO client.example.org", "250");
        put_str(c, line);
        put_filler(c, 65536);
        expect(c, "530 5.7.0");
        expect_end(c);
        client_close(c);
    }
    assert_int_equal(roles_calls(f, SERVICE_SEAL), 0);
    finish(f, NULL);
}

/* A18: the time for a message runs through all its chunks and between them. */
static void test_A18_slow_chunks(void **state)
{
    (void)state;
    struct submission_limits limits = test_limits();
    limits.data_ms = A_MOMENT_MS;
    struct fixture *f = start_with(limits);
    struct client *c = client_login(f);
    begin(c);
    put_str(c, "BDAT 100\r\nonly a few");
    expect(c, "421 4.4.2");
    expect_end(c);
    client_close(c);
    c = client_login(f);
    begin(c);
    put_chunk(c, "a", false);
    expect(c, "250 2.0.0");
    expect(c, "421 4.4.2");
    expect_end(c);
    client_close(c);
    c = client_login(f);
    begin(c);
    /* A chunk each time there is a reply does not buy time. */
    for (;;) {
        put_chunk(c, "a", false);
        if (strncmp(get_reply(c), "250", 3) != 0)
            break;
        poll(NULL, 0, 20);
    }
    assert_true(strncmp(c->reply, "421 4.4.2", 9) == 0);
    client_close(c);
    c = client_login(f);
    put_str(c, "BDAT 100\r\nnot even allowed");
    expect(c, "421 4.4.2");
    client_close(c);
    assert_int_equal(roles_calls(f, SERVICE_SEAL), 0);
    finish(f, NULL);
}

static void test_no_memory_left(void **state)
{
    (void)state;
    struct submission_limits limits = test_limits();
    limits.in_hand_max = 20;
    struct fixture *f = start_with(limits);
    struct client *c = client_login(f), *other = client_login(f);
    begin(c);
    put_chunk(c, "fifteen bytes..", false);
    expect(c, "250 2.0.0");
    begin(other);
    put_chunk(other, "six...", false);
    expect(other, "452 4.3.1");
    put_chunk(other, "", true);
    expect(other, "452 4.3.1");
    put_chunk(c, "12345", false);
    expect(c, "250 2.0.0");
    begin(other);
    put_chunk(other, "", false);
    expect(other, "452 4.3.1");
    say(other, "RSET", "250");
    put_chunk(c, "", true);
    expect(c, "250 2.0.0 ID");
    begin(other);
    put_chunk(other, "six...", true);
    expect(other, "250 2.0.0 ID");
    quit(c);
    quit(other);
    finish(f, NULL);
}

static void normalize(struct fixture *f)
{
    f->listeners[0].normalizes_line_ends = true;
}

/* What the end of a message adds or drops is counted too: a sum that is once wrong would refuse all mail. */
static void test_memory_is_counted_to_the_end(void **state)
{
    (void)state;
    struct submission_limits limits = test_limits();
    limits.in_hand_max = 100;
    limits.message_max = 60;
    struct fixture *f = start_prepared(limits, SASL_ALL_MECHANISMS, normalize);
    struct client *c = client_login(f);
    for (int i = 0; i < 3; i++) {
        begin(c);
        put_chunk(c, "A: b\r\n\r\nlast\r", true); /* its LF is added */
        expect(c, "250 2.0.0 ID");
        begin(c);
        put_chunk(c, "A: b\r\n\r\nlast", true);
        expect(c, "250 2.0.0 ID");
        begin(c);
        put_chunk(c, "60 bytes fit, but not with the line end that they lack .....", true);
        expect(c, "552 5.3.4");
    }
    quit(c);
    finish(f, NULL);
}

/* A client that is gone in the middle has sent nothing. */
static void test_half_a_chunk(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct client *c = client_login(f);
    begin(c);
    put_str(c, "BDAT 1000 LAST\r\nhalf");
    client_close(c);
    c = client_login(f);
    begin(c);
    put_chunk(c, "whole", true);
    expect(c, "250 2.0.0 ID");
    assert_message(f, "whole\r\n");
    assert_int_equal(roles_calls(f, SERVICE_SEAL), 1);
    quit(c);
    finish(f, NULL);
}

/* line-ends = normalize: for the message only, and its end stays where it was. */
static void test_A1_normalized(void **state)
{
    (void)state;
    struct fixture *f = start_prepared(test_limits(), SASL_ALL_MECHANISMS, normalize);
    struct client *c = client_login(f);
    begin(c);
    put_chunk(c, "A: b\n\nc\rd\r", false);
    expect(c, "250 2.0.0");
    put_chunk(c, "\ne\r", true);
    expect(c, "250 2.0.0 ID");
    assert_message(f, "A: b\r\n\r\nc\r\nd\r\ne\r\n");
    begin(c);
    put_chunk(c, "A: b\n\nc", true);
    expect(c, "250 2.0.0 ID");
    assert_message(f, "A: b\r\n\r\nc\r\n");
    begin(c);
    say(c, "DATA", "354");
    put_str(c, "A: b\n\n.\nMAIL FROM:<mallory@example.org>\n.\r\nRCPT TO:<bob@example.com>\r.\rx\r\n.\r\n");
    expect(c, "250 2.0.0 ID");
    assert_message(f, "A: b\r\n\r\n.\r\nMAIL FROM:<mallory@example.org>\r\n.\r\nRCPT TO:<bob@example.com>\r\n"
                      ".\r\nx\r\n");
    begin(c);
    put_chunk_of(c, "a\0\n", 3, true);
    expect(c, "554 5.6.0 The message has a NUL byte");
    assert_int_equal(roles_calls(f, SERVICE_SEAL), 3);
    put_str(c, "NOOP\nNOOP\r\n");
    expect(c, "500 5.5.2 Bare CR or LF in a command");
    expect_end(c);
    client_close(c);
    finish(f, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_message_in_two_chunks_byte_for_byte),
        cmocka_unit_test(test_byte_by_byte),
        cmocka_unit_test(test_pipelined),
        cmocka_unit_test(test_A1_refused_chunks_are_swallowed),
        cmocka_unit_test(test_A1_bad_bytes),
        cmocka_unit_test(test_orders),
        cmocka_unit_test(test_A1_malformed_sizes_close),
        cmocka_unit_test(test_too_big),
        cmocka_unit_test(test_A17_endless_chunks_close),
        cmocka_unit_test(test_A18_slow_chunks),
        cmocka_unit_test(test_no_memory_left),
        cmocka_unit_test(test_memory_is_counted_to_the_end),
        cmocka_unit_test(test_half_a_chunk),
        cmocka_unit_test(test_A1_normalized),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
