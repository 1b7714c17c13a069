#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/delivery/dsn.h"
#include "gateway/message/tls_required.h"

static struct recipient make(struct lease_recipient *lease, const char *address, const char *status,
                             const char *text, const char *host)
{
    struct recipient r = {.lease = lease, .done = true};
    *lease = (struct lease_recipient){.address = (char *)(uintptr_t)address};
    outcome_local(&r.result, FAILURE_PERMANENT, status, "%s", text);
    r.result.is_reply = host != NULL;
    r.host = (char *)(uintptr_t)host;
    return r;
}

static const char *write_for(const char *envid, struct recipient *const *recipients, size_t n, const char *to,
                             const char *header, struct buf *out)
{
    struct dsn dsn = {.id = "0123456789abcdefghij",
                      .hostname = "gw.example.net",
                      .to = to,
                      .envid = envid,
                      .received_ms = 1700000000000,
                      .now_ms = 1700000060000,
                      .recipients = recipients,
                      .n = n,
                      .header = span_str(header)};
    buf_init(out, 1 << 20);
    dsn_write(&dsn, out);
    assert_false(out->failed);
    return buf_str(out);
}

static const char *write(struct recipient *const *recipients, size_t n, const char *to, const char *header,
                         struct buf *out)
{
    return write_for(NULL, recipients, n, to, header, out);
}

static void is_seven_bit_crlf(const struct buf *out)
{
    for (size_t i = 0; i < out->len; i++) {
        unsigned char c = out->data[i];
        assert_true(c < 0x7f && (c >= ' ' || c == '\t' || c == '\r' || c == '\n'));
        if (c == '\n')
            assert_true(i > 0 && out->data[i - 1] == '\r');
        if (c == '\r')
            assert_true(i + 1 < out->len && out->data[i + 1] == '\n');
    }
}

static void has_all_that_rfc3464_asks_for(void **state)
{
    (void)state;
    struct lease_recipient l[2];
    struct recipient a =
        make(&l[0], "alice@example.org", "5.1.1", "550 5.1.1 nobody here", "mx.example.org [192.0.2.1]:25");
    struct recipient b =
        make(&l[1], "bob@example.com", "5.4.4", "example.com: the host has no address", NULL);
    l[0].orcpt = (char[]){"rfc822;alice@example.org"};
    struct buf out;
    const char *text = write((struct recipient *const[]){&a, &b}, 2, "carol@example.net",
                             "From: carol@example.net\r\nSubject: hello\r\n", &out);
    static const char *const parts[] = {
        "From: Mail Delivery System <MAILER-DAEMON@gw.example.net>\r\n",
        "To: <carol@example.net>\r\n",
        "Auto-Submitted: auto-replied\r\n",
        "Content-Type: multipart/report; report-type=delivery-status;\r\n boundary=",
        "Content-Type: text/plain; charset=us-ascii\r\n",
        "There is no such address.",
        "Content-Type: message/delivery-status\r\n",
        "Reporting-MTA: dns; gw.example.net\r\nArrival-Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n\r\n",
        "Original-Recipient: rfc822;alice@example.org\r\n",
        "Final-Recipient: rfc822; alice@example.org\r\nAction: failed\r\nStatus: 5.1.1\r\n",
        "Remote-MTA: dns; mx.example.org\r\nDiagnostic-Code: smtp; 550 5.1.1 nobody here\r\n",
        "\r\n\r\nFinal-Recipient: rfc822; bob@example.com\r\nAction: failed\r\nStatus: 5.4.4\r\n",
        "Diagnostic-Code: x-sealgate; example.com: the host has no address\r\n",
        "Content-Type: text/rfc822-headers\r\n",
        "\r\n\r\nFrom: carol@example.net\r\nSubject: hello\r\n\r\n--=_",
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (!strstr(text, parts[i]))
            print_message("%s\n---\n%s", text, parts[i]);
        assert_non_null(strstr(text, parts[i]));
    }
    is_seven_bit_crlf(&out);
    buf_free(&out);
}

