/*
 * The work of one connection slot: from a transaction to a host that takes it (session_walk.c), in clear
 * after TLS failed where that is allowed, then on to the next transaction over the same connection.
 */
#include <stdlib.h>

#include "gateway/delivery/destination_private.h"

static const struct destination_settings *settings_of(const struct session *s)
{
    return s->destination->all->settings;
}

static void release(struct session *s)
{
    if (s->route_query)
        route_cancel(s->route_query);
    if (s->sts_query)
        sts_cancel(s->sts_query);
    if (s->host_query)
        host_cancel(s->host_query);
    host_free(&s->known);
    sts_facts_free(&s->sts);
    if (s->t)
        transaction_free(s->t);
    destination_session_ended(s);
    free(s);
}

static void done_with(struct session *s)
{
    struct transaction *t = s->t;
    s->t = NULL;
    t->on_done(t->arg, t);
}

/* It has nobody to be returned to and is not to be lost at once (RFC 8689 §5): until it is too old, the way
 * back may become private. */
static bool is_notification_requiring_tls(const struct transaction *t)
{
    return t->mail->requiretls && t->mail->reverse_path[0] == '\0';
}

/* The walk over the route's hosts ends without one. S is freed. */
void session_give_up(struct session *s, const struct result *why)
{
    struct destination *destination = s->destination;
    struct transaction *t = s->t;
    struct result changed;
    if (why->failure == FAILURE_UNSET) {
        outcome_local(&changed, FAILURE_CONNECTION, "4.4.0", "no host of the route could be tried");
        why = &changed;
    }
    if (is_notification_requiring_tls(t)) {
        changed = *why;
        outcome_not_final(&changed, FAILURE_TEMPORARY);
        why = &changed;
    }
    bool answered = transaction_is_put_off(t);
    s->t = NULL;
    if (why->failure == FAILURE_CONNECTION && !s->login_refused && !answered &&
        destination_put_back(destination, t)) {
        release(s);
        return;
    }
    transaction_give_up(t, why);
    if (s->login_refused)
        destinations_login_refused(destination->all, why);
    else if (why->failure == FAILURE_CONNECTION && s->reached && !answered)
        destination_cut_off(destination, why);
    else if (why->failure == FAILURE_CONNECTION && !s->reached)
        destination_unreachable(destination, why);
    t->on_done(t->arg, t);
    release(s);
}

static void on_tls(void *arg, const struct client_tls *tls)
{
    walk_record_tls(arg, tls);
}

static void on_ready(void *arg)
{
    struct session *s = arg;
    s->ready = s->reached = true;
    s->deliveries = 1;
    if (s->route.fixed)
        destinations_host_is_ready(s->destination->all);
    client_deliver(s->client, s->t);
}

/* A host that was asked because another could not is not to get all that follows, and no message goes in
 * clear for want of TLS that another one did not get. */
static bool may_go_on(const struct session *s)
{
    return !s->another && !client_fell_back(s->client) &&
           s->deliveries < settings_of(s)->deliveries_per_connection;
}

static void go_idle(struct session *s)
{
    if (s->destination->all->draining || !may_go_on(s))
        session_end(s);
    else
        client_idle(s->client, settings_of(s)->idle_ms);
}

static void go_on(struct session *s)
{
    destination_succeeded(s->destination);
    done_with(s);
    struct transaction *next = may_go_on(s) ? destination_next(s->destination) : NULL;
    if (next)
        session_deliver(s, next);
    else
        go_idle(s);
}

/*
 * This host could not take all of it, or not now. RFC 5321 §5.1 would have all others asked, but "try later"
 * is mostly meant, and every host of a large provider would hear of it at each attempt: one more is asked.
 */
static void ask_another(struct session *s)
{
    struct result why;
    if (s->sum.failure == FAILURE_CONNECTION)
        transaction_soften(s->t);
    if (s->another || s->hop_at + 1 >= s->route.n) {
        outcome_local(&why, FAILURE_TEMPORARY, "4.3.0", "no host took it");
        transaction_give_up(s->t, &why);
        go_on(s);
        return;
    }
    s->another = true;
    s->ready = s->reused = false;
    s->tried = 0;
    client_quit(s->client);
    s->client = NULL;
    s->hop_at++;
    walk_host(s);
}

static void on_sent(void *arg)
{
    struct session *s = arg;
    if (!transaction_is_open(s->t)) {
        go_on(s);
        return;
    }
    s->t->on_progress(s->t->arg);
    if (transaction_has_next_turn(s->t))
        client_deliver(s->client, s->t);
    else
        ask_another(s);
}

/* The connection is gone before T was through with it. */
static void try_again(struct session *s, const struct result *why, enum client_trouble trouble)
{
    if (s->reused) {
        /* A kept connection may end at any time; that says nothing about the host. */
        walk_route(s);
    } else if (trouble == CLIENT_TROUBLE_TLS && !s->clear && walk_may_try(s) &&
               tls_level_allows_clear(s->demand.level)) {
        s->clear = true;
        walk_address(s);
    } else if (trouble == CLIENT_TROUBLE_LOGIN) {
        s->login_refused = true;
        session_give_up(s, why);
    } else {
        walk_add_failure(s, why);
        s->clear = false;
        s->address_at++;
        walk_address(s);
    }
}

static void on_end(void *arg, const struct result *why, enum client_trouble trouble)
{
    struct session *s = arg;
    s->client = NULL;
    s->ready = false;
    if (s->t && transaction_is_open(s->t)) {
        try_again(s, why, trouble);
        return;
    }
    if (s->t)
        done_with(s);
    release(s);
}

const struct client_handler session_client_handler = {on_tls, on_ready, on_sent, on_end};

/* ---- for destination.c ---- */

struct session *session_start(struct destination *destination, struct transaction *t, struct error *err)
{
    struct session *s = calloc(1, sizeof *s);
    if (!s) {
        error_set(err, STATUS_TEMPORARY, "out of memory for a connection");
        return NULL;
    }
    s->destination = destination;
    s->t = t;
    LIST_INSERT_HEAD(&destination->sessions, s, link);
    destination->n_sessions++;
    destination->all->n_sessions++;
    walk_route(s);
    return s;
}

void session_deliver(struct session *s, struct transaction *t)
{
    s->t = t;
    s->reused = true;
    s->deliveries++;
    client_deliver(s->client, t);
}

bool session_is_idle(const struct session *s)
{
    return s->ready && !s->t;
}

void session_end(struct session *s)
{
    if (s->client && session_is_idle(s))
        client_quit(s->client);
    else if (s->client)
        client_abort(s->client);
    s->client = NULL;
    release(s);
}
