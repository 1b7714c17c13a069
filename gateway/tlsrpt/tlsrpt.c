#include "gateway/tlsrpt/tlsrpt.h"

#include <event2/event.h>
#include <stdlib.h>

#include "base/clock.h"
#include "gateway/tlsrpt/tlsrpt_private.h"

#define TICK_S 30
/* Reports under way. */
#define JOBS_MAX 4
/* A report that was under way when we died is tried again after this. */
#define CLAIM_MS ((int64_t)30 * 60 * 1000)

struct tlsrpt_report tlsrpt_report_of(const struct tlsrpt *tlsrpt, int64_t day, const char *domain,
                                      const char *id)
{
    const struct tlsrpt_settings *s = tlsrpt->settings;
    int64_t now_ms = clock_wall_ms();
    return (struct tlsrpt_report){.id = id,
                                  .hostname = s->hostname,
                                  .organization = s->organization,
                                  .contact = s->contact,
                                  .domain = domain,
                                  .day = day,
                                  .end_ms = day >= now_ms / TLSRPT_DAY_MS ? now_ms : 0};
}

static void complain(const struct tlsrpt *tlsrpt, const struct error *err)
{
    log_error(tlsrpt->settings->log, LOG_LEVEL_ERROR, "tls-reports-failed", tlsrpt->settings->path, err);
}

static void send_due(struct tlsrpt *tlsrpt, int64_t now_ms)
{
    struct error err;
    struct tlsrpt_due due;
    enum status st = STATUS_OK;
    while (st == STATUS_OK && tlsrpt->n_jobs < JOBS_MAX) {
        st = tlsrpt_store_claim(tlsrpt->store, now_ms, now_ms + CLAIM_MS, &due, &err);
        if (st == STATUS_OK)
            job_start(tlsrpt, &due);
    }
    if (st != STATUS_OK && st != STATUS_NOT_FOUND)
        complain(tlsrpt, &err);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct tlsrpt *tlsrpt = arg;
    struct error err;
    int64_t now_ms = clock_wall_ms(), today = now_ms / TLSRPT_DAY_MS;
    enum status st = tlsrpt_store_forget_before(tlsrpt->store, today - TLSRPT_DAYS_KEPT, &err);
    if (st == STATUS_OK)
        st = tlsrpt_store_schedule(tlsrpt->store, today, now_ms, tlsrpt->settings->spread_ms, &err);
    if (st != STATUS_OK)
        complain(tlsrpt, &err);
    send_due(tlsrpt, now_ms);
}

void tlsrpt_look(struct tlsrpt *tlsrpt)
{
    /* As EV_TIMEOUT it would count for the tick that is due next, which then came one later. */
    event_active(tlsrpt->tick, EV_READ, 0);
}

struct tlsrpt *tlsrpt_open(const struct tlsrpt_settings *settings, struct error *err)
{
    const struct timeval tv = {.tv_sec = TICK_S};
    struct tlsrpt *tlsrpt = calloc(1, sizeof *tlsrpt);
    if (!tlsrpt) {
        error_set(err, STATUS_TEMPORARY, "out of memory for TLS reports");
        return NULL;
    }
    tlsrpt->settings = settings;
    LIST_INIT(&tlsrpt->jobs);
    enum status st = tlsrpt_store_open(settings->path, &tlsrpt->store, err);
    if (st == STATUS_OK)
        tlsrpt->tick = event_new(settings->post.base, -1, EV_PERSIST, on_tick, tlsrpt);
    if (st == STATUS_OK && (!tlsrpt->tick || event_add(tlsrpt->tick, &tv) < 0))
        st = error_set(err, STATUS_TEMPORARY, "out of memory for TLS reports");
    if (st == STATUS_OK) {
        tlsrpt_look(tlsrpt);
        return tlsrpt;
    }
    tlsrpt_close(tlsrpt);
    return NULL;
}

void tlsrpt_close(struct tlsrpt *tlsrpt)
{
    while (!LIST_EMPTY(&tlsrpt->jobs))
        job_cancel(LIST_FIRST(&tlsrpt->jobs));
    if (tlsrpt->tick)
        event_free(tlsrpt->tick);
    if (tlsrpt->store)
        tlsrpt_store_close(tlsrpt->store);
    free(tlsrpt);
}

void tlsrpt_record(struct tlsrpt *tlsrpt, const char *domain, const struct tlsrpt_policy *policy,
                   const struct tlsrpt_session *session)
{
    struct error err;
    enum status st =
        tlsrpt_store_add(tlsrpt->store, clock_wall_ms() / TLSRPT_DAY_MS, domain, policy, session, &err);
    if (st == STATUS_OK)
        tlsrpt->counts.recorded++;
    else
        tlsrpt->counts.not_recorded++;
    if (st != STATUS_OK && !tlsrpt->full)
        log_error(tlsrpt->settings->log, LOG_LEVEL_WARNING, "tls-session-not-recorded", domain, &err);
    tlsrpt->full = st != STATUS_OK;
}

const struct tlsrpt_counts *tlsrpt_counts(const struct tlsrpt *tlsrpt)
{
    return &tlsrpt->counts;
}
