#include "gateway/queue/worked.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* So many are told at once, without waiting for the interval. */
#define MANY 500
/* While a call is under way more may gather; what comes then is lost. */
#define ROOM KEYS_WORKED_MAX

static const struct call_limits limits = {.taken_ms = 10000, .total_ms = 30000};
static const struct call_limits last_limits = {.taken_ms = 2000, .total_ms = 3000};

struct worked {
    const struct queue *queue;
    struct event *timer; /* pending while something waits to be told */
    struct call *call;   /* NULL: none under way */
    char fingerprints[ROOM][CERTIFICATE_FINGERPRINT_SIZE];
    size_t n;
};

/* ---- finding ---- */

/* NULL: not sealed, not there any more, or the database failed, which others will notice. */
static char *find(struct sql *sql, int64_t copy_id, int64_t recipient_id)
{
    struct sql_stmt *stmt;
    struct error err;
    bool row;
    char *fingerprint = NULL;

    if (sql_prepare(sql,
                    "SELECT r.fingerprint FROM recipient r JOIN copy c ON c.id = r.copy_id "
                    "WHERE r.id = ?1 AND c.id = ?2 AND c.format > ?3 AND r.fingerprint IS NOT NULL",
                    &stmt, &err) != STATUS_OK)
        return NULL;
    sql_bind_int(stmt, 1, recipient_id);
    sql_bind_int(stmt, 2, copy_id);
    sql_bind_int(stmt, 3, FORMAT_CLEAR);
    if (sql_step(stmt, &row, &err) == STATUS_OK && row) {
        fingerprint = span_dup(span_str(sql_col_str(stmt, 0)));
        sql_reset(stmt);
    }
    return fingerprint;
}

void worked_collect(struct sql *sql, const struct queue_outcome *outcome, struct keys_worked *found_out)
{
    *found_out = (struct keys_worked){.fingerprints = calloc(outcome->n_recipients, sizeof(char *))};
    for (size_t i = 0; found_out->fingerprints && i < outcome->n_recipients; i++) {
        const struct outcome_recipient *r = &outcome->recipients[i];
        char *fingerprint = r->outcome == OUTCOME_DELIVERED ? find(sql, outcome->copy_id, r->id) : NULL;
        if (fingerprint)
            found_out->fingerprints[found_out->n++] = fingerprint;
    }
}

/* ---- telling ---- */

static void log_lost(const struct worked *worked, const struct error *err)
{
    log_error(worked->queue->settings->log, LOG_LEVEL_INFO, "worked-not-told", NULL, err);
}

/* What was gathered, packed into BODY, and nothing is gathered any more. */
static void take(struct worked *worked, struct buf *body)
{
    char *fingerprints[ROOM];
    const struct keys_worked all = {.fingerprints = fingerprints, .n = worked->n};

    for (size_t i = 0; i < worked->n; i++)
        fingerprints[i] = worked->fingerprints[i];
    buf_init(body, IPC_BODY_MAX);
    keys_worked_pack(body, &all);
    worked->n = 0;
}

static void set_timer(struct worked *worked)
{
    int64_t ms = worked->queue->settings->worked_ms;
    const struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

    if (!event_pending(worked->timer, EV_TIMEOUT, NULL))
        event_add(worked->timer, &tv);
}

static void told(void *arg, enum status status, struct ipc_msg *reply, const struct error *err)
{
    struct worked *worked = arg;

    (void)reply;
    worked->call = NULL;
    if (status != STATUS_OK)
        log_lost(worked, err);
}

static void tell(struct worked *worked)
{
    const struct queue *queue = worked->queue;
    struct error err;
    struct buf body;

    take(worked, &body);
    worked->call = call_start(queue->base, queue->settings->keys_service, KEYS_WORKED, buf_span(&body), NULL,
                              0, limits, told, worked, &err);
    if (!worked->call)
        log_lost(worked, &err);
    buf_free(&body);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct worked *worked = arg;

    if (worked->n == 0)
        return;
    if (worked->call)
        set_timer(worked);
    else
        tell(worked);
}

/* ---- gathering ---- */

static bool is_known(const struct worked *worked, const char *fingerprint)
{
    for (size_t i = 0; i < worked->n; i++)
        if (strcmp(worked->fingerprints[i], fingerprint) == 0)
            return true;
    return false;
}

void worked_add(struct worked *worked, const struct keys_worked *found)
{
    for (size_t i = 0; i < found->n && worked->n < ROOM; i++) {
        if (strlen(found->fingerprints[i]) >= sizeof worked->fingerprints[0] ||
            is_known(worked, found->fingerprints[i]))
            continue;
        snprintf(worked->fingerprints[worked->n++], sizeof worked->fingerprints[0], "%s",
                 found->fingerprints[i]);
    }
    if (worked->n >= MANY && !worked->call)
        tell(worked);
    else if (worked->n > 0)
        set_timer(worked);
}

void worked_stop(struct worked *worked)
{
    struct ipc_msg reply;
    struct error err;
    struct buf body;

    event_del(worked->timer);
    if (worked->n == 0)
        return;
    take(worked, &body);
    if (call_wait(worked->queue->settings->keys_service, KEYS_WORKED, buf_span(&body), NULL, 0, last_limits,
                  &reply, &err) == STATUS_OK)
        ipc_msg_free(&reply);
    else
        log_lost(worked, &err);
    buf_free(&body);
}

struct worked *worked_new(const struct queue *queue, struct error *err)
{
    struct worked *worked = calloc(1, sizeof *worked);

    if (worked) {
        worked->queue = queue;
        worked->timer = evtimer_new(queue->base, on_timer, worked);
    }
    if (!worked || !worked->timer) {
        free(worked);
        error_set(err, STATUS_TEMPORARY, "out of memory for what worked");
        return NULL;
    }
    return worked;
}

void worked_free(struct worked *worked)
{
    if (!worked)
        return;
    if (worked->call)
        call_cancel(worked->call);
    event_free(worked->timer);
    free(worked);
}
