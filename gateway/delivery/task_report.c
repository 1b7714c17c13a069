/* Results become outcomes for the queue, log lines, and a DSN for the sender. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/memfile.h"
#include "gateway/delivery/dsn.h"
#include "gateway/delivery/task_private.h"
#include "gateway/message/tls_required.h"

#define DSN_MAX ((size_t)16 << 20)

struct report {
    struct recipient **recipients; /* told of now */
    enum delivery_outcome *outcomes;
    enum delivery_reach *reaches;
    size_t n;
    struct queue_outcome outcome;
    int dsn_fd;
};

/* Nobody tried it: the outcome is the report of the delay. */
static bool is_only_told(const struct task *task)
{
    return task->lease.state == COPY_DELAYED;
}

static void log_recipient(const struct task *task, const struct recipient *r, enum delivery_outcome outcome)
{
    static const char *const words[] = {
        [OUTCOME_DELIVERED] = "delivered", [OUTCOME_DEFERRED] = "deferred", [OUTCOME_BOUNCED] = "bounced"};
    struct log_line line;
    log_start(&line, task->all->settings->log, LOG_LEVEL_NOTICE,
              is_only_told(task) ? "delay-told" : words[outcome]);
    log_str(&line, "id", task->lease.message_id);
    log_str(&line, "to", r->lease->address);
    log_str(&line, "host", r->host);
    log_str(&line, "tls", r->tls_version);
    log_str(&line, "cipher", r->tls_cipher);
    log_str(&line, "peer", r->tls_peer);
    log_str(&line, "status", r->result.status);
    log_str(&line, "reply", r->result.text);
    log_end(&line);
}

static void log_unset(const struct task *task)
{
    struct error err;
    error_set(&err, STATUS_INTERNAL,
              "an attempt ended without a result; report this as a bug of the gateway");
    log_error(task->all->settings->log, LOG_LEVEL_ERROR, "internal-error", task->lease.message_id, &err);
}

/* Is it our word? A host may say any code. */
static bool has_status(const struct recipient *r, const char *status)
{
    return !r->result.is_reply && strcmp(r->result.status, status) == 0;
}

/*
 * What queue is to remember of the destination. A host that took RCPT is there, even when it failed later,
 * and so is one that refuses us for good. Mail that demands more than its domain does (REQUIRETLS) says
 * nothing for others, unless it came as far as the login, and neither does what went wrong here (4.3), nor
 * the TLS that a rule demands. The TLS that is demanded else is its domain's, the login to a smarthost is
 * everybody's.
 */
static enum delivery_reach reach_of(const struct task *task, const struct recipient *r)
{
    enum failure_class failure = r->result.failure;

    if (r->asked || (r->host && failure != FAILURE_CONNECTION))
        return REACH_OK;
    if (has_status(r, "4.7.8"))
        return REACH_NO_HOST;
    bool tls_trouble = outcome_is_tls_trouble(&r->result);
    if ((task->lease.tls != TLS_LEVEL_NONE && tls_trouble) || task->lease.requiretls ||
        failure == FAILURE_TEMPORARY || failure == FAILURE_UNSET || strncmp(r->result.status, "4.3.", 4) == 0)
        return REACH_UNKNOWN;
    if (failure != FAILURE_CONNECTION)
        return REACH_OK;
    return tls_trouble ? REACH_NO_PRIVACY : REACH_NO_HOST;
}

static bool is_late(const struct task *task, int64_t now_ms)
{
    int64_t after = task->all->settings->delay_warning_ms;
    return is_only_told(task) || (after > 0 && now_ms - task->lease.received_ms >= after);
}

static bool collect(struct task *task, bool all, struct report *report)
{
    size_t n = task->lease.n_recipients;
    int64_t now = clock_wall_ms();
    report->recipients = calloc(n, sizeof(struct recipient *));
    report->outcomes = calloc(n, sizeof *report->outcomes);
    report->reaches = calloc(n, sizeof *report->reaches);
    report->outcome.recipients = calloc(n, sizeof *report->outcome.recipients);
    if (!report->recipients || !report->outcomes || !report->reaches || !report->outcome.recipients)
        return false;
    for (size_t i = 0; i < n; i++) {
        struct recipient *r = &task->recipients[i];
        if (!r->done || r->reported || (!all && r->result.failure != FAILURE_NONE))
            continue;
        if (r->result.failure == FAILURE_UNSET)
            log_unset(task);
        report->reaches[report->n] = reach_of(task, r);
        report->outcomes[report->n] =
            is_only_told(task) ? OUTCOME_DEFERRED : outcome_decide(&r->result, now, r->lease->expires_ms);
        r->late = report->outcomes[report->n] == OUTCOME_DEFERRED && is_late(task, now);
        report->recipients[report->n++] = r;
    }
    return true;
}

