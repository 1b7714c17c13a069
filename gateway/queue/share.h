/*
 * Who has how much of the window (doc/queue.md "Fairness"): what is out on lease, by destination and sender.
 */
#ifndef SEALGATE_QUEUE_SHARE_H
#define SEALGATE_QUEUE_SHARE_H

#include "base/sql.h"

struct share;

struct shares {
    int64_t window;
    int64_t copies; /* out on lease */
    int64_t bytes;  /* of their bodies */
    struct share *items;
    size_t n;
};

/* What INSTANCE has on lease, of WINDOW copies. Free with shares_free, whatever is returned. */
MUST_USE enum status shares_load(struct sql *sql, const char *instance, int64_t window,
                                 struct shares *shares_out, struct error *err);
void shares_free(struct shares *shares);

/*
 * May one more copy of SENDER's for DOMAIN be leased? Neither a destination, nor a sender, nor the two together
 * may take more than a multiple of what is left for the others: so however many of them are slow, something is
 * left. DOMAIN "" (to be returned) is no destination.
 */
bool shares_allow(const struct shares *shares, const char *domain, const char *sender);

/* One more is out. */
MUST_USE enum status shares_add(struct shares *shares, const char *domain, const char *sender,
                                int64_t body_len, struct error *err);

#endif
