/* The MTA-STS policies that were fetched (RFC 8461 §5.1): a database in the role's folder, so that a restart
 * forgets none. */
#ifndef SEALGATE_DELIVERY_STS_STORE_H
#define SEALGATE_DELIVERY_STS_STORE_H

#include <stdint.h>

#include "base/buf.h"
#include "gateway/delivery/sts_fetch.h"

struct sts_store;

struct sts_entry {
    char id[STS_ID_MAX + 1]; /* of the record at the time of the fetch */
    struct buf text;         /* the policy; empty: none was ever fetched */
    int64_t fetched_ms, expires_ms;
    char tried_id[STS_ID_MAX + 1]; /* of the last fetch that failed, or "" */
    int64_t tried_ms;              /* when it was; 0: none failed since */
    enum sts_fetch_result result;  /* of that one */
    char error[ERROR_TEXT_MAX];    /* why */
    int64_t used_ms;               /* when mail last asked for it */
};

void sts_entry_free(struct sts_entry *entry);

/* Forgets what is of no use any more at NOW_MS. */
MUST_USE enum status sts_store_open(const char *path, int64_t now_ms, struct sts_store **store_out,
                                    struct error *err);
void sts_store_close(struct sts_store *store);
MUST_USE enum status sts_store_forget_old(struct sts_store *store, int64_t now_ms, struct error *err);

/* STATUS_NOT_FOUND: nothing is known of DOMAIN. */
MUST_USE enum status sts_store_get(struct sts_store *store, const char *domain, struct sts_entry *entry_out,
                                   struct error *err);
/* A fetch that was good, in place of what was known. On disk when STATUS_OK. */
MUST_USE enum status sts_store_put(struct sts_store *store, const char *domain, const char *id,
                                   struct span text, int64_t fetched_ms, int64_t expires_ms,
                                   struct error *err);
/* One that failed; the policy that was known stays. */
MUST_USE enum status sts_store_put_failure(struct sts_store *store, const char *domain, const char *id,
                                           enum sts_fetch_result result, const char *why, int64_t now_ms,
                                           struct error *err);
/* Mail asked for DOMAIN's. */
MUST_USE enum status sts_store_use(struct sts_store *store, const char *domain, int64_t now_ms,
                                   struct error *err);

/*
 * The domain, and the id, whose policy is to be fetched again first: one that holds, that mail asked for in
 * the last 30 days, and that is a day old or half through its max_age. Until a fetch is good it is due again
 * after an hour, then two, four, up to a day, but never later than after a quarter of what is left of it
 * (and not within five minutes): counted from here, so that one that hangs, or a crash, keeps none of the
 * others from its turn. STATUS_NOT_FOUND: none. To be freed.
 */
MUST_USE enum status sts_store_claim(struct sts_store *store, int64_t now_ms, char **domain_out,
                                     char id_out[STS_ID_MAX + 1], struct error *err);

#endif
