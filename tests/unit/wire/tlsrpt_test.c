#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "gateway/wire/tlsrpt.h"

/* RFC 8460 §3. URIS: joined by "|"; NULL when the record is no good. */
static void records(void **state)
{
    (void)state;
    static const struct {
        const char *txt, *uris;
        bool is_record;
    } rows[] = {
        {"v=TLSRPTv1;rua=mailto:reports@example.com", "mailto:reports@example.com", true},
        {"v=TLSRPTv1; rua=https://reporting.example.com/v1/tlsrpt", "https://reporting.example.com/v1/tlsrpt",
         true},
        {"v=TLSRPTv1 ;\t rua=mailto:a@b.example ;", "mailto:a@b.example", true},
        {"v=TLSRPTv1; rua=mailto:a@b.example, https://c.example/x", "mailto:a@b.example|https://c.example/x",
         true},
        {"v=TLSRPTv1; ext.1=x/y:z; rua=mailto:a@b.example; ", "mailto:a@b.example", true},
        {"v=TLSRPTv1; rua=ftp:x", "ftp:x", true},
        {"v=TLSRPTv1; rua=a:1,a:2,a:3,a:4,a:5,a:6,a:7,a:8,a:9", "a:1|a:2|a:3|a:4|a:5|a:6|a:7|a:8", true},
        {"v=TLSRPTv1;", NULL, true},
        {"v=TLSRPTv1; rua=", NULL, true},
        {"v=TLSRPTv1; rua=mailto:a@b.example,", NULL, true},
        {"v=TLSRPTv1; rua=,mailto:a@b.example", NULL, true},
        {"v=TLSRPTv1; rua=mailto:a@b.example; rua=mailto:c@d.example", NULL, true},
        {"v=TLSRPTv1; RUA=mailto:a@b.example", NULL, true},
        {"v=TLSRPTv1; rua=mailto:a@b.example; junk", NULL, true},
        {"v=TLSRPTv1; rua=mailto:a@b.example;; x=y", NULL, true},
        {"v=TLSRPTv1; rua=mailto:a b@c.example", NULL, true},
        {"v=TLSRPTv1; rua=mailto:a!b@c.example", NULL, true},
        {"v=TLSRPTv1; rua=reports@example.com", NULL, true},
        {"v=TLSRPTv1; x=a=b; rua=mailto:a@b.example", NULL, true},
        {"v=TLSRPTv1", NULL, false},
        {"v=TLSRPTv2; rua=mailto:a@b.example", NULL, false},
        {"v=TLSRPTv11; rua=mailto:a@b.example", NULL, false},
        {"V=TLSRPTv1; rua=mailto:a@b.example", NULL, false},
        {" v=TLSRPTv1; rua=mailto:a@b.example", NULL, false},
        {"v=STSv1; id=1", NULL, false},
        {"", NULL, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct tlsrpt_record record;
        struct error err;
        char uris[300] = "";
        assert_int_equal(tlsrpt_is_record(span_str(rows[i].txt)), rows[i].is_record);
        enum status st = tlsrpt_record_parse(span_str(rows[i].txt), &record, &err);
        assert_int_equal(st, rows[i].uris ? STATUS_OK : STATUS_INVALID);
        if (!rows[i].uris)
            continue;
        for (size_t j = 0; j < record.n; j++)
            snprintf(uris + strlen(uris), sizeof uris - strlen(uris), "%s%.*s", j ? "|" : "",
                     (int)record.uris[j].len, record.uris[j].p);
        assert_string_equal(uris, rows[i].uris);
    }
}

/* FOUND: "address" or "host port path"; NULL when it is of no use. */
static void uris(void **state)
{
    (void)state;
    static const struct {
        const char *uri, *found;
    } rows[] = {
        {"mailto:reports@example.com", "reports@example.com"},
        {"MAILTO:tls%2Breports@example.com", "tls+reports@example.com"},
        {"https://r.example.com/v1/tlsrpt", "r.example.com 443 /v1/tlsrpt"},
        {"HTTPS://r.example.com", "r.example.com 443 /"},
        {"https://r.example.com:8443?a=%2f&b", "r.example.com 8443 /?a=%2f&b"},
        {"mailto:reports", NULL},
        {"mailto:", NULL},
        {"mailto:reports@[192.0.2.1]", NULL},
        {"mailto:a@b.example?subject=x", NULL},
        {"mailto:a%0d%0ab@c.example", NULL},
        {"mailto:a%40b@c.example", NULL},
        {"mailto:a%4@c.example", NULL},
        {"mailto:a%c3%a4@c.example", NULL},
        {"http://r.example.com/", NULL},
        {"https://192.0.2.1/", NULL},
        {"https://[::1]/", NULL},
        {"https://user@r.example.com/", NULL},
        {"https://r.example.com:0/", NULL},
        {"https://r.example.com:65536/", NULL},
        {"https://r.example.com:/", NULL},
        {"https://r.example.com/a#b", NULL},
        {"https://r.example.com/a%", NULL},
        {"https://r.example.com/a%zz", NULL},
        {"https:///a", NULL},
        {"https://r.example.com/a b", NULL},
        {"ftp:x", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct tlsrpt_uri uri;
        struct error err;
        char found[1400];
        enum status st = tlsrpt_uri_parse(span_str(rows[i].uri), &uri, &err);
        assert_int_equal(st, rows[i].found ? STATUS_OK : STATUS_INVALID);
        if (!rows[i].found)
            continue;
        if (uri.scheme == TLSRPT_MAILTO)
            snprintf(found, sizeof found, "%s", uri.address);
        else
            snprintf(found, sizeof found, "%s %u %s", uri.host, uri.port, uri.path);
        assert_string_equal(found, rows[i].found);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(records), cmocka_unit_test(uris)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
