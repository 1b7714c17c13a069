/* What sealctl tls-report asks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "gateway/tlsrpt/tlsrpt_private.h"
#include "gateway/wire/domain.h"

#define ALL_DAYS ((int64_t)-1)

static const char *word(json_t *request, const char *key)
{
    return json_string_value(json_object_get(request, key));
}

static bool parse_day(const char *text, int64_t *day_out)
{
    struct tm tm = {0};
    char again[CLOCK_ISO_SIZE];
    const char *end = strptime(text, "%Y-%m-%d", &tm);
    if (!end || *end)
        return false;
    *day_out = timegm(&tm) / (TLSRPT_DAY_MS / 1000);
    clock_iso(*day_out * TLSRPT_DAY_MS, again);
    /* 2026-02-30 would be another day. */
    return *day_out >= 0 && strlen(text) == 10 && strncmp(again, text, 10) == 0;
}

static enum status day_of(json_t *request, int64_t fallback, int64_t *day_out, struct error *err)
{
    const char *text = word(request, "day");
    int64_t today = clock_wall_ms() / TLSRPT_DAY_MS;
    *day_out = fallback;
    if (!text)
        return STATUS_OK;
    if (strcmp(text, "today") == 0)
        *day_out = today;
    else if (strcmp(text, "yesterday") == 0)
        *day_out = today - 1;
    else if (!parse_day(text, day_out))
        return error_set(err, STATUS_INVALID, "\"%.40s\" is no day; write 2026-01-31, today or yesterday",
                         text);
    return STATUS_OK;
}

static json_t *list(struct tlsrpt *tlsrpt, int64_t day, struct error *err)
{
    json_t *days;
    if (tlsrpt_store_list(tlsrpt->store, day, &days, err) != STATUS_OK)
        return NULL;
    return json_pack("{s:b, s:o}", "ok", 1, "days", days);
}

/* Not sent: a report by this id never was. */
static json_t *report(struct tlsrpt *tlsrpt, int64_t day, const char *domain, struct error *err)
{
    const struct tlsrpt_report head = tlsrpt_report_of(tlsrpt, day, domain, "shown");
    json_t *policies, *json = NULL;
    struct buf text;
    if (tlsrpt_store_policies(tlsrpt->store, day, domain, &policies, err) != STATUS_OK)
        return NULL;
    buf_init(&text, TLSRPT_REPORT_MAX);
    if (tlsrpt_report_json(&head, policies, &text, err) == STATUS_OK)
        json = json_loadb((const char *)text.data, text.len, 0, NULL);
    json_decref(policies);
    buf_free(&text);
    if (json)
        return json_pack("{s:b, s:o}", "ok", 1, "report", json);
    error_set(err, STATUS_TEMPORARY, "out of memory for a TLS report");
    return NULL;
}

static json_t *send_now(struct tlsrpt *tlsrpt, int64_t day, const char *domain, struct error *err)
{
    int64_t n = 0;
    if (tlsrpt_store_ask(tlsrpt->store, day, domain, clock_wall_ms(), &n, err) != STATUS_OK)
        return NULL;
    if (n == 0) {
        error_set(err, STATUS_NOT_FOUND, "no TLS session%s%s is recorded for that day", domain ? " to " : "",
                  domain ? domain : "");
        return NULL;
    }
    tlsrpt_look(tlsrpt);
    return json_pack("{s:b, s:I}", "ok", 1, "reports", (json_int_t)n);
}

static json_t *do_verb(struct tlsrpt *tlsrpt, const char *verb, int64_t day, const char *domain,
                       struct error *err)
{
    if (strcmp(verb, "list") == 0)
        return list(tlsrpt, day, err);
    if (strcmp(verb, "send") == 0)
        return send_now(tlsrpt, day, domain, err);
    if (strcmp(verb, "show") == 0 && domain)
        return report(tlsrpt, day, domain, err);
    error_set(err, STATUS_INVALID, "tls-report %s needs a domain, such as example.org", verb);
    return NULL;
}

json_t *tlsrpt_verb(struct tlsrpt *tlsrpt, const char *verb, json_t *request, struct error *err)
{
    int64_t day, yesterday = clock_wall_ms() / TLSRPT_DAY_MS - 1;
    const char *given = word(request, "domain");
    char *domain = given ? domain_to_a_labels(given) : NULL;
    json_t *answer = NULL;
    if (given && !domain)
        error_set(err, STATUS_INVALID, "\"%.100s\" is no domain", given);
    else if (day_of(request, strcmp(verb, "list") == 0 ? ALL_DAYS : yesterday, &day, err) == STATUS_OK)
        answer = do_verb(tlsrpt, verb, day, domain, err);
    free(domain);
    return answer;
}
