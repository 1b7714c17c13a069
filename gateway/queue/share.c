#include "gateway/queue/share.h"

#include <stdlib.h>
#include <string.h>

/*
 * A destination or sender may hold so many times what is free: alone 4/5 of the window, n of them together
 * 4n/(4n + 1), so that the next one always finds a place.
 */
#define OF_FREE 4
/* One sender's for one destination: enough to keep all connections to it busy, few enough that mail of others
 * for it does not wait long behind them. */
#define LANE_MAX 50

struct share {
    char *domain, *sender; /* owned */
    int64_t copies;
};

static struct share *find(const struct shares *shares, const char *domain, const char *sender)
{
    for (size_t i = 0; i < shares->n; i++)
        if (strcmp(shares->items[i].domain, domain) == 0 && strcmp(shares->items[i].sender, sender) == 0)
            return &shares->items[i];
    return NULL;
}

static struct share *append(struct shares *shares, const char *domain, const char *sender)
{
    struct share *items = reallocarray(shares->items, shares->n + 1, sizeof *items);
    if (!items)
        return NULL;
    shares->items = items;
    items[shares->n] = (struct share){.domain = strdup(domain), .sender = strdup(sender)};
    if (items[shares->n].domain && items[shares->n].sender)
        return &items[shares->n++];
    free(items[shares->n].domain);
    free(items[shares->n].sender);
    return NULL;
}

static enum status add(struct shares *shares, const char *domain, const char *sender, int64_t copies,
                       int64_t bytes, struct error *err)
{
    struct share *share = find(shares, domain, sender);
    if (!share)
        share = append(shares, domain, sender);
    if (!share)
        return error_set(err, STATUS_TEMPORARY, "out of memory for the shares of the window");
    share->copies += copies;
    shares->copies += copies;
    shares->bytes += bytes;
    return STATUS_OK;
}

enum status shares_add(struct shares *shares, const char *domain, const char *sender, int64_t body_len,
                       struct error *err)
{
    return add(shares, domain, sender, 1, body_len, err);
}

enum status shares_load(struct sql *sql, const char *instance, int64_t window, struct shares *shares_out,
                        struct error *err)
{
    struct sql_stmt *stmt;
    bool row = false;
    *shares_out = (struct shares){.window = window};
    enum status st = sql_prepare(sql,
                                 "SELECT COALESCE(lease_domain, ''), COALESCE(lease_sender, ''), COUNT(*), "
                                 "SUM(body_len) FROM copy WHERE lease_instance = ?1 GROUP BY 1, 2",
                                 &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_str(stmt, 1, instance);
    for (st = sql_step(stmt, &row, err); st == STATUS_OK && row; st = sql_step(stmt, &row, err)) {
        st = add(shares_out, sql_col_str(stmt, 0), sql_col_str(stmt, 1), sql_col_int(stmt, 2),
                 sql_col_int(stmt, 3), err);
        if (st != STATUS_OK)
            break;
    }
    sql_reset(stmt);
    return st;
}

void shares_free(struct shares *shares)
{
    for (size_t i = 0; i < shares->n; i++) {
        free(shares->items[i].domain);
        free(shares->items[i].sender);
    }
    free(shares->items);
    *shares = (struct shares){0};
}

bool shares_allow(const struct shares *shares, const char *domain, const char *sender)
{
    int64_t most = OF_FREE * (shares->window - shares->copies);
    int64_t of_domain = 0, of_sender = 0, of_both = 0;

    for (size_t i = 0; i < shares->n; i++) {
        const struct share *share = &shares->items[i];
        bool same_domain = strcmp(share->domain, domain) == 0;
        bool same_sender = strcmp(share->sender, sender) == 0;
        of_domain += same_domain ? share->copies : 0;
        of_sender += same_sender ? share->copies : 0;
        of_both += same_domain && same_sender ? share->copies : 0;
    }
    return (!*domain || of_domain < most) && of_sender < most && of_both < LANE_MAX;
}
