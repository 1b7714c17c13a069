#include "gateway/tlsrpt/report.h"

#include <stdlib.h>

#include "base/clock.h"
#include "gateway/tlsrpt/store.h"
#include "gateway/wire/base64.h"

#define LINE_BYTES 57 /* of what becomes a line of 76 characters (RFC 2045 §6.8) */

static int64_t begin_ms(const struct tlsrpt_report *report)
{
    return report->day * TLSRPT_DAY_MS;
}

static int64_t end_ms(const struct tlsrpt_report *report)
{
    return report->end_ms ? report->end_ms : begin_ms(report) + TLSRPT_DAY_MS - 1000;
}

/* Unique beyond us too, as a Message-ID is. */
static void put_id(const struct tlsrpt_report *report, struct buf *out)
{
    buf_printf(out, "%s@%s", report->id, report->hostname);
}

static json_t *report_of(const struct tlsrpt_report *report, json_t *policies)
{
    char begin[CLOCK_ISO_SIZE], end[CLOCK_ISO_SIZE];
    struct buf id;
    clock_iso(begin_ms(report), begin);
    clock_iso(end_ms(report), end);
    buf_init(&id, 400);
    put_id(report, &id);
    json_t *json = json_pack("{s:s, s:{s:s, s:s}, s:s, s:s, s:O}", "organization-name", report->organization,
                             "date-range", "start-datetime", begin, "end-datetime", end, "contact-info",
                             report->contact, "report-id", buf_str(&id), "policies", policies);
    buf_free(&id);
    return json;
}

enum status tlsrpt_report_json(const struct tlsrpt_report *report, json_t *policies, struct buf *out,
                               struct error *err)
{
    json_t *json = report_of(report, policies);
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    if (!text)
        return error_set(err, STATUS_TEMPORARY, "out of memory for a TLS report");
    buf_append_str(out, text);
    free(text);
    return buf_check(out, "TLS report", err);
}

/* ---- the mail ---- */

static void put_header(const struct tlsrpt_report *report, const char *mail_id, const char *from,
                       const char *to, int64_t now_ms, struct buf *out)
{
    char date[CLOCK_RFC5322_SIZE];
    clock_rfc5322(now_ms, date);
    buf_printf(out, "From: <%s>\r\nTo: <%s>\r\nDate: %s\r\n", from, to, date);
    buf_printf(out, "Subject: Report Domain: %s\r\n Submitter: %s\r\n Report-ID: <", report->domain,
               report->hostname);
    put_id(report, out);
    buf_printf(out, ">\r\nMessage-ID: <%s@%s>\r\n", mail_id, report->hostname);
    buf_printf(out, "TLS-Report-Domain: %s\r\nTLS-Report-Submitter: %s\r\n", report->domain,
               report->hostname);
    /* §3: it must arrive in spite of what it tells of; it holds nothing of any user's. */
    buf_append_str(out, "TLS-Required: No\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n");
    buf_printf(out, "Content-Type: multipart/report; report-type=\"tlsrpt\";\r\n boundary=\"=_%s\"\r\n\r\n",
               report->id);
}

static void put_words(const struct tlsrpt_report *report, struct buf *out)
{
    char begin[CLOCK_ISO_SIZE];
    clock_iso(begin_ms(report), begin);
    buf_printf(out, "--=_%s\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n", report->id);
    buf_printf(out,
               "This is an aggregate TLS report about mail to\r\n%s\r\nfrom %s,\r\nfor the day that began at "
               "%s.\r\nQuestions: %s\r\n\r\n",
               report->domain, report->hostname, begin, report->contact);
}

static void put_lines(struct span bytes, struct buf *out)
{
    for (size_t at = 0; at < bytes.len; at += LINE_BYTES) {
        size_t left = bytes.len - at;
        base64_encode(span_of(bytes.p + at, left < LINE_BYTES ? left : LINE_BYTES), out);
        buf_append_str(out, "\r\n");
    }
}

/* §5.1: the name of the file. */
static void put_name(const struct tlsrpt_report *report, struct buf *out)
{
    buf_printf(out, "%s!%s!%lld!%lld!%s.json.gz", report->hostname, report->domain,
               (long long)(begin_ms(report) / 1000), (long long)(end_ms(report) / 1000), report->id);
}

void tlsrpt_report_mail(const struct tlsrpt_report *report, const char *mail_id, const char *from,
                        const char *to, int64_t now_ms, struct span gzip, struct buf *out)
{
    put_header(report, mail_id, from, to, now_ms, out);
    put_words(report, out);
    buf_printf(out,
               "--=_%s\r\nContent-Type: application/tlsrpt+gzip\r\nContent-Transfer-Encoding: base64\r\n"
               "Content-Disposition: attachment;\r\n filename=\"",
               report->id);
    put_name(report, out);
    buf_append_str(out, "\"\r\n\r\n");
    put_lines(gzip, out);
    buf_printf(out, "\r\n--=_%s--\r\n", report->id);
}