static void a2_the_original_header_is_made_safe(void **state)
{
    (void)state;
    struct lease_recipient l;
    struct recipient r = make(&l, "bob@example.com", "5.0.0", "554 no", NULL);
    struct buf out;
    char header[3000];
    memset(header, 'x', sizeof header);
    static const char front[] = "Subject: caf\xc3\xa9 \x1b[1m\r\n.\r\nX: a\rb\nY: c\nLong: ";
    memcpy(header, front, sizeof front - 1);
    header[sizeof header - 1] = '\0';
    const char *text = write((struct recipient *const[]){&r}, 1, "carol@example.net", header, &out);
    assert_non_null(strstr(text, "Subject: caf?? ?[1m\r\n"));
    assert_non_null(strstr(text, "X: a?b\r\nY: c\r\nLong: xxx"));
    is_seven_bit_crlf(&out);
    size_t longest = 0, at = 0;
    for (size_t i = 0; i < out.len; i++) {
        at = out.data[i] == '\n' ? 0 : at + 1;
        longest = at > longest ? at : longest;
    }
    assert_true(longest <= 999);
    buf_free(&out);
}

/* Where the empty line is missing, what is no field may be the message's text. */
static void a32_nothing_but_fields_is_shown(void **state)
{
    (void)state;
    struct lease_recipient l;
    struct recipient r = make(&l, "bob@example.com", "5.1.1", "550 no", NULL);
    struct buf out;
    const char *text = write((struct recipient *const[]){&r}, 1, "carol@example.net",
                             "From: carol@example.net\r\nSubject: one,\r\n two\r\nthe canary\r\n folded "
                             "canary\r\ncan ary: yes\r\nX-Last: here",
                             &out);
    assert_non_null(strstr(text, "\r\nFrom: carol@example.net\r\nSubject: one,\r\n two\r\nX-Last: here\r\n"));
    assert_null(strstr(text, "canary"));
    is_seven_bit_crlf(&out);
    buf_free(&out);
}

/* The way back may be less private than the rule wants the message's to be. */
static void a32_of_what_a_rule_guards_no_more_than_of_a_sealed_message(void **state)
{
    (void)state;
    struct lease_recipient l;
    struct recipient r = make(&l, "bob@example.com", "4.4.7", "too old", NULL);
    struct recipient *const told_of[] = {&r};
    struct dsn dsn = {.id = "0123456789abcdefghij",
                      .hostname = "gw.example.net",
                      .to = "carol@example.net",
                      .recipients = told_of,
                      .n = 1,
                      .as_sealed = true,
                      .header =
                          span_str("From: carol@example.net\r\nSubject: the canary,\r\n folded canary\r\n"
                                   "Comments: canary\r\nX-Project: canary\r\nMessage-ID: <1@x>\r\n")};
    struct buf out;
    buf_init(&out, 1 << 20);
    dsn_write(&dsn, &out);
    const char *text = buf_str(&out);
    assert_non_null(strstr(text, "\r\nFrom: carol@example.net\r\nSubject: [...]\r\nMessage-ID: <1@x>\r\n"));
    assert_null(strstr(text, "canary"));
    is_seven_bit_crlf(&out);
    buf_free(&out);
}

static void international_addresses(void **state)
{
    (void)state;
    struct lease_recipient l;
    struct recipient r = make(&l, "j\xc3\xb6rg@example.com", "5.6.7", "no SMTPUTF8", NULL);
    struct buf out;
    const char *text =
        write((struct recipient *const[]){&r}, 1, "\xe4\xbe\x8b@example.net", "Subject: x\r\n", &out);
    assert_non_null(strstr(text, "Final-Recipient: utf-8; j\\x{F6}rg@example.com\r\n"));
    assert_null(strstr(text, "\r\nTo: "));
    /* A person can read it. */
    assert_non_null(
        strstr(text, "text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n"));
    assert_non_null(strstr(text, "  j=C3=B6rg@example.com\r\n"));
    assert_non_null(strstr(text, "plain ASCII letters"));
    is_seven_bit_crlf(&out);
    buf_free(&out);
}

static size_t longest_line(struct span text)
{
    size_t longest = 0, at = 0;
    for (size_t i = 0; i < text.len; i++) {
        at = text.p[i] == '\n' ? 0 : at + (text.p[i] != '\r');
        longest = at > longest ? at : longest;
    }
    return longest;
}

