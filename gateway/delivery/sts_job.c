/* Policies that are being fetched: because mail asks for one, or because it grows old. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "gateway/delivery/sts_private.h"

/* Policies that grow old are fetched again whether there is mail or not, so many at once; some policy hosts
 * hang. */
#define REFRESHES_MAX 10
#define FETCHES_MAX 100

/* ---- one ---- */

void sts_job_free(struct sts_job *job)
{
    LIST_REMOVE(job, link);
    job->sts->n_jobs--;
    if (job->refresh)
        job->sts->n_refreshes--;
    if (job->fetch)
        sts_fetch_cancel(job->fetch);
    free(job->domain);
    free(job);
}

static void log_fetched(const struct sts_job *job, const struct sts_fetched *fetched)
{
    struct log_line line;
    bool good = fetched->result == STS_FETCHED;
    log_start(&line, job->sts->settings->log, good ? LOG_LEVEL_INFO : LOG_LEVEL_NOTICE,
              good ? "sts-fetched" : "sts-not-fetched");
    log_str(&line, "domain", job->domain);
    log_str(&line, "id", job->id);
    if (good) {
        log_str(&line, "mode", sts_mode_word(fetched->policy.mode));
        log_int(&line, "max_age", fetched->policy.max_age_s);
    } else {
        log_str(&line, "error", fetched->why);
    }
    log_end(&line);
}

static enum status store_fetched(const struct sts_job *job, const struct sts_fetched *fetched,
                                 struct error *err)
{
    int64_t now_ms = clock_wall_ms();
    struct sts_store *store = job->sts->store;
    if (fetched->result == STS_FETCHED)
        return sts_store_put(store, job->domain, job->id, fetched->text, now_ms,
                             now_ms + fetched->policy.max_age_s * 1000, err);
    return sts_store_put_failure(store, job->domain, job->id, fetched->result, fetched->why, now_ms, err);
}

static void on_fetched(void *arg, const struct sts_fetched *fetched)
{
    struct sts_job *job = arg;
    struct error err;
    job->fetch = NULL;
    log_fetched(job, fetched);
    if (fetched->result != STS_FETCH_LOCAL && store_fetched(job, fetched, &err) != STATUS_OK)
        log_error(job->sts->settings->log, LOG_LEVEL_ERROR, "sts-not-stored", job->domain, &err);
    while (!LIST_EMPTY(&job->waiting)) {
        struct sts_query *query = LIST_FIRST(&job->waiting);
        LIST_REMOVE(query, link);
        query->job = NULL;
        sts_query_fetched(query, job, fetched);
    }
    sts_job_free(job);
}

static struct sts_job *find_job(const struct sts *sts, const char *domain, const char *id)
{
    struct sts_job *job;
    LIST_FOREACH(job, &sts->jobs, link)
    if (strcmp(job->domain, domain) == 0 && strcmp(job->id, id) == 0)
        return job;
    return NULL;
}

struct sts_job *sts_job_start(struct sts *sts, const char *domain, const char *id, struct error *err)
{
    struct sts_job *job = find_job(sts, domain, id);
    if (job)
        return job;
    if (sts->n_jobs >= FETCHES_MAX) {
        error_set(err, STATUS_BUSY, "too many MTA-STS policies are being fetched");
        return NULL;
    }
    job = calloc(1, sizeof *job);
    if (!job) {
        error_set(err, STATUS_TEMPORARY, "out of memory for an MTA-STS policy");
        return NULL;
    }
    LIST_INSERT_HEAD(&sts->jobs, job, link);
    sts->n_jobs++;
    job->sts = sts;
    job->domain = strdup(domain);
    snprintf(job->id, sizeof job->id, "%s", id);
    if (job->domain)
        job->fetch = sts_fetch_start(&sts->settings->fetch, domain, on_fetched, job, err);
    else
        error_set(err, STATUS_TEMPORARY, "out of memory for an MTA-STS policy");
    if (job->fetch)
        return job;
    sts_job_free(job);
    return NULL;
}

/* ---- those that grow old ---- */

/* Fetches the policy whose turn it is again. False: there is none, or it cannot be. */
static bool refresh_one(struct sts *sts, int64_t now_ms)
{
    char *domain, id[STS_ID_MAX + 1];
    struct error err;
    enum status st = sts_store_claim(sts->store, now_ms, &domain, id, &err);
    if (st == STATUS_NOT_FOUND)
        return false;
    struct sts_job *job = NULL;
    if (st == STATUS_OK) {
        job = sts_job_start(sts, domain, id, &err);
        free(domain);
    }
    if (!job) {
        log_error(sts->settings->log, LOG_LEVEL_ERROR, "sts-not-refreshed", NULL, &err);
        return false;
    }
    /* Mail may have begun it. */
    if (!job->refresh)
        sts->n_refreshes++;
    job->refresh = true;
    return true;
}

/* What the role did at its start, for one that runs for months. */
static void forget_old(struct sts *sts, int64_t now_ms)
{
    struct error err;
    if (now_ms >= sts->forgot_ms && now_ms < sts->forgot_ms + STS_DAY_MS)
        return;
    sts->forgot_ms = now_ms;
    if (sts_store_forget_old(sts->store, now_ms, &err) != STATUS_OK)
        log_error(sts->settings->log, LOG_LEVEL_ERROR, "sts-not-stored", NULL, &err);
}

void sts_on_refresh(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct sts *sts = arg;
    int64_t now_ms = clock_wall_ms();
    forget_old(sts, now_ms);
    while (sts->n_refreshes < REFRESHES_MAX && refresh_one(sts, now_ms))
        ;
}
