/* Held copies offered to seal again: one call each, and the new copies in the place of the old one. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memfile.h"
#include "gateway/queue/hold.h"
#include "gateway/queue/lease.h"
#include "gateway/queue/role.h"

/* Rechecks at a time: the rest of seal's workers are for clients that wait. */
#define RECHECKS_MAX 2
/* Asked for by an administrator as well. */
#define RELEASES_MAX 16

static const struct call_limits limits = {.taken_ms = 30000, .total_ms = 180000};

struct release {
    struct work work;
    struct releases *all;
    struct release *next;
    int64_t copy_id;
    char id[ID_SIZE];   /* of its message */
    int64_t recheck_ms; /* when asked */
    struct call *call;  /* NULL once seal answered */
    struct ipc_msg reply;
    struct queue_released released;
    enum release_verdict verdict; /* 0 or RELEASE_NOT: postpone */
    bool damaged;                 /* quarantine */
    bool gone;                    /* removed, or returned, while seal worked */
    char why[ERROR_TEXT_MAX + 40];
    release_done_fn *done; /* NULL: a recheck */
    void *arg;
};

struct releases {
    struct queue *queue;
    struct release *first;
    size_t n;
    int64_t pause_until_ms; /* monotonic: the database could not be written */
};

struct releases *releases_new(struct queue *queue, struct error *err)
{
    struct releases *releases = calloc(1, sizeof *releases);
    if (!releases)
        error_set(err, STATUS_TEMPORARY, "out of memory for held copies");
    else
        releases->queue = queue;
    return releases;
}

static void take_out(struct release *r)
{
    for (struct release **at = &r->all->first; *at; at = &(*at)->next) {
        if (*at == r) {
            *at = r->next;
            r->all->n--;
            break;
        }
    }
}

static void release_free(struct release *r)
{
    take_out(r);
    if (r->call)
        call_cancel(r->call);
    queue_released_free(&r->released);
    ipc_msg_free(&r->reply);
    free(r);
}

void releases_free(struct releases *releases)
{
    if (!releases)
        return;
    while (releases->first)
        release_free(releases->first);
    free(releases);
}

static bool leaves(const struct release *r)
{
    return r->verdict == RELEASE_SEALED || r->verdict == RELEASE_AS_IS;
}

static void log_release(const struct release *r)
{
    const char *held = r->gone ? "held-no-more" : "still-held";
    struct log_line line;

    log_start(&line, r->all->queue->settings->log, leaves(r) ? LOG_LEVEL_NOTICE : LOG_LEVEL_INFO,
              leaves(r) ? "released" : held);
    log_str(&line, "id", r->id);
    log_int(&line, "copy", r->copy_id);
    log_str(&line, "why", r->verdict == RELEASE_SEALED ? NULL : r->why);
    log_end(&line);
}

static enum status replace(struct release *r, struct sql *sql, int64_t now_ms, struct error *err)
{
    struct span bodies;

    if (r->reply.nfds < 1)
        return error_set(err, STATUS_INVALID, "seal sent copies without their bodies");
    enum status st = memfile_map(r->reply.fds[0], SIZE_MAX, &bodies, err);
    if (st != STATUS_OK)
        return st;
    st = hold_replace(sql, r->all->queue->settings, r->copy_id, &r->released.store, bodies, now_ms, err);
    memfile_unmap(bodies);
    return st;
}

static enum status check_waits(struct sql *sql, int64_t copy_id, struct error *err)
{
    int64_t recheck_ms = 0;
    enum status st = hold_recheck_at(sql, copy_id, &recheck_ms, err);
    return st == STATUS_OK && recheck_ms == 0
               ? error_set(err, STATUS_NOT_FOUND, "it was removed or returned while seal worked")
               : st;
}

static enum status apply_release(struct work *work, struct sql *sql, int64_t now_ms, struct error *err)
{
    struct release *r = (struct release *)work;
    const struct queue_settings *settings = r->all->queue->settings;

    enum status st = check_waits(sql, r->copy_id, err);
    if (st != STATUS_OK)
        return st;
    if (r->verdict == RELEASE_SEALED)
        return replace(r, sql, now_ms, err);
    if (r->verdict == RELEASE_AS_IS)
        return hold_let_go(sql, r->copy_id, r->why, now_ms, err);
    if (r->damaged)
        return hold_quarantine(sql, settings, r->copy_id, r->why, now_ms, err);
    st = hold_tell_notice(sql, r->copy_id, r->why, err);
    return st == STATUS_OK ? hold_postpone(sql, r->copy_id, r->recheck_ms, now_ms + settings->recheck_ms, err)
                           : st;
}

static void release_stored(struct work *work, enum status st, const struct error *err)
{
    struct release *r = (struct release *)work;
    struct releases *all = r->all;

    r->gone = st == STATUS_NOT_FOUND;
    if (r->gone) {
        r->verdict = RELEASE_NOT;
        snprintf(r->why, sizeof r->why, "%s", err->text);
    } else if (st != STATUS_OK && leaves(r)) {
        r->verdict = RELEASE_NOT;
        snprintf(r->why, sizeof r->why, "%s", err->text);
        log_error(all->queue->settings->log, LOG_LEVEL_ERROR, "release-failed", NULL, err);
        group_add(all->queue->group, &r->work);
        return;
    }
    if (st != STATUS_OK && !r->gone)
        all->pause_until_ms = clock_mono_ms() + all->queue->settings->recheck_ms;
    log_release(r);
    /* Its place is free for what DONE starts. */
    take_out(r);
    if (r->done)
        r->done(r->arg, r->copy_id, leaves(r), r->why);
    release_free(r);
    releases_recheck(all);
}

