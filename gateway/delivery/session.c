/*
 * The work of one connection slot: from a transaction to a host that takes it (route, hosts, addresses, TLS
 * or where allowed clear), then on to the next transaction over the same connection.
 */
#include <event2/event.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/delivery/destination_private.h"
#include "gateway/delivery/tls_results.h"

/* Connections begun for one transaction before it is deferred: a route may name hundreds of addresses. */
#define TRIES_MAX 10
/* Of one host: the next one is to be asked too. */
#define ADDRESSES_MAX 4

static void next_hop(struct session *s);
static void next_address(struct session *s);

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

/* ---- looking for a host ---- */

/* It has nobody to be returned to and is not to be lost at once (RFC 8689 §5): until it is too old, the way
 * back may become private. */
static bool is_notification_requiring_tls(const struct transaction *t)
{
    return t->mail->requiretls && t->mail->reverse_path[0] == '\0';
}

/* The walk over the route's hosts ends without one. S is freed. */
static void give_up(struct session *s, const struct result *why)
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

/*
 * What one address of the host at hand did. When a message requires TLS and one of them said for good that
 * it cannot have it, that is the host's word, whether its other addresses answer or not: the sender is not
 * kept waiting for days (RFC 8689 §4.2.1).
 */
static void add_address(struct session *s, const struct result *why)
{
    if (!s->destination->requiretls ||
        (s->host.failure != FAILURE_REFUSED && why->failure != FAILURE_REFUSED))
        outcome_add_host(&s->host, why);
    else if (why->failure == FAILURE_REFUSED)
        s->host = *why;
}

static void end_host(struct session *s)
{
    if (s->host.failure != FAILURE_UNSET)
        outcome_add_host(&s->sum, &s->host);
    s->host = (struct result){0};
}

static void add_failure(struct session *s, enum failure_class failure, const char *status, const char *text)
{
    struct result result;
    outcome_local(&result, failure, status, "%s: %s", s->route.hops[s->hop_at].host, text);
    add_address(s, &result);
}

/* The host at hand, with what is known of it. */
static struct tls_hop tls_hop_of(const struct session *s)
{
    struct tls_hop hop = {
        .domain = s->destination->domain,
        .mx_host = s->route.hops[s->hop_at].host,
        .fixed_route = s->route.fixed,
        .requiretls = s->destination->requiretls,
        .tls_optional = s->destination->tls_optional,
        .known = {.mx_secure = s->route.secure, .dane = s->known.dane, .dane_why = s->known.dane_why}};
    sts_facts_tell(&s->sts, hop.mx_host, &hop.known);
    return hop;
}

/* RFC 7672 §3.2.3: a certificate may also be for the domain that DNSSEC vouches for as the host's. */
static struct tls_dane dane_of(const struct session *s)
{
    if (s->known.dane != DANE_USABLE)
        return (struct tls_dane){0};
    return (struct tls_dane){.base = s->known.base,
                             .also = s->route.fixed ? NULL : s->destination->domain,
                             .records = s->known.tlsa};
}

static void record_tls(const struct session *s, const struct client_tls *tls)
{
    const struct tls_hop hop = tls_hop_of(s);
    const struct tls_results_of of = {&hop, &s->demand, &s->known, &s->sts, s->route.hops[s->hop_at].literal};
    tls_results_add(settings_of(s)->reports, &of, tls);
}

