#include <stdlib.h>

#include "base/clock.h"
#include "gateway/queue/hold.h"
#include "gateway/queue/lease.h"
#include "gateway/queue/link.h"
#include "gateway/queue/reach.h"
#include "gateway/queue/role.h"

/* The longest sleep: the wall clock, by which mail is due, may be set while we sleep by the other one. */
#define SLEEP_MAX_MS 60000
#define SLEEP_SOON_MS 1000

struct tick {
    struct work expire;
    struct queue *queue;
    struct event *timer;
    int64_t expired;    /* recipients, by the transaction under way */
    int64_t expired_ms; /* what was due by then is done */
    bool expiring;
};

static enum status apply_expire(struct work *work, struct sql *sql, int64_t now_ms, struct error *err)
{
    struct tick *tick = (struct tick *)work;
    tick->expired_ms = now_ms;
    enum status st = hold_expire(sql, now_ms, &tick->expired, err);
    return st == STATUS_OK ? reach_forget(sql, now_ms, err) : st;
}

static void expired(struct work *work, enum status st, const struct error *err)
{
    struct tick *tick = (struct tick *)work;
    struct log_line line;

    tick->expiring = false;
    if (st != STATUS_OK) {
        log_error(tick->queue->settings->log, LOG_LEVEL_ERROR, "hold-expiry-failed", NULL, err);
    } else if (tick->expired > 0) {
        log_start(&line, tick->queue->settings->log, LOG_LEVEL_NOTICE, "hold-expired");
        log_int(&line, "recipients", tick->expired);
        log_end(&line);
    }
}

/* The transaction also leases what is due. */
static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct tick *tick = arg;

    if (!tick->expiring) {
        tick->expiring = true;
        group_add(tick->queue->group, &tick->expire);
    }
    releases_recheck(tick->queue->releases);
}

struct tick *tick_new(struct queue *queue, struct error *err)
{
    struct tick *tick = calloc(1, sizeof *tick);
    if (tick) {
        *tick = (struct tick){.expire = {.apply = apply_expire, .done = expired}, .queue = queue};
        tick->timer = event_new(queue->base, -1, 0, on_timer, tick);
    }
    if (!tick || !tick->timer) {
        free(tick);
        error_set(err, STATUS_TEMPORARY, "out of memory for the queue's timer");
        return NULL;
    }
    return tick;
}

void tick_free(struct tick *tick)
{
    if (!tick)
        return;
    event_free(tick->timer);
    free(tick);
}

/* Counted from when we last looked, not from now: what became due during the commit would be overslept. */
static int64_t sleep_ms(const struct tick *tick)
{
    struct error err;
    int64_t now = clock_wall_ms();
    int64_t lease = 0;
    int64_t hold = 0;

    if (lease_next_due(tick->queue->sql, tick->queue->link->claimed_ms, &lease, &err) != STATUS_OK ||
        hold_next_due(tick->queue->sql, tick->expired_ms, &hold, &err) != STATUS_OK)
        return SLEEP_SOON_MS;
    int64_t next = lease == 0 || (hold != 0 && hold < lease) ? hold : lease;
    if (next == 0 || next - now > SLEEP_MAX_MS)
        return SLEEP_MAX_MS;
    return next > now ? next - now : 0;
}

void tick_set(struct tick *tick, bool soon)
{
    int64_t ms = soon ? SLEEP_SOON_MS : sleep_ms(tick);
    const struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

    event_add(tick->timer, &tv);
}