static enum status read_reply(struct release *r, struct ipc_msg *reply, struct error *err)
{
    if (reply->type != QUEUE_RELEASED)
        return error_set(err, STATUS_INVALID, "seal answered with a message of type %u", reply->type);
    enum status st = queue_released_unpack(buf_span(&reply->body), &r->released, err);
    if (st != STATUS_OK)
        return st;
    r->verdict = r->released.verdict;
    snprintf(r->why, sizeof r->why, "%s", r->released.why);
    if (r->verdict == RELEASE_SEALED) {
        r->reply = *reply; /* with its descriptor */
        *reply = (struct ipc_msg){0};
    }
    return STATUS_OK;
}

static void on_released(void *arg, enum status st, struct ipc_msg *reply, const struct error *err)
{
    struct release *r = arg;
    struct error read_err = {0};

    r->call = NULL;
    if (st == STATUS_OK) {
        st = read_reply(r, reply, &read_err);
        err = &read_err;
    }
    if (st != STATUS_OK)
        snprintf(r->why, sizeof r->why, "it could not be tried: %s", err->text);
    group_add(r->all->queue->group, &r->work);
}

static enum status ask_seal(struct release *r, struct error *err)
{
    struct queue *queue = r->all->queue;
    struct queue_release release;
    struct buf body;
    int fd = -1;
    enum status st = hold_recheck_at(queue->sql, r->copy_id, &r->recheck_ms, err);
    if (st == STATUS_OK)
        st = hold_load(queue->sql, r->copy_id, &release, &fd, err);
    if (st != STATUS_OK) {
        r->damaged = st == STATUS_INTERNAL;
        return st;
    }
    buf_init(&body, IPC_BODY_MAX);
    queue_release_pack(&body, &release);
    st = buf_check(&body, "held copy", err);
    if (st == STATUS_OK) {
        r->call = call_start(queue->base, queue->settings->seal_service, QUEUE_RELEASE, buf_span(&body), &fd,
                             1, limits, on_released, r, err);
        st = r->call ? STATUS_OK : err->status;
    }
    buf_free(&body);
    queue_release_free(&release);
    close(fd);
    return st;
}

static bool is_under_way(const struct releases *releases, int64_t copy_id)
{
    for (const struct release *r = releases->first; r; r = r->next)
        if (r->copy_id == copy_id)
            return true;
    return false;
}

bool releases_have_room(const struct releases *releases)
{
    return releases->n < RELEASES_MAX;
}

enum status release_start(struct releases *releases, int64_t copy_id, release_done_fn *done, void *arg,
                          struct error *err)
{
    if (is_under_way(releases, copy_id))
        return error_set(err, STATUS_BUSY, "it is being tried right now; look again in a minute");
    if (!releases_have_room(releases))
        return error_set(err, STATUS_BUSY, "%d others are being tried right now; try again in a minute",
                         RELEASES_MAX);
    struct release *r = calloc(1, sizeof *r);
    if (!r)
        return error_set(err, STATUS_TEMPORARY, "out of memory for a held copy");
    *r = (struct release){.work = {.apply = apply_release, .done = release_stored},
                          .all = releases,
                          .next = releases->first,
                          .copy_id = copy_id,
                          .done = done,
                          .arg = arg};
    envelope_init(&r->released.store.envelope);
    lease_message_id(releases->queue->sql, copy_id, r->id);
    releases->first = r;
    releases->n++;
    enum status st = ask_seal(r, err);
    if (st == STATUS_OK)
        return STATUS_OK;
    if (st == STATUS_NOT_FOUND) {
        release_free(r);
        return st;
    }
    /* Told through DONE, after it was quarantined or postponed. */
    snprintf(r->why, sizeof r->why, "it could not be tried: %s", err->text);
    group_add(releases->queue->group, &r->work);
    return STATUS_OK;
}

void releases_recheck(struct releases *releases)
{
    struct row_ids due;
    struct error err;

    if (releases->n >= RECHECKS_MAX || clock_mono_ms() < releases->pause_until_ms)
        return;
    /* Those under way are due still, so as many more are looked at. */
    if (hold_due(releases->queue->sql, clock_wall_ms(), RELEASES_MAX + RECHECKS_MAX, &due, &err) != STATUS_OK)
        return;
    for (size_t i = 0; i < due.n && releases->n < RECHECKS_MAX; i++)
        if (!is_under_way(releases, due.ids[i]) &&
            release_start(releases, due.ids[i], NULL, NULL, &err) != STATUS_OK)
            log_error(releases->queue->settings->log, LOG_LEVEL_ERROR, "recheck-failed", NULL, &err);
    free(due.ids);
}
