/*
 * A report on its way: the domain's record is looked up, and the report goes to each of its URIs in turn.
 * What is done is written down after each, so that a restart sends nothing twice but in the moment between.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "gateway/tlsrpt/gzip.h"
#include "gateway/tlsrpt/tlsrpt_private.h"

/* §5.6: tried for a day, at growing intervals. */
#define LIFETIME_MS TLSRPT_DAY_MS
#define FIRST_RETRY_MS ((int64_t)5 * 60 * 1000)
#define LAST_RETRY_MS ((int64_t)4 * 3600 * 1000)
#define MAIL_MAX (2 * TLSRPT_REPORT_MAX)
#define TARGETS_MAX (TLSRPT_URIS_MAX * (TLSRPT_URI_MAX + 1))

struct job {
    LIST_ENTRY(job) link;
    struct tlsrpt *all;
    struct tlsrpt_due due;
    struct resolver_query *dns;
    struct post *post;
    struct call *call;
    struct buf gzip; /* the report, once it is needed */
    size_t at;       /* in due.targets: the one under way; before it are those that failed */
    char why[ERROR_TEXT_MAX];
};

static const struct log *log_of(const struct job *job)
{
    return job->all->settings->log;
}

void job_cancel(struct job *job)
{
    LIST_REMOVE(job, link);
    job->all->n_jobs--;
    if (job->dns)
        resolver_cancel(job->dns);
    if (job->post)
        post_cancel(job->post);
    if (job->call)
        call_cancel(job->call);
    buf_free(&job->gzip);
    tlsrpt_due_free(&job->due);
    free(job);
}

/* ---- the end of an attempt ---- */

static void log_job(const struct job *job, enum log_level level, const char *event, const char *to,
                    const char *why)
{
    struct log_line line;
    char day[CLOCK_ISO_SIZE];
    clock_iso(job->due.day * TLSRPT_DAY_MS, day);
    log_start(&line, log_of(job), level, event);
    log_str(&line, "domain", job->due.domain);
    log_span(&line, "day", span_of(day, strcspn(day, "T")));
    log_str(&line, "report", job->due.id);
    log_str(&line, "to", to);
    log_str(&line, "why", why);
    log_end(&line);
}

/* The job is over and what STORED says is on disk, or not. */
static void finish(struct job *job, enum status stored, const struct error *err)
{
    struct tlsrpt *all = job->all;
    if (stored != STATUS_OK)
        log_error(log_of(job), LOG_LEVEL_ERROR, "tls-reports-failed", job->due.domain, err);
    job_cancel(job);
    tlsrpt_look(all);
}

static void drop(struct job *job)
{
    struct error err;
    job->all->counts.dropped++;
    log_job(job, LOG_LEVEL_WARNING, "tls-report-dropped", NULL, job->why);
    finish(job, tlsrpt_store_end(job->all->store, &job->due, "dropped", job->why, &err), &err);
}

static int64_t interval(int64_t attempts)
{
    int64_t ms = FIRST_RETRY_MS;
    for (int64_t i = 1; i < attempts && ms < LAST_RETRY_MS; i++)
        ms *= 2;
    return ms < LAST_RETRY_MS ? ms : LAST_RETRY_MS;
}

static void try_later(struct job *job)
{
    struct error err;
    int64_t now_ms = clock_wall_ms();
    if (now_ms - job->due.first_ms >= LIFETIME_MS) {
        drop(job);
        return;
    }
    finish(job,
           tlsrpt_store_put(job->all->store, &job->due, now_ms + interval(job->due.attempts), job->why, &err),
           &err);
}

/* A day that goes on will have its whole report too. */
static void end_sent(struct job *job)
{
    struct error err;
    if (job->due.day >= clock_wall_ms() / TLSRPT_DAY_MS)
        finish(job, tlsrpt_store_forget(job->all->store, &job->due, false, &err), &err);
    else
        finish(job, tlsrpt_store_end(job->all->store, &job->due, "sent", "", &err), &err);
}

/* ---- one URI after the other ---- */

static void next_target(struct job *job);

static size_t target_len(const struct job *job)
{
    return strcspn(job->due.targets + job->at, "\n");
}

