/* One lane's part in a claim of leases: a copy of it, or when it is worth looking at again. For
 * lease_claim.c.
 */
#ifndef SEALGATE_QUEUE_LEASE_LANE_H
#define SEALGATE_QUEUE_LEASE_LANE_H

#include "gateway/queue/lease.h"
#include "gateway/queue/share.h"

struct turn;

/* A claim under way. */
struct claim {
    struct sql *sql;
    const struct queue_settings *settings;
    const char *instance;
    int64_t now_ms;
    struct shares shares;
    bool large_waits;    /* for room: only small bodies go */
    struct row_ids *ids; /* leased */
    /* lease_claim.c's alone */
    struct turn *turns;
    size_t n_turns;
    bool set_aside_all; /* as many lanes of a sender as were looked at: behind them there may be others */
};

struct lane {
    int64_t id;
    int64_t expires_ms;
    char *domain; /* owned */
    bool over;    /* nothing more to be had of it now */
};

enum lane_yield {
    LANE_SERVED, /* a copy is leased */
    LANE_WAITS,  /* for room */
    LANE_ASIDE,  /* nothing in it can go now; its row says when it is worth looking again */
};

/* Leases one copy of SENDER's lane, if one is to be had, whatever its share. */
MUST_USE enum status lane_serve(struct claim *c, const char *sender, const struct lane *lane,
                                enum lane_yield *yield_out, struct error *err);

#endif
