/* Shared by sts.c (what is known of a domain) and sts_job.c (what is fetched). */
#ifndef SEALGATE_DELIVERY_STS_PRIVATE_H
#define SEALGATE_DELIVERY_STS_PRIVATE_H

#include <event2/util.h>
#include <sys/queue.h>

#include "gateway/delivery/sts.h"
#include "gateway/delivery/sts_store.h"

#define STS_DAY_MS ((int64_t)86400 * 1000)

/* A fetch under way, and who waits for it. */
struct sts_job {
    LIST_ENTRY(sts_job) link;
    struct sts *sts;
    char *domain;
    char id[STS_ID_MAX + 1];
    struct sts_fetch *fetch;
    bool refresh; /* no mail asked for it */
    LIST_HEAD(, sts_query) waiting;
};

struct sts {
    const struct sts_settings *settings;
    struct sts_store *store;
    struct event *refresh;
    LIST_HEAD(, sts_job) jobs;
    unsigned n_jobs, n_refreshes;
    int64_t forgot_ms; /* when what is of no use any more was last thrown away */
};

/* Who asks for the policy of DOMAIN. */
struct sts_query {
    LIST_ENTRY(sts_query) link; /* of JOB */
    struct sts *sts;
    char *domain;
    struct resolver_query *dns;
    struct sts_job *job;
    sts_found_fn *found;
    void *arg;
};

/* ---- sts_job.c ---- */

/* The fetch of DOMAIN's policy, which is under way then. NULL: err. */
struct sts_job *sts_job_start(struct sts *sts, const char *domain, const char *id, struct error *err);
/* Nobody may wait for it. */
void sts_job_free(struct sts_job *job);
/* A timer, every STS_REFRESH_STEP_S: policies that grow old, and old ones that go. ARG is a struct sts. */
#define STS_REFRESH_STEP_S 5
void sts_on_refresh(evutil_socket_t fd, short what, void *arg);

/* ---- sts.c ---- */

/* QUERY, which no job holds any more, is answered with what came of JOB. */
void sts_query_fetched(struct sts_query *query, const struct sts_job *job, const struct sts_fetched *fetched);

#endif