static void target_failed(struct job *job, const char *why)
{
    char to[TLSRPT_URI_MAX + 1];
    size_t len = target_len(job);
    snprintf(to, sizeof to, "%.*s", (int)len, job->due.targets + job->at);
    snprintf(job->why, sizeof job->why, "%s", why);
    job->all->counts.failed++;
    log_job(job, LOG_LEVEL_NOTICE, "tls-report-not-sent", to, why);
    job->at += len + 1;
    next_target(job);
}

static void target_done(struct job *job)
{
    struct error err;
    char to[TLSRPT_URI_MAX + 1];
    size_t len = target_len(job);
    char *targets = job->due.targets + job->at;
    snprintf(to, sizeof to, "%.*s", (int)len, targets);
    job->all->counts.sent++;
    log_job(job, LOG_LEVEL_NOTICE, "tls-report-sent", to, NULL);
    memmove(targets, targets + len + 1, strlen(targets + len + 1) + 1);
    /* Claimed as before. */
    if (tlsrpt_store_put(job->all->store, &job->due, clock_wall_ms() + LAST_RETRY_MS, "is being sent",
                         &err) != STATUS_OK)
        log_error(log_of(job), LOG_LEVEL_ERROR, "tls-reports-failed", job->due.domain, &err);
    next_target(job);
}

static void on_posted(void *arg, const char *why)
{
    struct job *job = arg;
    job->post = NULL;
    if (why)
        target_failed(job, why);
    else
        target_done(job);
}

static void on_queued(void *arg, enum status status, struct ipc_msg *reply, const struct error *why)
{
    struct job *job = arg;
    struct error err;
    job->call = NULL;
    if (enqueue_result(status, reply, why, &err) == STATUS_OK)
        target_done(job);
    else
        target_failed(job, err.text);
}

static struct call *send_mail(struct job *job, const char *to, struct error *err)
{
    const struct tlsrpt_settings *s = job->all->settings;
    const struct tlsrpt_report report =
        tlsrpt_report_of(job->all, job->due.day, job->due.domain, job->due.id);
    struct own_mail mail = {
        .reverse_path = s->sender ? s->sender : "", .to = to, .rule = "tls-report", .tls_optional = true};
    struct buf text, signature;
    struct call *call = NULL;
    id_make(mail.id);
    buf_init(&text, MAIL_MAX);
    buf_init(&signature, 8192);
    tlsrpt_report_mail(&report, mail.id, s->sender ? s->sender : s->contact, to, clock_wall_ms(),
                       buf_span(&job->gzip), &text);
    enum status st = buf_check(&text, "mail with a TLS report", err);
    if (st == STATUS_OK && s->dkim.domain)
        st = tlsrpt_sign(&s->dkim, buf_span(&text), &signature, err);
    const struct span pieces[] = {buf_span(&signature), buf_span(&text)};
    mail.message = (struct spans){.items = pieces, .n = 2};
    if (st == STATUS_OK)
        call = enqueue_start(&s->enqueue, &mail, on_queued, job, err);
    buf_free(&text);
    buf_free(&signature);
    return call;
}

static enum status write_report(struct job *job, struct error *err)
{
    const struct tlsrpt_report report =
        tlsrpt_report_of(job->all, job->due.day, job->due.domain, job->due.id);
    json_t *policies = NULL;
    struct buf text;
    if (job->gzip.len > 0)
        return STATUS_OK;
    buf_init(&text, TLSRPT_REPORT_MAX);
    enum status st = tlsrpt_store_policies(job->all->store, job->due.day, job->due.domain, &policies, err);
    if (st == STATUS_OK)
        st = tlsrpt_report_json(&report, policies, &text, err);
    if (st == STATUS_OK)
        st = gzip_bytes(buf_span(&text), &job->gzip, err);
    json_decref(policies);
    buf_free(&text);
    return st;
}