/* RFC 5322 §2.1.1: an address of which every byte is escaped is cut, and nobody can take it for another. */
static void an_endless_address_is_cut(void **state)
{
    (void)state;
    static const struct {
        const char *unit;
        size_t n;
        const char *shown; /* at the end of the field */
    } cases[] = {
        {"\xe4\xbe\x8b", 85, "\\x{4F8B}\r\nAction"},
        {"\xc3\xb6 ", 85, "\\x{F6}\\x{20}...\r\n (shortened)\r\nAction"},
        {"a", 2000, "a...\r\n (shortened)\r\nAction"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct lease_recipient l;
        char address[2001] = "";
        for (size_t j = 0; j < cases[i].n; j++)
            strcat(address, cases[i].unit);
        struct recipient r = make(&l, address, "5.6.7", "no SMTPUTF8", NULL);
        struct buf out;
        const char *text =
            write((struct recipient *const[]){&r}, 1, "carol@example.net", "Subject: x\r\n", &out);
        const char *field = strstr(text, "\r\nFinal-Recipient: ");
        assert_non_null(field);
        assert_non_null(strstr(field, cases[i].shown));
        assert_true(longest_line(span_str(field)) <= 998);
        is_seven_bit_crlf(&out);
        buf_free(&out);
    }
}

/* RFC 5322 §2.2.3: taken out again, the line ends leave what was there. */
static void long_fields_are_folded(void **state)
{
    (void)state;
    struct lease_recipient l;
    char reply[400] = "550 5.7.1", address[200] = "";
    while (strlen(reply) < 300)
        strcat(reply, " refused  by rule");
    while (strlen(address) < 100)
        strcat(address, "long-name.");
    strcat(address, "x@example.com");
    struct recipient r = make(&l, address, "5.7.1", reply, "mx.example.org [192.0.2.1]:25");
    struct buf out;
    char unfolded[4000], whole[600];
    size_t n = 0;
    const char *text = write((struct recipient *const[]){&r}, 1, "carol@example.net", "Subject: x\r\n", &out);
    const char *fields = strstr(text, "\r\nReporting-MTA: ");
    for (const char *c = fields; *c; c++)
        if (strncmp(c, "\r\n ", 3) == 0)
            c++;
        else
            unfolded[n++] = *c;
    unfolded[n] = '\0';
    snprintf(whole, sizeof whole, "\r\nDiagnostic-Code: smtp; %s\r\n", reply);
    assert_non_null(strstr(unfolded, whole));
    snprintf(whole, sizeof whole, "\r\nFinal-Recipient: rfc822; %s\r\n", address);
    assert_non_null(strstr(unfolded, whole));
    const char *diagnostic = strstr(fields, "\r\nDiagnostic-Code: ");
    assert_true(longest_line(span_of(diagnostic, (size_t)(strstr(diagnostic, "\r\nLast-A") - diagnostic))) <=
                78);
    assert_non_null(strstr(fields, "\r\nFinal-Recipient: rfc822;\r\n long-name."));
    is_seven_bit_crlf(&out);
    buf_free(&out);
    /* Where there is no single space, nothing is broken: no line may be of blanks alone (§3.2.2). */
    snprintf(reply, sizeof reply, "550 %200s%100s", "a", "");
    r = make(&l, "bob@example.com", "5.7.1", reply, NULL);
    text = write((struct recipient *const[]){&r}, 1, "carol@example.net", "Subject: x\r\n", &out);
    diagnostic = strstr(text, "\r\nDiagnostic-Code: ");
    for (const char *c = diagnostic; c < strstr(diagnostic, "\r\nLast-A"); c++)
        assert_false(strncmp(c, "\r\n ", 3) == 0 && c[3 + strspn(c + 3, " ")] == '\r');
    buf_free(&out);
}

/* RFC 2045 §6.7: lines of at most 76 bytes, and nothing but the soft line ends is added. */
static void long_international_addresses(void **state)
{
    (void)state;
    struct lease_recipient l;
    char address[300] = "";
    while (strlen(address) < 200)
        strcat(address, "\xe4\xbe\x8b=");
    strcat(address, "@example.com");
    struct recipient r = make(&l, address, "5.6.7", "no SMTPUTF8", NULL);
    struct buf out;
    const char *text = write((struct recipient *const[]){&r}, 1, "carol@example.net", "Subject: x\r\n", &out);
    const char *end = strstr(text, "message/delivery-status\r\n");
    size_t column = 0, seen = 0;
    for (const char *c = strstr(text, "quoted-printable\r\n\r\n"); c < end; c++) {
        column = *c == '\n' ? 0 : column + 1;
        assert_true(column <= 77); /* with its CR */
        seen += strncmp(c, "=E4", 3) == 0;
    }
    assert_int_equal(seen, 50);
    is_seven_bit_crlf(&out);
    buf_free(&out);
}

/* RFC 3461 §6.3, RFC 6533 §3: as the client meant them, or not at all. */
static void a9_envid_and_orcpt(void **state)
{
    (void)state;
    static const struct {
        const char *envid, *orcpt, *id, *original;
    } cases[] = {
        {"QQ314159", "rfc822;Bob@Example.COM", "QQ314159", "rfc822;Bob@Example.COM"},
        {"a+2Bb+3Dc", "rfc822;bob+2Bx@example.com", "a+b=c", "rfc822;bob+x@example.com"},
        {"white+20space", "x400;/S+3Dbob/", "white space", "x400;/S=bob/"},
        {"x", "utf-8;j\xc3\xb6rg@example.com", "x", "utf-8;j\\x{F6}rg@example.com"},
        {"x", "UTF-8;j\\x{F6}rg\\x{2B}@example.com", "x", "UTF-8;j\\x{F6}rg\\x{2B}@example.com"},
        {"a+0D+0AX-Evil:+20yes", "rfc822;a+0D+0AX-Evil:+20yes", NULL, NULL},
        {"a\r\nX-Evil: yes", "rfc822;a\r\nX-Evil: yes", NULL, NULL},
        {"a\x80", "rfc822;a\x80", NULL, NULL},
        {"a+00b", "rfc822;a+00b", NULL, NULL},
        {"a+C3+B6", "rfc822;a+C3+B6", NULL, NULL},
        {"a+4", "rfc822;a+4", NULL, NULL},
        {"a+zz", "rfc822;a+zz", NULL, NULL},
        {"a+2b", "rfc822;a+2b", NULL, NULL}, /* lower case is no hexchar */
        {"", "rfc822;", NULL, NULL},
        {"x", ";bob@example.com", "x", NULL},
        {"x", "bob@example.com", "x", NULL},
        {"x", "rfc822\r\nX-Evil: yes;a", "x", NULL},
        {"x", "utf-8;a\r\nX-Evil: yes", "x", NULL},
        {"x", "utf-8;\xff", "x", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct lease_recipient l;
        struct recipient r = make(&l, "bob@example.com", "5.1.1", "550 5.1.1 nobody", NULL);
        struct buf out;
        char line[200];
        l.orcpt = (char *)(uintptr_t)cases[i].orcpt;
        const char *text = write_for(cases[i].envid, (struct recipient *const[]){&r}, 1, "carol@example.net",
                                     "Subject: x\r\n", &out);
        snprintf(line, sizeof line,
                 "\r\nOriginal-Envelope-Id: %s\r\nReporting-MTA: ", cases[i].id ? cases[i].id : "");
        assert_int_equal(strstr(text, line) != NULL, cases[i].id != NULL);
        assert_int_equal(strstr(text, "Original-Envelope-Id") != NULL, cases[i].id != NULL);
        snprintf(line, sizeof line, "\r\n\r\nOriginal-Recipient: %s\r\nFinal-Recipient: ",
                 cases[i].original ? cases[i].original : "");
        assert_int_equal(strstr(text, line) != NULL, cases[i].original != NULL);
        assert_int_equal(strstr(text, "Original-Recipient") != NULL, cases[i].original != NULL);
        assert_null(strstr(text, "\r\nX-Evil"));
        is_seven_bit_crlf(&out);
        buf_free(&out);
    }
}

/* RFC 3461 §5.2.2. */
static void relayed_and_failed(void **state)
{
    (void)state;
    struct lease_recipient l[2];
    struct recipient a =
        make(&l[0], "alice@example.org", "5.1.1", "550 5.1.1 nobody here", "mx [192.0.2.1]:25");
    struct recipient b = make(&l[1], "bob@example.com", "2.0.0", "250 2.0.0 taken", "mx [192.0.2.1]:25");
    struct buf out;
    b.result.failure = FAILURE_NONE;
    const char *text =
        write((struct recipient *const[]){&b}, 1, "carol@example.net", "Subject: hello\r\n", &out);
    assert_non_null(strstr(text, "\r\nSubject: Your message was passed on\r\n"));
    assert_non_null(strstr(text, "rfc822; bob@example.com\r\nAction: relayed\r\nStatus: 2.0.0\r\n"));
    assert_non_null(strstr(text, "was passed on\r\nfor:\r\n\r\n  bob@example.com\r\n"));
    assert_null(strstr(text, "could not be delivered"));
    buf_free(&out);
    snprintf(b.result.status, sizeof b.result.status, "5.0.0"); /* beside a 250 */
    text = write((struct recipient *const[]){&b, &a}, 2, "carol@example.net", "Subject: hello\r\n", &out);
    assert_non_null(strstr(text, "\r\nSubject: Your message could not be delivered\r\n"));
    assert_non_null(strstr(text, "\r\n\r\n  alice@example.org\r\n    550 5.1.1 nobody here\r\n"));
    assert_non_null(strstr(text, "was passed on\r\nfor:\r\n\r\n  bob@example.com\r\n"));
    assert_non_null(strstr(text, "alice@example.org\r\nAction: failed\r\nStatus: 5.1.1\r\n"));
    assert_non_null(strstr(text, "bob@example.com\r\nAction: relayed\r\nStatus: 2.0.0\r\n"));
    is_seven_bit_crlf(&out);
    buf_free(&out);
}

static void a_delay_is_told_without_alarm(void **state)
{
    (void)state;
    struct lease_recipient l[2];
    struct recipient a =
        make(&l[0], "alice@example.org", "4.2.1", "450 4.2.1 later", "mx.example.org [192.0.2.1]:25");
    struct recipient b = make(&l[1], "bob@example.com", "5.1.1", "550 5.1.1 nobody here", NULL);
    struct buf out;
    a.result.failure = FAILURE_TEMPORARY;
    a.late = true;
    l[0].expires_ms = 1700432000000;
    const char *text = write((struct recipient *const[]){&a}, 1, "carol@example.net", "Subject: x\r\n", &out);
    static const char *const parts[] = {
        "Subject: Your message is delayed\r\n",
        "has not been\r\ndelivered yet to:\r\n\r\n  alice@example.org\r\n    450 4.2.1 later\r\n",
        "You need not send it again",
        "goes on trying until Sun, 19 Nov\r\n2023 22:13:20 +0000, and tells you",
        "Action: delayed\r\nStatus: 4.2.1\r\n",
        "\r\nWill-Retry-Until: Sun, 19 Nov 2023 22:13:20 +0000\r\n",
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (!strstr(text, parts[i]))
            print_message("%s\n---\n%s", text, parts[i]);
        assert_non_null(strstr(text, parts[i]));
    }
    is_seven_bit_crlf(&out);
    buf_free(&out);
    /* Beside one that failed, that is what matters. */
    text = write((struct recipient *const[]){&a, &b}, 2, "carol@example.net", "Subject: x\r\n", &out);
    assert_non_null(strstr(text, "Subject: Your message could not be delivered\r\n"));
    assert_non_null(strstr(text, "alice@example.org\r\nAction: delayed\r\n"));
    assert_non_null(strstr(text, "bob@example.com\r\nAction: failed\r\n"));
    buf_free(&out);
}

/* RFC 8689 §5: what the sender said of TLS counts for the way back too, and is said only then. */
static void tls_required_goes_back(void **state)
{
    (void)state;
    struct lease_recipient l;
    struct recipient a = make(&l, "alice@example.org", "5.1.1", "550 5.1.1 nobody here", NULL);
    struct recipient *const to[] = {&a};
    struct dsn dsn = {.id = "0123456789abcdefghij",
                      .hostname = "gw.example.net",
                      .to = "carol@example.net",
                      .recipients = to,
                      .n = 1,
                      .header = span_str("Subject: hello\r\n")};
    for (int i = 0; i < 2; i++) {
        struct buf out;
        dsn.tls_optional = i == 1;
        buf_init(&out, 1 << 20);
        dsn_write(&dsn, &out);
        struct span header = buf_span(&out);
        header.len = (size_t)(strstr(buf_str(&out), "\r\n\r\n") + 2 - header.p);
        assert_int_equal(tls_required_no(header), i == 1);
        is_seven_bit_crlf(&out);
        buf_free(&out);
    }
}

static void notify_is_obeyed(void **state)
{
    (void)state;
    static const struct {
        const char *notify;
        bool failed, relayed, delayed;
    } cases[] = {{NULL, true, false, true},
                 {"FAILURE", true, false, false},
                 {"SUCCESS,FAILURE", true, true, false},
                 {"failure", true, false, false},
                 {"NEVER", false, false, false},
                 {"SUCCESS", false, true, false},
                 {"success", false, true, false},
                 {"DELAY", false, false, true},
                 {"SUCCESS,DELAY", false, true, true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct lease_recipient l = {.notify = (char *)(uintptr_t)cases[i].notify};
        struct recipient r = {.lease = &l};
        assert_int_equal(dsn_is_wanted(&r, OUTCOME_BOUNCED), cases[i].failed);
        assert_int_equal(dsn_is_wanted(&r, OUTCOME_DELIVERED), cases[i].relayed);
        assert_false(dsn_is_wanted(&r, OUTCOME_DEFERRED));
        r.late = true;
        assert_int_equal(dsn_is_wanted(&r, OUTCOME_DEFERRED), cases[i].delayed);
        l.delay_told = true; /* once is enough */
        assert_false(dsn_is_wanted(&r, OUTCOME_DEFERRED));
        r.dsn_known = true; /* the next hop will tell */
        assert_false(dsn_is_wanted(&r, OUTCOME_DELIVERED));
        assert_int_equal(dsn_is_wanted(&r, OUTCOME_BOUNCED), cases[i].failed);
    }
}

static void advice_fits_the_status(void **state)
{
    (void)state;
    static const struct {
        enum failure_class failure;
        const char *status, *says;
    } cases[] = {
        {FAILURE_PERMANENT, "5.1.1", "no such address"}, {FAILURE_PERMANENT, "5.1.10", "no mail at all"},
        {FAILURE_PERMANENT, "5.6.7", "plain ASCII"},     {FAILURE_REFUSED, "5.7.30", "REQUIRETLS"},
        {FAILURE_PERMANENT, "5.1.6", "not accepted"},    {FAILURE_PERMANENT, "5.7.26", "by its rules"},
        {FAILURE_PERMANENT, "5.0.0", "for good"},        {FAILURE_TEMPORARY, "4.4.7", "for as long as"},
        {FAILURE_RETURN, "5.7.1", "certificate"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct result r;
        outcome_local(&r, cases[i].failure, cases[i].status, "x");
        assert_non_null(strstr(dsn_advice(&r), cases[i].says));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_all_that_rfc3464_asks_for),
        cmocka_unit_test(a2_the_original_header_is_made_safe),
        cmocka_unit_test(a32_nothing_but_fields_is_shown),
        cmocka_unit_test(a32_of_what_a_rule_guards_no_more_than_of_a_sealed_message),
        cmocka_unit_test(international_addresses),
        cmocka_unit_test(long_international_addresses),
        cmocka_unit_test(an_endless_address_is_cut),
        cmocka_unit_test(long_fields_are_folded),
        cmocka_unit_test(a9_envid_and_orcpt),
        cmocka_unit_test(relayed_and_failed),
        cmocka_unit_test(a_delay_is_told_without_alarm),
        cmocka_unit_test(tls_required_goes_back),
        cmocka_unit_test(notify_is_obeyed),
        cmocka_unit_test(advice_fits_the_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
