/* The walk of a session over its route: the hosts, the addresses of each, and what TLS is demanded there. */
#include <netinet/in.h>
#include <stdio.h>

#include "gateway/delivery/destination_private.h"
#include "gateway/delivery/tls_results.h"

/* Connections begun for one transaction before it is deferred: a route may name hundreds of addresses. */
#define TRIES_MAX 10
/* Of one host: the next one is to be asked too. */
#define ADDRESSES_MAX 4

bool walk_may_try(const struct session *s)
{
    return s->tried < TRIES_MAX;
}

/*
 * Where a rule demands TLS, that it could not be had is told rather than what else failed: other mail need
 * not wait for it (reach_of).
 */
static void add_to(const struct session *s, struct result *sum, const struct result *why)
{
    if (s->destination->rule.level == TLS_LEVEL_NONE || !outcome_is_tls_trouble(sum))
        outcome_add_host(sum, why);
}

/*
 * What one address of the host at hand did. When a message requires TLS and one of them said for good that
 * it cannot have it, that is the host's word, whether its other addresses answer or not: the sender is not
 * kept waiting for days (RFC 8689 §4.2.1).
 */
void walk_add_failure(struct session *s, const struct result *why)
{
    if (!s->destination->requiretls ||
        (s->host.failure != FAILURE_REFUSED && why->failure != FAILURE_REFUSED))
        add_to(s, &s->host, why);
    else if (why->failure == FAILURE_REFUSED)
        s->host = *why;
}

static void end_host(struct session *s)
{
    if (s->host.failure != FAILURE_UNSET)
        add_to(s, &s->sum, &s->host);
    s->host = (struct result){0};
}

static void add_failure(struct session *s, enum failure_class failure, const char *status, const char *text)
{
    struct result result;
    outcome_local(&result, failure, status, "%s: %s", s->route.hops[s->hop_at].host, text);
    walk_add_failure(s, &result);
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
        .rule = s->destination->rule,
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

void walk_record_tls(const struct session *s, const struct client_tls *tls)
{
    const struct tls_hop hop = tls_hop_of(s);
    const struct tls_results_of of = {&hop, &s->demand, &s->known, &s->sts, s->route.hops[s->hop_at].literal};
    tls_results_add(s->destination->all->settings->reports, &of, tls);
}

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
void walk_address(struct session *s)
{
    const struct hop *hop = &s->route.hops[s->hop_at];
    size_t n = s->known.n_addresses < ADDRESSES_MAX ? s->known.n_addresses : ADDRESSES_MAX;
    for (; s->address_at < n && walk_may_try(s); s->address_at++) {
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
        s->client = client_open(s->destination->all->base, &s->destination->all->settings->client, &target,
                                &session_client_handler, s, &err);
        if (s->client)
            return;
        /* Our own trouble is not the destination's. */
        add_failure(s, FAILURE_CONNECTION, err.status == STATUS_LIMIT ? "4.3.0" : "4.4.1", err.text);
        s->clear = false;
    }
    s->hop_at++;
    walk_host(s);
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
    s->demand = tls_level_decide(&s->destination->all->settings->tls, &hop);
    if (s->demand.verdict == TLS_TRY) {
        walk_address(s);
        return;
    }
    walk_record_tls(s, NULL);
    add_unmet(s);
    s->hop_at++;
    walk_host(s);
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
    walk_add_failure(s, failure);
    s->hop_at++;
    walk_host(s);
}

void walk_host(struct session *s)
{
    end_host(s);
    host_free(&s->known);
    s->address_at = 0;
    s->clear = false;
    if (s->hop_at >= s->route.n || !walk_may_try(s)) {
        session_give_up(s, &s->sum);
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
                                   .dane =
                                       tls_level_asks_dane(&s->destination->all->settings->tls, &tls_hop)};
    s->host_query = host_find(s->destination->all->resolver,
                              s->destination->all->settings->client.tls_context, &wish, on_host, s, &err);
    if (!s->host_query) {
        add_failure(s, FAILURE_CONNECTION, "4.3.0", err.text);
        end_host(s);
        session_give_up(s, &s->sum);
    }
}

static void on_sts(void *arg, struct sts_facts *facts)
{
    struct session *s = arg;
    s->sts_query = NULL;
    s->sts = *facts;
    walk_host(s);
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
        walk_host(s);
        return;
    }
    s->sts_query = sts_find(all->sts, s->destination->domain, on_sts, s, &err);
    if (s->sts_query)
        return;
    add_failure(s, FAILURE_CONNECTION, "4.3.0", err.text);
    end_host(s);
    session_give_up(s, &s->sum);
}

static void on_route(void *arg, const struct route *route, const struct result *failure)
{
    struct session *s = arg;
    s->route_query = NULL;
    if (!route) {
        session_give_up(s, failure);
        return;
    }
    s->route = *route;
    s->hop_at = 0;
    find_sts(s);
}

void walk_route(struct session *s)
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
    session_give_up(s, &result);
}