/* The DSN's text and its id in OUTCOME. */
static enum status write_dsn(struct task *task, struct recipient *const *told_of, size_t n,
                             struct report *report, struct error *err)
{
    struct queue_outcome *outcome = &report->outcome;
    struct buf text, locked;
    buf_init(&text, DSN_MAX);
    buf_init(&locked, DSN_MAX + 64);
    id_make(outcome->dsn_id);
    struct dsn dsn = {.id = outcome->dsn_id,
                      .hostname = task->all->settings->hostname,
                      .to = task->lease.reverse_path,
                      .received_ms = task->lease.received_ms,
                      .now_ms = clock_wall_ms(),
                      .envid = task->lease.envid,
                      .recipients = told_of,
                      .n = n,
                      .header = task_shown_header(task),
                      .as_sealed = task->lease.tls != TLS_LEVEL_NONE,
                      .tls_optional = !task->lease.requiretls && tls_required_no(task_shown_header(task))};
    outcome->dsn_tls_optional = dsn.tls_optional;
    dsn_write(&dsn, &text);
    enum status st = buf_check(&text, "DSN", err);
    if (st == STATUS_OK)
        st =
            spool_lock_bytes(&task->all->settings->spool_key, outcome->dsn_id, buf_span(&text), &locked, err);
    if (st == STATUS_OK)
        st = memfile_from("dsn", buf_span(&locked), &report->dsn_fd, err);
    outcome->has_dsn = st == STATUS_OK;
    outcome->dsn_recipient = task->lease.reverse_path;
    buf_free(&text);
    buf_free(&locked);
    return st;
}

/* A bounce that the sender cannot be told of now is put off: silence would be a loss. */
static void put_off_bounces(struct report *report)
{
    for (size_t i = 0; i < report->n; i++)
        if (report->outcomes[i] == OUTCOME_BOUNCED)
            report->outcomes[i] = OUTCOME_DEFERRED;
}

static void add_dsn(struct task *task, struct report *report)
{
    struct error err;
    size_t n = 0;
    /* A DSN is never answered by a DSN (RFC 5321 §6.1, A29). */
    if (task->lease.reverse_path[0] == '\0')
        return;
    struct recipient **told_of = calloc(report->n, sizeof(struct recipient *));
    if (!told_of) {
        put_off_bounces(report);
        return;
    }
    for (size_t i = 0; i < report->n; i++)
        if (dsn_is_wanted(report->recipients[i], report->outcomes[i]))
            told_of[n++] = report->recipients[i];
    if (n > 0 && write_dsn(task, told_of, n, report, &err) != STATUS_OK) {
        log_error(task->all->settings->log, LOG_LEVEL_ERROR, "dsn-failed", task->lease.message_id, &err);
        put_off_bounces(report);
    }
    free(told_of);
}

static bool is_told_of_delay(const struct report *report, size_t i)
{
    return report->outcome.has_dsn && report->outcomes[i] == OUTCOME_DEFERRED &&
           dsn_is_wanted(report->recipients[i], OUTCOME_DEFERRED);
}

/* The strings stay the recipients'; packing copies them. */
static void fill(struct task *task, struct report *report)
{
    struct queue_outcome *outcome = &report->outcome;
    outcome->copy_id = task->lease.copy_id;
    outcome->n_recipients = report->n;
    for (size_t i = 0; i < report->n; i++) {
        struct recipient *r = report->recipients[i];
        outcome->recipients[i] = (struct outcome_recipient){.id = r->lease->id,
                                                            .outcome = report->outcomes[i],
                                                            .reach = report->reaches[i],
                                                            .delay_told = is_told_of_delay(report, i),
                                                            .reply = r->result.text,
                                                            .host = r->host,
                                                            .tls_version = r->tls_version,
                                                            .tls_cipher = r->tls_cipher,
                                                            .tls_peer = r->tls_peer};
    }
}

static bool send_report(struct task *task, struct report *report)
{
    struct error err;
    fill(task, report);
    enum status st = attach_outcome(task->all->attach, &report->outcome, report->dsn_fd, &err);
    if (st != STATUS_OK) {
        log_error(task->all->settings->log, LOG_LEVEL_ERROR, "outcome-waits", task->lease.message_id, &err);
        return false;
    }
    for (size_t i = 0; i < report->n; i++) {
        report->recipients[i]->reported = true;
        if (report->outcomes[i] == OUTCOME_DELIVERED)
            task->all->ways[report->recipients[i]->way]++;
        log_recipient(task, report->recipients[i], report->outcomes[i]);
    }
    return true;
}

bool task_report(struct task *task, bool all)
{
    struct report report = {.dsn_fd = -1};
    bool ok = collect(task, all, &report);
    if (ok && report.n > 0) {
        add_dsn(task, &report);
        ok = send_report(task, &report);
    }
    free(report.recipients);
    free(report.outcomes);
    free(report.reaches);
    free(report.outcome.recipients);
    return ok;
}
