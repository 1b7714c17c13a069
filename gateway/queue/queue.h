/* The queue role: the only writer of queue database and audit trail. Event loop; never sees plaintext or
 * network. */
#ifndef SEALGATE_QUEUE_QUEUE_H
#define SEALGATE_QUEUE_QUEUE_H

#include "base/log.h"

/* When mail for a domain is tried again. */
struct retry_policy {
    const char *domain; /* "partner.example"; ".partner.example": it and what is below; NULL: all others */
    int64_t first_retry_ms; /* default 5 min; doubles up to last_retry_ms */
    int64_t last_retry_ms;  /* default 4 h */
    int64_t lifetime_ms;    /* default 5 days: then a temporary failure bounces */
};

struct queue_settings {
    const struct log *log;
    const char *path;        /* database file */
    const char *backup_path; /* where `queue backup` puts a copy */
    const char *route;       /* NULL: each domain has hosts of its own (MX); else the one next hop for all */
    struct retry_policy retry; /* what no policy of a domain says otherwise */
    const struct retry_policy *retry_policies;
    size_t n_retry_policies;
    int64_t delay_warning_ms; /* default 4 h: then the sender is told that it waits; 0: never */
    int64_t hold_ms;          /* default 7 days: then a held copy is returned */
    int64_t recheck_ms;       /* default 15 min: a held copy is tried again (its key may have come) */
    bool seal_notices;        /* seal is asked about each DSN of ours before it goes */
    int64_t worked_ms;        /* 1 min: keys is told of certificates that worked no more often */
    int store_service;        /* server end: from seal, passed requests */
    int refused_service;      /* server end: from submission */
    int delivery_service;     /* server end: from delivery, QUEUE_ATTACH */
    int control_service;      /* server end: from control */
    int seal_service;         /* client end, for QUEUE_RELEASE */
    int keys_service;         /* client end, for KEYS_WORKED */
};

int queue_run(const struct queue_settings *settings);

#endif
