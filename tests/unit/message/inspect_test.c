#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "gateway/message/inspect.h"
#include "gateway/message/prescan.h"

static struct message_facts facts_of(const char *message)
{
    struct message_facts facts;
    assert_int_equal(message_inspect(span_str(message), &facts, NULL), STATUS_OK);
    return facts;
}

/* LIST as one string, separated by spaces. */
static void assert_list(const struct address_list *list, const char *expected)
{
    struct buf b;
    buf_init(&b, 4096);
    for (size_t i = 0; i < list->n; i++)
        buf_printf(&b, i > 0 ? " %s" : "%s", list->items[i]);
    assert_string_equal(buf_str(&b), expected);
    buf_free(&b);
}

static void subjects_are_decoded(void **state)
{
    (void)state;
    static const struct {
        const char *header, *subject;
    } rows[] = {
        {"", ""},
        {"Subject:\r\n", ""},
        {"Subject: plain\r\n", "plain"},
        {"Subject: two\r\n lines\r\n", "two lines"},
        {"Subject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\r\n", "gr\xc3\xbc\xc3\x9f"
                                                     "e"},
        {"Subject: =?ISO-8859-1?B?Z3L832U=?=\r\n", "gr\xc3\xbc\xc3\x9f"
                                                   "e"},
        {"Subject: =?utf-8?q?[conf?=\r\n =?utf-8?q?idential]?= x\r\n", "[confidential] x"},
        {"subject : one\r\nX: y\r\nSUBJECT: two\r\n", "one\ntwo"},
        {"garbage\r\nSubject: behind garbage\r\n", "behind garbage"},
        {"Subject: gr\xc3\xbc\xc3\x9f"
         "e\r\n",
         "gr\xc3\xbc\xc3\x9f"
         "e"},
        {"Subject: =?utf-8?q?unfinished\r\n", "=?utf-8?q?unfinished"},
        {"Subject: =?no-such-charset?q?abc?=\r\n", "abc"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char message[400];
        snprintf(message, sizeof message, "%s\r\nSubject: body\r\n", rows[i].header);
        struct message_facts facts = facts_of(message);
        assert_string_equal(facts.subject, rows[i].subject);
        message_facts_free(&facts);
    }
}

static void a_nul_does_not_hide_the_rest(void **state)
{
    (void)state;
    static const char message[] = "Subject: a\0b\r\nTo: \0bob@example.com\r\n\r\n";
    struct message_facts facts;
    assert_int_equal(message_inspect(span_of(message, sizeof message - 1), &facts, NULL), STATUS_OK);
    assert_string_equal(facts.subject, "a b");
    assert_list(&facts.named, "bob@example.com");
    message_facts_free(&facts);
}

static void named_are_all_that_the_message_names(void **state)
{
    (void)state;
    static const struct {
        const char *header, *named;
    } rows[] = {
        {"", ""},
        {"To: bob@example.com\r\n", "bob@example.com"},
        {"To: Bob <bob@example.com>, \"Carol, C.\" <carol@example.net>\r\n",
         "bob@example.com carol@example.net"},
        {"To: =?utf-8?q?J=C3=BCrgen_=3Ceve=40example=2Ecom=3E=2C?= <dave@example.net>\r\n",
         "dave@example.net"},
        {"To: friends: bob@example.com, Carol <carol@example.net>;, dave@example.net\r\n",
         "bob@example.com carol@example.net dave@example.net"},
        {"To: undisclosed-recipients:;\r\n", ""},
        {"To: a@example.com\r\nTO : b@example.com\r\nto: c@example.com\r\n",
         "a@example.com b@example.com c@example.com"},
        {"Cc: b@example.com\r\nTo: a@example.com\r\nResent-Cc: d@example.com\r\nResent-To: c@example.com\r\n",
         "a@example.com b@example.com c@example.com d@example.com"},
        {"To: a@example.com,\r\n\tb@example.com (comment <x@example.com>),\r\n <c@example.com>\r\n",
         "a@example.com b@example.com c@example.com"},
        {"Bcc: hidden@example.com\r\nResent-Bcc: hidden@example.net\r\nReply-To: r@example.com\r\n", ""},
        {"X-To: x@example.com\r\nSubject: to y@example.com\r\n", ""},
        {"To: \"a b\"@example.com\r\n", "\"a b\"@example.com"},
        {"To: <@relay.example:bob@example.com>\r\n", "bob@example.com"},
        /* No list by RFC 5322: read as far as it goes; who is not found gets a copy of their own. */
        {"To: bob@example.com;carol@example.net\r\n", "bob@example.com"},
        {"To: j\xc3\xbcrgen@example.com\r\n", "j\xc3\xbcrgen@example.com"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char message[400];
        snprintf(message, sizeof message, "%s\r\nTo: body@example.com\r\n", rows[i].header);
        struct message_facts facts = facts_of(message);
        assert_list(&facts.named, rows[i].named);
        message_facts_free(&facts);
    }
}

static void A8_every_from_counts(void **state)
{
    (void)state;
    struct message_facts facts =
        facts_of("From: alice@example.org, Al <al@example.org>\r\nSender: s@example.org\r\n"
                 "FROM : mallory@example.net\r\nFrom: g: x@example.com;\r\n\r\n");
    assert_list(&facts.from, "alice@example.org al@example.org mallory@example.net x@example.com");
    assert_list(&facts.sender, "s@example.org");
    message_facts_free(&facts);
}

static void message_ids(void **state)
{
    (void)state;
    struct message_facts facts = facts_of("Message-ID: \r\n <1.2@example.org>\r\nMessage-ID: <2@x>\r\n\r\n");
    assert_string_equal(facts.message_id, "1.2@example.org");
    message_facts_free(&facts);
    facts = facts_of("Subject: x\r\n\r\nMessage-ID: <1@x>\r\n");
    assert_null(facts.message_id);
    message_facts_free(&facts);
}

#define PARTS(first, second)                                                                                 \
    "Content-Type: Multipart/Mixed; boundary=a\r\n\r\n--a\r\n" first "\r\nx\r\n--a\r\n" second               \
    "\r\ny\r\n--a--\r\n"

static void types_and_attachments(void **state)
{
    (void)state;
    static const struct {
        const char *message, *type;
        bool attachment;
    } rows[] = {
        {"Subject: x\r\n\r\nbody", "text/plain", false},
        {"Content-Type: TEXT/Html; charset=utf-8\r\n\r\n<p>", "text/html", false},
        {"Content-Type: application/pdf; name=x.pdf\r\n\r\n", "application/pdf", true},
        {PARTS("", ""), "multipart/mixed", false},
        {PARTS("Content-Type: text/plain\r\n", "Content-Disposition: attachment\r\n"), "multipart/mixed",
         true},
        {PARTS("", "Content-Type: image/png; name=\"x.png\"\r\n"), "multipart/mixed", true},
        {PARTS("", "Content-Disposition: inline; filename=x\r\n"), "multipart/mixed", true},
        {PARTS("", "Content-Disposition: inline\r\n"), "multipart/mixed", false},
        {PARTS("", "Content-Type: message/rfc822\r\nContent-Disposition: attachment\r\n\r\nSubject: y\r\n"),
         "multipart/mixed", true},
        /* Malformed. */
        {"", "text/plain", false},
        {"\r\n", "text/plain", false},
        {"no header at all", "text/plain", false},
        {"Content-Type: multipart/mixed\r\n\r\n--a\r\n", "multipart/mixed", false},
        {"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n"
         "Content-Type: multipart/mixed; boundary=a\r\n--a",
         "multipart/mixed", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct message_facts facts = facts_of(rows[i].message);
        assert_string_equal(facts.content_type, rows[i].type);
        assert_int_equal(facts.has_attachment, rows[i].attachment);
        message_facts_free(&facts);
    }
}

static void the_message_is_not_touched(void **state)
{
    (void)state;
    static const char text[] = "Subject: x\r\n" PARTS("", "Content-Type: x\r\n");
    char message[sizeof text];
    memcpy(message, text, sizeof text);
    struct message_facts facts = facts_of(message);
    message_facts_free(&facts);
    assert_memory_equal(message, text, sizeof text);
}

static const struct prescan_limits limits = {
    .header_max = 262144, .parts_max = 1000, .depth_max = 50, .field_max = 65536, .fields_max = 1000};

/*
 * In a process of its own that is ended when it takes more than 10 s of CPU, as a worker would be. True when
 * prescan and inspection ended by themselves, within 1 GB.
 */
static bool survives(struct span message)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        alarm(30);
        setrlimit(RLIMIT_CPU, &(struct rlimit){10, 10});
        struct message_facts facts;
        bool ok = prescan_message(message, &limits, NULL) == STATUS_OK &&
                  message_inspect(message, &facts, NULL) == STATUS_OK;
        struct rusage used;
        getrusage(RUSAGE_SELF, &used);
        _exit(ok && used.ru_maxrss < 1024 * 1024 ? 0 : 1);
    }
    int how = 0;
    assert_int_equal(waitpid(pid, &how, 0), pid);
    return WIFEXITED(how) && WEXITSTATUS(how) == 0;
}

/* jstedfast/gmime#165: a parameter name of 70 to 72 characters with a long value outside ASCII, no boundary.
 */
static void A16_70_character_parameters_do_not_loop(void **state)
{
    (void)state;
    static const char *const fronts[] = {
        "Content-Type: multipart/mixed; ",
        "Content-Type: text/plain; ",
        "Content-Type: text/plain\r\nContent-Disposition: attachment; ",
        "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: multipart/x; ",
    };
    char name[80], value[401];
    for (size_t i = 0; i < 200; i++)
        memcpy(value + 2 * i, "\xc3\xbc", 2);
    value[400] = '\0';
    for (size_t i = 0; i < sizeof fronts / sizeof fronts[0]; i++) {
        for (size_t len = 66; len < 78; len++) {
            memset(name, 'n', len);
            name[len] = '\0';
            struct buf message;
            buf_init(&message, 4096);
            buf_printf(&message, "%s%s=\"%s\"\r\n\r\nx\r\n", fronts[i], name, value);
            assert_true(survives(buf_span(&message)));
            buf_free(&message);
        }
    }
}

static void repeat(struct buf *b, const char *text, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        buf_append_str(b, text);
}

/* What just passes prescan must not hurt either. */
static void A16_what_prescan_lets_through_is_read_in_time(void **state)
{
    (void)state;
    static const struct {
        const char *front, *again;
        unsigned n;
    } rows[] = {
        {"Content-Type: multipart/mixed; boundary=a\r\n\r\n", "--a\r\nA:\r\n\r\nx\r\n", 1000},
        {"Content-Type: multipart/mixed\r\n\r\n", "--\r\n", 1000000},
        {"To: ", "a@b,", 16000},
        {"To: ", "<", 65000},
        {"To: ", "(", 65000},
        {"To: ", "\"", 65000},
        {"To: ", "a:", 32000},
        {"To: ", "a <@b,", 10000},
        {"From: ", "=?utf-8?q?a?= ", 4000},
        {"Subject: ", "=?utf-8?b?", 6000},
        {"Subject: ", "=?utf-8?q?=C3?= ", 4000},
        {"Message-ID: ", "<a@", 20000},
        {"Content-Type: text/plain", "; a*0=b", 9000},
        {"Content-Type: text/plain", "; a=\"\xc3\xbc\"", 6000},
        {"Content-Type: ", "(", 65000},
        {"Content-Disposition: x", ";(", 32000},
        {"", "Content-Type: text/plain\r\n", 1000},
        {"", "To: a@b\r\n", 1000},
        {"\r\n", "=?x?=\r\n-----BEGIN PGP MESSAGE-----\r\n", 200000},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf message;
        buf_init(&message, 1u << 24);
        buf_append_str(&message, rows[i].front);
        repeat(&message, rows[i].again, rows[i].n);
        buf_append_str(&message, "\r\n\r\n");
        assert_false(message.failed);
        if (!survives(buf_span(&message)))
            fail_msg("row %zu: %s%s", i, rows[i].front, rows[i].again);
        buf_free(&message);
    }
}

static void A16_the_deepest_that_passes(void **state)
{
    (void)state;
    struct buf message;
    buf_init(&message, 1u << 20);
    for (unsigned i = 0; i < 25; i++)
        buf_printf(&message, "Content-Type: multipart/mixed; boundary=b%u\r\n\r\n--b%u\r\n", i, i);
    repeat(&message, "Content-Type: message/rfc822\r\n\r\n", 25);
    buf_append_str(&message, "Content-Disposition: attachment\r\n\r\nx\r\n");
    assert_true(survives(buf_span(&message)));
    struct message_facts facts;
    assert_int_equal(message_inspect(buf_span(&message), &facts, NULL), STATUS_OK);
    assert_true(facts.has_attachment);
    message_facts_free(&facts);
    buf_free(&message);
}

static int begin(void **state)
{
    (void)state;
    message_inspect_start();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(subjects_are_decoded),
        cmocka_unit_test(a_nul_does_not_hide_the_rest),
        cmocka_unit_test(named_are_all_that_the_message_names),
        cmocka_unit_test(A8_every_from_counts),
        cmocka_unit_test(message_ids),
        cmocka_unit_test(types_and_attachments),
        cmocka_unit_test(the_message_is_not_touched),
        cmocka_unit_test(A16_70_character_parameters_do_not_loop),
        cmocka_unit_test(A16_what_prescan_lets_through_is_read_in_time),
        cmocka_unit_test(A16_the_deepest_that_passes),
    };
    return cmocka_run_group_tests(tests, begin, NULL);
}
