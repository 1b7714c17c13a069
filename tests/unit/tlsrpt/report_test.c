/* What is recorded, and the report that is made of it, byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/clock.h"
#include "base/sql.h"
#include "gateway/tlsrpt/gzip.h"
#include "gateway/tlsrpt/report.h"
#include "gateway/tlsrpt/store.h"
#include "gateway/wire/base64.h"

#define DAY 20000 /* 2024-10-04 */

static const struct tlsrpt_policy sts = {
    "sts", "version: STSv1\nmode: testing\nmx: *.b.example\nmax_age: 86400", "*.b.example", NULL};
static const struct tlsrpt_policy none = {"no-policy-found", "", "", NULL};
static const struct tlsrpt_session good = {TLSRPT_SUCCESS, "192.0.2.1", "mx.b.example", "192.0.2.2", ""};
static const struct tlsrpt_session expired = {TLSRPT_CERTIFICATE_EXPIRED, "192.0.2.1", "mx.b.example",
                                              "192.0.2.2", "certificate has expired"};
static const struct tlsrpt_session clear = {TLSRPT_STARTTLS_NOT_SUPPORTED, "", "mx.b.example", "", ""};

struct place {
    char folder[64], path[80];
    struct tlsrpt_store *store;
};

static void open_store(struct place *place)
{
    struct error err;
    assert_int_equal(tlsrpt_store_open(place->path, &place->store, &err), STATUS_OK);
}

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    snprintf(place->folder, sizeof place->folder, "/tmp/tlsrpt-XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    snprintf(place->path, sizeof place->path, "%s/tlsrpt.db", place->folder);
    open_store(place);
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    static const char *const ends[] = {"", "-wal", "-shm"};
    tlsrpt_store_close(place->store);
    for (size_t i = 0; i < 3; i++) {
        char path[100];
        snprintf(path, sizeof path, "%s%s", place->path, ends[i]);
        unlink(path);
    }
    rmdir(place->folder);
    free(place);
    return 0;
}

static void add(struct place *place, int64_t day, const char *domain, const struct tlsrpt_policy *policy,
                const struct tlsrpt_session *session)
{
    struct error err;
    assert_int_equal(tlsrpt_store_add(place->store, day, domain, policy, session, &err), STATUS_OK);
}

/* ---- RFC 8460 §4.3 ---- */

