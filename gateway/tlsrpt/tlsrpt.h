/*
 * TLS reporting, the sending side (RFC 8460): what TLS sessions came to is recorded, and once a day reported
 * to the domains that ask for it, by mail and by HTTPS. Nothing here holds up or fails a delivery.
 */
#ifndef SEALGATE_TLSRPT_TLSRPT_H
#define SEALGATE_TLSRPT_TLSRPT_H

#include <jansson.h>

#include "base/log.h"
#include "gateway/tlsrpt/enqueue.h"
#include "gateway/tlsrpt/post.h"
#include "gateway/tlsrpt/signature.h"
#include "gateway/tlsrpt/store.h"

struct tlsrpt_settings {
    const struct log *log;
    const char *path;         /* of the database */
    const char *hostname;     /* of this gateway */
    const char *organization; /* that reports */
    const char *contact;      /* its mailbox */
    const char *sender;       /* reverse-path and From; NULL: <>, and CONTACT in From */
    int64_t spread_ms;        /* reports leave within so much after midnight UTC */
    struct tlsrpt_dkim dkim;
    struct post_settings post;
    struct enqueue_settings enqueue;
};

struct tlsrpt;

/* SETTINGS must outlive it. NULL: the database cannot be opened, or out of memory (err). */
struct tlsrpt *tlsrpt_open(const struct tlsrpt_settings *settings, struct error *err);
/* What is under way is dropped, and tried again by the next process. */
void tlsrpt_close(struct tlsrpt *tlsrpt);

/* A session to a host of DOMAIN (A-label, lower case), today. What cannot be recorded is logged and counted.
 */
void tlsrpt_record(struct tlsrpt *tlsrpt, const char *domain, const struct tlsrpt_policy *policy,
                   const struct tlsrpt_session *session);

/* Since the start. */
struct tlsrpt_counts {
    uint64_t recorded, not_recorded; /* sessions */
    uint64_t sent, failed;           /* attempts at one URI */
    uint64_t dropped;                /* reports that some URI never took */
};
const struct tlsrpt_counts *tlsrpt_counts(const struct tlsrpt *tlsrpt);

/*
 * What sealctl asks (verbs.c): VERB is "list", "show" or "send", REQUEST has "domain" and "day"
 * ("2026-01-31", "today", "yesterday"). The answer is a new reference; NULL: err.
 */
json_t *tlsrpt_verb(struct tlsrpt *tlsrpt, const char *verb, json_t *request, struct error *err);

#endif
