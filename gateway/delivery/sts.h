/*
 * MTA-STS (RFC 8461): which policy holds for a domain. A policy that was fetched is kept on disk until its
 * max_age, whatever DNS or the policy host say meanwhile; only a new policy takes its place. It is fetched
 * when the id in DNS is another, and again when it is a day old, or half through a max_age that is shorter.
 */
#ifndef SEALGATE_DELIVERY_STS_H
#define SEALGATE_DELIVERY_STS_H

#include "base/log.h"
#include "gateway/delivery/sts_fetch.h"
#include "gateway/policy/tls_level.h"

struct sts_settings {
    const struct log *log;
    const char *path; /* of the database */
    struct sts_fetch_settings fetch;
};

#define STS_WHY_SIZE (ERROR_TEXT_MAX + 60)

struct sts;

/* STATUS_INTERNAL and others: the database cannot be opened; without it a policy to be enforced would be
 * forgotten. */
MUST_USE enum status sts_open(const struct sts_settings *settings, struct sts **sts_out, struct error *err);
/* After all queries are done or cancelled. */
void sts_close(struct sts *sts);

/* What is known of a domain's policy. All zero: nobody asked. */
struct sts_facts {
    enum sts_state state;
    struct buf text; /* the policy that holds, of whatever mode; empty: none */
    struct sts_policy policy;
    char id[STS_ID_MAX + 1];
    int64_t fetched_ms, expires_ms;
    enum sts_fetch_result fetch; /* the last one, where it failed; else STS_FETCHED */
    char why[STS_WHY_SIZE];      /* why there is none, or why it is not a newer one; "" */
};

void sts_facts_free(struct sts_facts *facts);
/* For the one decision: what they say of MX_HOST. KNOWN points into FACTS. */
void sts_facts_tell(const struct sts_facts *facts, const char *mx_host, struct tls_known *known);

/* The memory of FACTS becomes the handler's. */
typedef void sts_found_fn(void *arg, struct sts_facts *facts);

struct sts_query;

/* FOUND is called once, never from inside, unless cancelled. DOMAIN is an A-label. NULL: out of memory. */
struct sts_query *sts_find(struct sts *sts, const char *domain, sts_found_fn *found, void *arg,
                           struct error *err);
void sts_cancel(struct sts_query *query);

#endif