static void results(void **state)
{
    (void)state;
    static const struct {
        long code;
        const char *word;
    } rows[] = {
        {X509_V_OK, ""},
        {X509_V_ERR_HOSTNAME_MISMATCH, "certificate-host-mismatch"},
        {X509_V_ERR_IP_ADDRESS_MISMATCH, "certificate-host-mismatch"},
        {X509_V_ERR_CERT_HAS_EXPIRED, "certificate-expired"},
        {X509_V_ERR_CERT_NOT_YET_VALID, "certificate-not-trusted"},
        {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, "certificate-not-trusted"},
        {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, "certificate-not-trusted"},
        {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, "certificate-not-trusted"},
        {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, "certificate-not-trusted"},
        {X509_V_ERR_DANE_NO_MATCH, "certificate-not-trusted"},
        {X509_V_ERR_EE_KEY_TOO_SMALL, "certificate-not-trusted"},
        {X509_V_ERR_UNSPECIFIED, "validation-failure"},
        {X509_V_ERR_OUT_OF_MEM, "validation-failure"},
    };
    static const char *const words[] = {"starttls-not-supported", "certificate-host-mismatch",
                                        "certificate-expired",    "certificate-not-trusted",
                                        "validation-failure",     "tlsa-invalid",
                                        "dnssec-invalid",         "dane-required",
                                        "sts-policy-fetch-error", "sts-policy-invalid",
                                        "sts-webpki-invalid"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_string_equal(tlsrpt_result_word(tlsrpt_result_of_certificate(rows[i].code)), rows[i].word);
    assert_int_equal(sizeof words / sizeof words[0], TLSRPT_RESULTS - 1);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        assert_string_equal(tlsrpt_result_word((enum tlsrpt_result)(i + 1)), words[i]);
}

/* ---- the JSON ---- */

static void fill(struct place *place)
{
    for (int i = 0; i < 3; i++)
        add(place, DAY, "b.example", &sts, &good);
    for (int i = 0; i < 2; i++)
        add(place, DAY, "b.example", &sts, &expired);
    add(place, DAY, "b.example", &sts, &clear);
    add(place, DAY, "b.example", &none, &good);
    add(place, DAY, "other.example", &none, &good);
    add(place, DAY - 1, "b.example", &none, &good);
}

static void make_json(struct place *place, const struct tlsrpt_report *report, struct buf *text)
{
    json_t *policies;
    struct error err;
    buf_init(text, TLSRPT_REPORT_MAX);
    assert_int_equal(tlsrpt_store_policies(place->store, DAY, "b.example", &policies, &err), STATUS_OK);
    assert_int_equal(tlsrpt_report_json(report, policies, text, &err), STATUS_OK);
    json_decref(policies);
}

static const struct tlsrpt_report head = {.id = "0123456789abcdefghij",
                                          .hostname = "mail.a.example",
                                          .organization = "A",
                                          .contact = "tls@a.example",
                                          .domain = "b.example",
                                          .day = DAY};

static const char whole[] =
    "{\"organization-name\":\"A\","
    "\"date-range\":{\"start-datetime\":\"2024-10-04T00:00:00Z\",\"end-datetime\":\"2024-10-04T23:59:59Z\"},"
    "\"contact-info\":\"tls@a.example\",\"report-id\":\"0123456789abcdefghij@mail.a.example\","
    "\"policies\":[{\"policy\":{\"policy-type\":\"sts\","
    "\"policy-string\":[\"version: STSv1\",\"mode: testing\",\"mx: *.b.example\",\"max_age: 86400\"],"
    "\"policy-domain\":\"b.example\",\"mx-host\":[\"*.b.example\"]},"
    "\"summary\":{\"total-successful-session-count\":3,\"total-failure-session-count\":3},"
    "\"failure-details\":[{\"result-type\":\"certificate-expired\",\"sending-mta-ip\":\"192.0.2.1\","
    "\"receiving-mx-hostname\":\"mx.b.example\",\"receiving-ip\":\"192.0.2.2\",\"failed-session-count\":2,"
    "\"failure-reason-code\":\"certificate has expired\"},"
    "{\"result-type\":\"starttls-not-supported\",\"receiving-mx-hostname\":\"mx.b.example\","
    "\"failed-session-count\":1}]},"
    "{\"policy\":{\"policy-type\":\"no-policy-found\",\"policy-domain\":\"b.example\"},"
    "\"summary\":{\"total-successful-session-count\":1,\"total-failure-session-count\":0}}]}";

static void json(void **state)
{
    struct place *place = *state;
    struct tlsrpt_report report = head;
    struct buf text;
    fill(place);
    make_json(place, &report, &text);
    assert_string_equal(buf_str(&text), whole);
    buf_free(&text);
    report.end_ms = (int64_t)DAY * TLSRPT_DAY_MS + 3600000;
    make_json(place, &report, &text);
    assert_non_null(strstr(buf_str(&text), "\"end-datetime\":\"2024-10-04T01:00:00Z\""));
    buf_free(&text);
}

static void json_after_a_restart(void **state)
{
    struct place *place = *state;
    struct buf text;
    fill(place);
    tlsrpt_store_close(place->store);
    open_store(place);
    make_json(place, &head, &text);
    assert_string_equal(buf_str(&text), whole);
    buf_free(&text);
}

static void gunzip(struct span gzip, char *out, size_t size)
{
    z_stream z = {.next_in = (Bytef *)gzip.p,
                  .avail_in = (uInt)gzip.len,
                  .next_out = (Bytef *)out,
                  .avail_out = (uInt)size - 1};
    assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    out[z.total_out] = '\0';
    inflateEnd(&z);
}

/* §5.3 */
static void mail(void **state)
{
    struct place *place = *state;
    struct buf text, gzip, message, packed;
    struct error err;
    char back[4000];
    static const char start[] =
        "From: <tls@a.example>\r\nTo: <r@b.example>\r\nDate: Sat, 05 Oct 2024 00:10:00 +0000\r\n"
        "Subject: Report Domain: b.example\r\n Submitter: mail.a.example\r\n"
        " Report-ID: <0123456789abcdefghij@mail.a.example>\r\n"
        "Message-ID: <00000000000000000001@mail.a.example>\r\n"
        "TLS-Report-Domain: b.example\r\nTLS-Report-Submitter: mail.a.example\r\nTLS-Required: No\r\n"
        "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
        "Content-Type: multipart/report; report-type=\"tlsrpt\";\r\n "
        "boundary=\"=_0123456789abcdefghij\"\r\n\r\n"
        "--=_0123456789abcdefghij\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n";
    static const char part[] = "\r\n--=_0123456789abcdefghij\r\nContent-Type: application/tlsrpt+gzip\r\n"
                               "Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment;\r\n"
                               " filename=\"mail.a.example!b.example!1728000000!1728086399!"
                               "0123456789abcdefghij.json.gz\"\r\n\r\n";
    fill(place);
    make_json(place, &head, &text);
    buf_init(&gzip, TLSRPT_REPORT_MAX);
    buf_init(&message, TLSRPT_REPORT_MAX);
    buf_init(&packed, TLSRPT_REPORT_MAX);
    assert_int_equal(gzip_bytes(buf_span(&text), &gzip, &err), STATUS_OK);
    tlsrpt_report_mail(&head, "00000000000000000001", "tls@a.example", "r@b.example",
                       (int64_t)(DAY + 1) * TLSRPT_DAY_MS + 600000, buf_span(&gzip), &message);
    const char *all = buf_str(&message);
    assert_non_null(all);
    assert_memory_equal(all, start, sizeof start - 1);
    const char *at = strstr(all, part);
    assert_non_null(at);
    buf_reset(&gzip);
    for (at += sizeof part - 1; strncmp(at, "\r\n", 2) != 0; at += strcspn(at, "\r") + 2) {
        assert_true(strcspn(at, "\r") <= 76);
        buf_append(&packed, at, strcspn(at, "\r"));
    }
    assert_string_equal(at, "\r\n--=_0123456789abcdefghij--\r\n");
    assert_true(base64_decode(buf_span(&packed), &gzip));
    gunzip(buf_span(&gzip), back, sizeof back);
    assert_string_equal(back, whole);
    buf_free(&text);
    buf_free(&gzip);
    buf_free(&message);
    buf_free(&packed);
}

/* §1.1: of DANE it is the host's, so that hosts with one key for all are told apart. */
static void policies_of_hosts_are_kept_apart(void **state)
{
    struct place *place = *state;
    json_t *policies;
    struct error err;
    static const char *const hosts[] = {"mx1.b.example", "mx2.b.example"};
    for (size_t i = 0; i < 3; i++) {
        const struct tlsrpt_policy policy = {"tlsa", "3 1 1 ab", "", hosts[i % 2]};
        add(place, DAY, "b.example", &policy, &good);
    }
    assert_int_equal(tlsrpt_store_policies(place->store, DAY, "b.example", &policies, &err), STATUS_OK);
    assert_int_equal(json_array_size(policies), 2);
    for (size_t i = 0; i < 2; i++) {
        const char *domain;
        int sessions;
        assert_int_equal(json_unpack(json_array_get(policies, i), "{s:{s:s}, s:{s:i}}", "policy",
                                     "policy-domain", &domain, "summary", "total-successful-session-count",
                                     &sessions),
                         0);
        assert_string_equal(domain, hosts[i]);
        assert_int_equal(sessions, i == 0 ? 2 : 1);
    }
    json_decref(policies);
}

/* Of the version before, where the domain was the recipient's always. */
static void a_store_of_the_version_before(void **state)
{
    struct place *place = *state;
    static const char *const steps[] = {
        "CREATE TABLE policy (id INTEGER PRIMARY KEY, day BIGINT NOT NULL, domain TEXT NOT NULL,"
        " type TEXT NOT NULL, strings TEXT NOT NULL, mx TEXT NOT NULL, good BIGINT NOT NULL,"
        " bad BIGINT NOT NULL, UNIQUE (day, domain, type, strings, mx));"
        "CREATE TABLE failure (policy_id BIGINT NOT NULL REFERENCES policy (id) ON DELETE CASCADE,"
        " result TEXT NOT NULL, sending_ip TEXT NOT NULL, mx_host TEXT NOT NULL, receiving_ip TEXT NOT NULL,"
        " reason TEXT NOT NULL, n BIGINT NOT NULL,"
        " PRIMARY KEY (policy_id, result, sending_ip, mx_host, receiving_ip, reason));"
        "CREATE TABLE report (day BIGINT NOT NULL, domain TEXT NOT NULL, id TEXT NOT NULL,"
        " state TEXT NOT NULL, due_ms BIGINT NOT NULL, first_ms BIGINT NOT NULL, attempts BIGINT NOT NULL,"
        " looked_up INTEGER NOT NULL, targets TEXT NOT NULL, why TEXT NOT NULL, PRIMARY KEY (day, domain));"
        "CREATE INDEX report_due ON report (due_ms) WHERE state = 'waiting';"
        "INSERT INTO policy VALUES (7, 20000, 'b.example', 'no-policy-found', '', '', 1, 1);"
        "INSERT INTO failure VALUES (7, 'starttls-not-supported', '', 'mx.b.example', '', '', 1);",
        NULL,
    };
    json_t *policies;
    struct error err;
    struct sql *sql;
    struct tlsrpt_due found;
    int failed;
    const int64_t now = (int64_t)(DAY + 1) * TLSRPT_DAY_MS;
    tlsrpt_store_close(place->store);
    unlink(place->path);
    assert_int_equal(sql_open(place->path, steps, &sql, &err), STATUS_OK);
    sql_close(sql);
    open_store(place);
    add(place, DAY, "b.example", &none, &clear);
    assert_int_equal(tlsrpt_store_policies(place->store, DAY, "b.example", &policies, &err), STATUS_OK);
    assert_int_equal(json_array_size(policies), 1);
    assert_int_equal(json_unpack(json_array_get(policies, 0), "{s:[{s:i}]}", "failure-details",
                                 "failed-session-count", &failed),
                     0);
    assert_int_equal(failed, 2);
    json_decref(policies);
    /* What is forgotten takes its failures along. */
    assert_int_equal(tlsrpt_store_schedule(place->store, DAY + 1, now, 0, &err), STATUS_OK);
    assert_int_equal(tlsrpt_store_claim(place->store, now, now + 1000, &found, &err), STATUS_OK);
    assert_int_equal(tlsrpt_store_forget(place->store, &found, true, &err), STATUS_OK);
    tlsrpt_due_free(&found);
    add(place, DAY, "b.example", &none, &good);
    assert_int_equal(tlsrpt_store_policies(place->store, DAY, "b.example", &policies, &err), STATUS_OK);
    assert_null(json_object_get(json_array_get(policies, 0), "failure-details"));
    json_decref(policies);
}

/* ---- bounds ---- */

static void failures_are_bounded(void **state)
{
    struct place *place = *state;
    json_t *policies;
    struct error err;
    size_t i;
    int64_t sum = 0;
    json_t *failure;
    for (int n = 0; n < 300; n++) {
        char reason[20];
        snprintf(reason, sizeof reason, "reason %d", n);
        const struct tlsrpt_session session = {TLSRPT_VALIDATION_FAILURE, "", "mx.b.example", "", reason};
        add(place, DAY, "b.example", &none, &session);
    }
    assert_int_equal(tlsrpt_store_policies(place->store, DAY, "b.example", &policies, &err), STATUS_OK);
    json_t *failures = json_object_get(json_array_get(policies, 0), "failure-details");
    assert_in_range(json_array_size(failures), 100, 201);
    json_array_foreach(failures, i, failure) sum +=
        json_integer_value(json_object_get(failure, "failed-session-count"));
    assert_int_equal(sum, 300);
    json_decref(policies);
}

static void policies_are_bounded(void **state)
{
    struct place *place = *state;
    struct error err;
    enum status st = STATUS_OK;
    int n = 0;
    for (; st == STATUS_OK && n < 200; n++) {
        char text[20];
        snprintf(text, sizeof text, "3 1 1 %04d", n);
        const struct tlsrpt_policy policy = {"tlsa", text, "", NULL};
        st = tlsrpt_store_add(place->store, DAY, "b.example", &policy, &good, &err);
    }
    assert_int_equal(st, STATUS_LIMIT);
    assert_in_range(n, 33, 100);
    add(place, DAY, "other.example", &none, &good);
}

/* ---- what is due ---- */

static void due(void **state)
{
    struct place *place = *state;
    struct tlsrpt_due found;
    struct error err;
    const int64_t now = (int64_t)(DAY + 1) * TLSRPT_DAY_MS;
    add(place, DAY, "b.example", &none, &good);
    add(place, DAY + 1, "b.example", &none, &good);
    assert_int_equal(tlsrpt_store_claim(place->store, now, now + 1000, &found, &err), STATUS_NOT_FOUND);
    assert_int_equal(tlsrpt_store_schedule(place->store, DAY + 1, now, 0, &err), STATUS_OK);
    assert_int_equal(tlsrpt_store_claim(place->store, now, now + 1000, &found, &err), STATUS_OK);
    assert_int_equal(found.day, DAY);
    assert_string_equal(found.domain, "b.example");
    struct tlsrpt_due other;
    /* The other day goes on, and this one is claimed. */
    assert_int_equal(tlsrpt_store_claim(place->store, now, now + 1000, &other, &err), STATUS_NOT_FOUND);
    /* A restart: once the claim is over it is due again, under the same id. */
    assert_int_equal(tlsrpt_store_claim(place->store, now + 1000, now + 2000, &other, &err), STATUS_OK);
    assert_string_equal(other.id, found.id);
    assert_int_equal(tlsrpt_store_end(place->store, &other, "sent", "", &err), STATUS_OK);
    assert_int_equal(tlsrpt_store_schedule(place->store, DAY + 1, now, 0, &err), STATUS_OK);
    tlsrpt_due_free(&other);
    assert_int_equal(tlsrpt_store_claim(place->store, now + 9000, now + 9000, &other, &err),
                     STATUS_NOT_FOUND);
    tlsrpt_due_free(&found);
}

static void spread(void **state)
{
    struct place *place = *state;
    struct tlsrpt_due found;
    struct error err;
    const int64_t now = (int64_t)(DAY + 1) * TLSRPT_DAY_MS, hours = 4 * 3600 * 1000;
    int n = 0, early = 0;
    for (int i = 0; i < 40; i++) {
        char domain[20];
        snprintf(domain, sizeof domain, "d%d.example", i);
        add(place, DAY, domain, &none, &good);
    }
    assert_int_equal(tlsrpt_store_schedule(place->store, DAY + 1, now, hours, &err), STATUS_OK);
    for (int64_t at = now; at <= now + hours; at += hours / 2)
        while (tlsrpt_store_claim(place->store, at, now + 2 * hours, &found, &err) == STATUS_OK) {
            n++;
            early += at <= now + hours / 2;
            tlsrpt_due_free(&found);
        }
    assert_int_equal(n, 40);
    assert_in_range(early, 1, 39);
}

static void old_days_go(void **state)
{
    struct place *place = *state;
    struct error err;
    json_t *days;
    for (int day = DAY - 9; day <= DAY; day++)
        add(place, day, "b.example", &none, &clear);
    assert_int_equal(tlsrpt_store_schedule(place->store, DAY, 0, 0, &err), STATUS_OK);
    assert_int_equal(tlsrpt_store_forget_before(place->store, DAY - TLSRPT_DAYS_KEPT, &err), STATUS_OK);
    assert_int_equal(tlsrpt_store_list(place->store, -1, &days, &err), STATUS_OK);
    assert_int_equal(json_array_size(days), TLSRPT_DAYS_KEPT + 1);
    json_decref(days);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results),
        cmocka_unit_test_setup_teardown(json, set_up, tear_down),
        cmocka_unit_test_setup_teardown(json_after_a_restart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(mail, set_up, tear_down),
        cmocka_unit_test_setup_teardown(policies_of_hosts_are_kept_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_store_of_the_version_before, set_up, tear_down),
        cmocka_unit_test_setup_teardown(failures_are_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(policies_are_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(due, set_up, tear_down),
        cmocka_unit_test_setup_teardown(spread, set_up, tear_down),
        cmocka_unit_test_setup_teardown(old_days_go, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
