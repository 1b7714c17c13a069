#include "gateway/delivery/tls_results.h"

#include <stdlib.h>
#include <string.h>

#define STRINGS_MAX STS_POLICY_MAX
#define REASON_SIZE 300

/* ---- texts ---- */

/* Bytes from outside go into JSON, logs and terminals. */
static void put_clean(struct span text, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++)
        buf_append_char(out, text.p[i] >= ' ' && text.p[i] < 0x7f ? text.p[i] : '?');
}

static void put_line(struct span line, struct buf *out)
{
    if (out->len > 0)
        buf_append_char(out, '\n');
    put_clean(line, out);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *tlsa_line(const struct tlsa_records *records, size_t i)
{
    struct buf line;
    buf_init(&line, STRINGS_MAX);
    tlsa_write(records, i, &line);
    char *copy = line.failed ? NULL : span_dup(buf_span(&line));
    buf_free(&line);
    return copy;
}

/* Sorted: a name server gives them in turn. */
static void put_tlsa(const struct tlsa_records *records, struct buf *out)
{
    char *lines[TLSA_RECORDS_MAX];
    size_t n = 0;
    for (size_t i = 0; records && i < records->n; i++) {
        lines[n] = tlsa_line(records, i);
        if (lines[n])
            n++;
    }
    qsort(lines, n, sizeof lines[0], by_text);
    for (size_t i = 0; i < n; i++) {
        put_line(span_str(lines[i]), out);
        free(lines[i]);
    }
}

/* §4.4: each line of the policy. */
static void put_sts(struct span text, struct buf *out)
{
    while (text.len > 0) {
        const char *end = memchr(text.p, '\n', text.len);
        size_t len = end ? (size_t)(end - text.p) + 1 : text.len;
        struct span line = span_trim(span_of(text.p, len));
        if (line.len > 0)
            put_line(line, out);
        text = span_of(text.p + len, text.len - len);
    }
}

static void put_mx(struct span text, struct buf *out)
{
    struct span mx;
    while (sts_policy_next_mx(&text, &mx))
        put_line(mx, out);
}

/* ---- which policy, and what of it ---- */

enum applied { APPLIED_NONE, APPLIED_TLSA, APPLIED_STS, APPLIED_NOT_REPORTED };

static enum applied applied_policy(const struct tls_results_of *of)
{
    const struct tls_hop *hop = of->hop;
    enum dane_state dane = of->host->dane;
    if (hop->fixed_route || of->literal || hop->tls_optional || of->demand->level == TLS_LEVEL_NONE)
        return APPLIED_NOT_REPORTED;
    if (dane == DANE_USABLE || dane == DANE_UNUSABLE || (dane == DANE_FAILED && of->host->tlsa_failed))
        return APPLIED_TLSA;
    /* Our own trouble says nothing of the domain. */
    if (dane == DANE_FAILED || hop->known.sts == STS_FAILED)
        return APPLIED_NOT_REPORTED;
    if (hop->known.sts == STS_ENFORCE || hop->known.sts == STS_TESTING)
        return APPLIED_STS;
    return of->demand->by_policy && of->demand->level != TLS_LEVEL_DANE_ONLY ? APPLIED_NOT_REPORTED
                                                                             : APPLIED_NONE;
}

/* What went wrong before or beside TLS itself. */
static enum tlsrpt_result policy_result(const struct tls_results_of *of, enum applied applied,
                                        const char **reason)
{
    const struct tls_known *known = &of->hop->known;
    *reason = known->dane_why ? known->dane_why : "";
    if (applied == APPLIED_TLSA && known->dane == DANE_UNUSABLE)
        return TLSRPT_TLSA_INVALID;
    if (applied == APPLIED_TLSA && known->dane == DANE_FAILED)
        return TLSRPT_DNSSEC_INVALID;
    if (applied == APPLIED_NONE && of->demand->level == TLS_LEVEL_DANE_ONLY && known->dane == DANE_NONE)
        return TLSRPT_DANE_REQUIRED;
    if (applied == APPLIED_STS && !known->sts_has_host) {
        *reason = "the policy does not name the MX host";
        return TLSRPT_VALIDATION_FAILURE;
    }
    *reason = "";
    return TLSRPT_SUCCESS;
}

static enum tlsrpt_result result_of(const struct tls_results_of *of, enum applied applied,
                                    const struct client_tls *tls, const char **reason)
{
    /* Whatever we hold a host to where nobody asked us to is no failure of the domain's. */
    bool held = applied == APPLIED_STS || (applied == APPLIED_TLSA && of->host->dane == DANE_USABLE);
    if (tls && tls->result != TLSRPT_SUCCESS && (held || !tls->up)) {
        *reason = tls->reason;
        return tls->result;
    }
    return policy_result(of, applied, reason);
}

/* ---- recorded ---- */

static void record(struct tlsrpt *reports, const struct tls_results_of *of,
                   const struct tlsrpt_policy *policy, enum tlsrpt_result result, const char *reason,
                   const struct client_tls *tls)
{
    struct buf clean;
    size_t len = strlen(reason);
    buf_init(&clean, REASON_SIZE);
    put_clean(span_of(reason, len < REASON_SIZE ? len : REASON_SIZE), &clean);
    const struct tlsrpt_session session = {.result = result,
                                           .sending_ip = tls ? tls->sending_ip : "",
                                           .mx_host = of->hop->mx_host,
                                           .receiving_ip = tls ? tls->receiving_ip : "",
                                           .reason = clean.len > 0 ? buf_str(&clean) : ""};
    if (!clean.failed)
        tlsrpt_record(reports, of->hop->domain, policy, &session);
    buf_free(&clean);
}

static void record_session(struct tlsrpt *reports, const struct tls_results_of *of, enum applied applied,
                           const struct client_tls *tls)
{
    static const char *const types[] = {"no-policy-found", "tlsa", "sts"};
    const char *reason = "";
    struct buf strings, mx;
    enum tlsrpt_result result = result_of(of, applied, tls, &reason);
    /* A demand that is only ours was not met. */
    if (!tls && result == TLSRPT_SUCCESS)
        return;
    buf_init(&strings, STRINGS_MAX);
    buf_init(&mx, STRINGS_MAX);
    if (applied == APPLIED_TLSA)
        put_tlsa(of->host->tlsa, &strings);
    if (applied == APPLIED_STS) {
        put_sts(buf_span(&of->sts->text), &strings);
        put_mx(buf_span(&of->sts->text), &mx);
    }
    const struct tlsrpt_policy policy = {.type = types[applied],
                                         .strings = strings.len > 0 ? buf_str(&strings) : "",
                                         .mx = mx.len > 0 ? buf_str(&mx) : "",
                                         .domain = applied == APPLIED_TLSA ? of->host->base : NULL};
    if (policy.strings && policy.mx)
        record(reports, of, &policy, result, reason, tls);
    buf_free(&strings);
    buf_free(&mx);
}

static void record_fetch(struct tlsrpt *reports, const struct tls_results_of *of)
{
    static const enum tlsrpt_result results[] = {
        [STS_FETCHED] = TLSRPT_SUCCESS,
        [STS_FETCH_ERROR] = TLSRPT_STS_POLICY_FETCH_ERROR,
        [STS_FETCH_INVALID] = TLSRPT_STS_POLICY_INVALID,
        [STS_FETCH_WEBPKI] = TLSRPT_STS_WEBPKI_INVALID,
    };
    const struct tlsrpt_policy policy = {"sts", "", "", NULL};
    if (of->sts->fetch != STS_FETCHED)
        record(reports, of, &policy, results[of->sts->fetch], of->sts->why, NULL);
}

void tls_results_add(struct tlsrpt *reports, const struct tls_results_of *of, const struct client_tls *tls)
{
    enum applied applied = reports ? applied_policy(of) : APPLIED_NOT_REPORTED;
    if (applied == APPLIED_NOT_REPORTED)
        return;
    record_session(reports, of, applied, tls);
    record_fetch(reports, of);
}
