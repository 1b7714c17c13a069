/* The inside, shared by tlsrpt.c (life and timer), job.c (one report on its way) and verbs.c (sealctl). */
#ifndef SEALGATE_TLSRPT_TLSRPT_PRIVATE_H
#define SEALGATE_TLSRPT_TLSRPT_PRIVATE_H

#include <sys/queue.h>

#include "gateway/tlsrpt/report.h"
#include "gateway/tlsrpt/tlsrpt.h"

struct job;

struct tlsrpt {
    const struct tlsrpt_settings *settings;
    struct tlsrpt_store *store;
    struct event *tick;
    LIST_HEAD(, job) jobs;
    unsigned n_jobs;
    bool full; /* the last session could not be recorded; told once */
    struct tlsrpt_counts counts;
};

/* tlsrpt.c: looks what is due, soon. */
void tlsrpt_look(struct tlsrpt *tlsrpt);
/* The report of DOMAIN's DAY with ID, but for its policies. */
struct tlsrpt_report tlsrpt_report_of(const struct tlsrpt *tlsrpt, int64_t day, const char *domain,
                                      const char *id);

/* job.c: sends a report; DUE's content is owned from now on. What goes wrong is logged. */
void job_start(struct tlsrpt *tlsrpt, struct tlsrpt_due *due);
void job_cancel(struct job *job);

#endif