static void on_tls(void *arg, const struct client_tls *tls)
{
    record_tls(arg, tls);
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
    next_hop(s);
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

static void find_route(struct session *s);

/* The connection is gone before T was through with it. */
static void try_again(struct session *s, const struct result *why, enum client_trouble trouble)
{
    if (s->reused) {
        /* A kept connection may end at any time; that says nothing about the host. */
        find_route(s);
    } else if (trouble == CLIENT_TROUBLE_TLS && !s->clear && s->tried < TRIES_MAX &&
               tls_level_allows_clear(s->demand.level)) {
        s->clear = true;
        next_address(s);
    } else if (trouble == CLIENT_TROUBLE_LOGIN) {
        s->login_refused = true;
        give_up(s, why);
    } else {
        add_address(s, why);
        s->clear = false;
        s->address_at++;
        next_address(s);
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

static const struct client_handler client_handler = {on_tls, on_ready, on_sent, on_end};

static socklen_t address_length(const struct sockaddr_storage *ss)
{
    return ss->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

static void set_port(struct sockaddr_storage *ss, uint16_t port)
{
    if (ss->ss_family == AF_INET)
        ((struct sockaddr_in *)ss)->sin_port = htons(port);
    else
        ((struct sockaddr_in6 *)ss)->sin6_port = htons(port);
}

/* Connects to the address at hand or the next that can be tried at all. */
static void next_address(struct session *s)
{
    const struct hop *hop = &s->route.hops[s->hop_at];
    size_t n = s->known.n_addresses < ADDRESSES_MAX ? s->known.n_addresses : ADDRESSES_MAX;
    for (; s->address_at < n && s->tried < TRIES_MAX; s->address_at++) {
        struct error err;
        struct sockaddr_storage *ss = &s->known.addresses[s->address_at];
        set_port(ss, hop->port);
        struct client_target target = {.address = (struct sockaddr *)ss,
                                       .address_len = address_length(ss),
                                       .host = hop->host,
                                       .port = hop->port,
                                       .fixed = s->route.fixed,
                                       .demand = s->demand,
                                       .dane = dane_of(s),
                                       .clear = s->clear};
        s->tried++;
        s->client = client_open(s->destination->all->base, &settings_of(s)->client, &target, &client_handler,
                                s, &err);
        if (s->client)
            return;
        /* Our own trouble is not the destination's. */
        add_failure(s, FAILURE_CONNECTION, err.status == STATUS_LIMIT ? "4.3.0" : "4.4.1", err.text);
        s->clear = false;
    }
    s->hop_at++;
    next_hop(s);
}

/* What the demand makes of a host to which nothing may be sent. */
static void add_unmet(struct session *s)
{
    char policy[500], text[600];
    const struct tls_demand *demand = &s->demand;
    tls_demand_words(demand, policy, sizeof policy);
    snprintf(text, sizeof text, "the TLS that is demanded cannot be had: %s", policy);
    /* RFC 8689 §4.2.1: the sender hears at once what waiting would not change. */
    if (demand->requiretls && demand->verdict == TLS_LACKING)
        add_failure(s, FAILURE_REFUSED, "5.7.30", text);
    else
        add_failure(s, FAILURE_CONNECTION, "4.7.5", text);
}

/* Everything DNS says of the host at hand is known. */
static void try_host(struct session *s)
{
    const struct tls_hop hop = tls_hop_of(s);
    s->demand = tls_level_decide(&settings_of(s)->tls, &hop);
    if (s->demand.verdict == TLS_TRY) {
        next_address(s);
        return;
    }
    record_tls(s, NULL);
    add_unmet(s);
    s->hop_at++;
    next_hop(s);
}

static void on_host(void *arg, const struct host *host, const struct result *failure)
{
    struct session *s = arg;
    s->host_query = NULL;
    if (host) {
        s->known = *host;
        try_host(s);
        return;
    }
    add_address(s, failure);
    s->hop_at++;
    next_hop(s);
}

static void next_hop(struct session *s)
{
    end_host(s);
    host_free(&s->known);
    s->address_at = 0;
    s->clear = false;
    if (s->hop_at >= s->route.n || s->tried >= TRIES_MAX) {
        give_up(s, &s->sum);
        return;
    }
    const struct hop *hop = &s->route.hops[s->hop_at];
    if (hop->literal) {
        host_literal(hop, &s->known);
        try_host(s);
        return;
    }
    struct error err;
    const struct tls_hop tls_hop = tls_hop_of(s);
    const struct host_wish wish = {.hop = hop,
                                   .fixed = s->route.fixed,
                                   .mx_secure = s->route.secure,
                                   .dane = tls_level_asks_dane(&settings_of(s)->tls, &tls_hop)};
    s->host_query =
        host_find(s->destination->all->resolver, settings_of(s)->client.tls_context, &wish, on_host, s, &err);
    if (!s->host_query) {
        add_failure(s, FAILURE_CONNECTION, "4.3.0", err.text);
        end_host(s);
        give_up(s, &s->sum);
    }
}

static void on_sts(void *arg, struct sts_facts *facts)
{
    struct session *s = arg;
    s->sts_query = NULL;
    s->sts = *facts;
    next_hop(s);
}

/* Of the domain, not of a host. */
static void find_sts(struct session *s)
{
    struct destinations *all = s->destination->all;
    const struct tls_hop hop = tls_hop_of(s);
    struct error err;
    sts_facts_free(&s->sts);
    /* An address has none. */
    s->sts.state = STS_NONE;
    if (!all->sts || s->route.hops[0].literal || !tls_level_asks_sts(&all->settings->tls, &hop)) {
        next_hop(s);
        return;
    }
    s->sts_query = sts_find(all->sts, s->destination->domain, on_sts, s, &err);
    if (s->sts_query)
        return;
    add_failure(s, FAILURE_CONNECTION, "4.3.0", err.text);
    end_host(s);
    give_up(s, &s->sum);
}

static void on_route(void *arg, const struct route *route, const struct result *failure)
{
    struct session *s = arg;
    s->route_query = NULL;
    if (!route) {
        give_up(s, failure);
        return;
    }
    s->route = *route;
    s->hop_at = 0;
    find_sts(s);
}

static void find_route(struct session *s)
{
    struct destinations *all = s->destination->all;
    struct error err;
    s->reused = s->clear = s->login_refused = s->reached = s->another = false;
    s->tried = 0;
    s->sum = s->host = (struct result){0};
    s->route_query = route_find(all->base, all->resolver, &all->settings->route, s->destination->domain,
                                on_route, s, &err);
    if (s->route_query)
        return;
    struct result result;
    outcome_local(&result, FAILURE_CONNECTION, "4.3.0", "%s", err.text);
    give_up(s, &result);
}

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
    find_route(s);
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