static void next_target(struct job *job)
{
    struct tlsrpt_uri uri;
    struct error err;
    if (job->due.targets[0] == '\0') {
        end_sent(job);
        return;
    }
    if (job->at >= strlen(job->due.targets)) {
        try_later(job);
        return;
    }
    enum status st = write_report(job, &err);
    if (st == STATUS_OK)
        st = tlsrpt_uri_parse(span_of(job->due.targets + job->at, target_len(job)), &uri, &err);
    if (st == STATUS_OK && uri.scheme == TLSRPT_HTTPS)
        job->post = post_start(&job->all->settings->post, &uri, buf_span(&job->gzip), on_posted, job, &err);
    else if (st == STATUS_OK)
        job->call = send_mail(job, uri.address, &err);
    if (!job->post && !job->call)
        target_failed(job, err.text);
}

/* ---- who wants it ---- */

/* Nobody: it is not kept for longer than it is of use. */
static void forget(struct job *job, const char *why)
{
    struct error err;
    log_job(job, LOG_LEVEL_INFO, "tls-report-not-wanted", NULL, why);
    finish(job, tlsrpt_store_forget(job->all->store, &job->due, true, &err), &err);
}

/* The one record (§3), or false: err. */
static bool pick_record(const struct txt_records *records, struct tlsrpt_record *record, struct error *err)
{
    struct span found = {0};
    size_t n = 0;
    for (size_t i = 0; i < records->n; i++)
        if (tlsrpt_is_record(txt_data(records, i))) {
            found = txt_data(records, i);
            n++;
        }
    if (n == 1)
        return tlsrpt_record_parse(found, record, err) == STATUS_OK;
    error_set(err, STATUS_NOT_FOUND, "%s", n ? "DNS has more than one TLSRPT record" : "no TLSRPT record");
    return false;
}

/* The URIs that can be used. */
static bool set_targets(struct job *job, const struct tlsrpt_record *record, struct error *err)
{
    struct tlsrpt_uri uri;
    struct buf text;
    buf_init(&text, TARGETS_MAX);
    for (size_t i = 0; i < record->n; i++)
        if (tlsrpt_uri_parse(record->uris[i], &uri, err) == STATUS_OK)
            buf_printf(&text, "%.*s\n", (int)record->uris[i].len, record->uris[i].p);
    char *targets = text.len > 0 ? span_dup(buf_span(&text)) : NULL;
    buf_free(&text);
    if (!targets)
        return false;
    free(job->due.targets);
    job->due.targets = targets;
    job->due.looked_up = true;
    return true;
}

static void on_record(void *arg, const struct resolver_answer *answer)
{
    struct job *job = arg;
    struct tlsrpt_record record;
    struct error err;
    job->dns = NULL;
    if (answer->state == RESOLVER_FAILED) {
        snprintf(job->why, sizeof job->why, "TLSRPT record: %s", answer->why);
        log_job(job, LOG_LEVEL_NOTICE, "tls-report-not-sent", NULL, job->why);
        try_later(job);
    } else if (answer->state != RESOLVER_FOUND) {
        forget(job, "no TLSRPT record");
    } else if (!pick_record(answer->txt, &record, &err) || !set_targets(job, &record, &err)) {
        forget(job, err.text);
    } else {
        next_target(job);
    }
}

void job_start(struct tlsrpt *tlsrpt, struct tlsrpt_due *due)
{
    char name[DNS_NAME_SIZE + 16];
    struct error err;
    struct job *job = calloc(1, sizeof *job);
    if (!job) {
        tlsrpt_due_free(due); /* claimed: tried again later */
        return;
    }
    *job = (struct job){.all = tlsrpt, .due = *due};
    buf_init(&job->gzip, TLSRPT_REPORT_MAX);
    LIST_INSERT_HEAD(&tlsrpt->jobs, job, link);
    tlsrpt->n_jobs++;
    job->due.attempts++;
    if (job->due.first_ms == 0)
        job->due.first_ms = clock_wall_ms();
    if (job->due.looked_up) {
        next_target(job);
        return;
    }
    snprintf(name, sizeof name, "_smtp._tls.%s", job->due.domain);
    job->dns = resolver_txt(tlsrpt->settings->post.resolver, name, on_record, job, &err);
    if (job->dns)
        return;
    snprintf(job->why, sizeof job->why, "%s", err.text);
    try_later(job);
}
