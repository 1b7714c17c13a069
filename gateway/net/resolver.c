/*
 * Queries to libunbound. A lookup that was handed to it cannot be taken back safely, so it is a small object
 * of its own which outlives a cancelled or late query, and is freed when libunbound calls at last.
 */
#include "gateway/net/resolver.h"

#include <arpa/nameser.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unbound-event.h>
#include <unbound.h>
#include <unistd.h>

#include "gateway/net/dns_answer.h"

/* libunbound itself tries silent servers for minutes; the message is tried again later anyway. */
#define QUERY_MS 30000
/* For the other family, once there are addresses of one: some servers never answer what they do not have. */
#define OTHER_FAMILY_MS 3000
#define LOOKUPS_MAX 2
/* Without one libunbound asks the root servers itself. */
#define RESOLV_CONF "/etc/resolv.conf"

enum { SEC_INSECURE, SEC_BOGUS, SEC_SECURE }; /* unbound-event.h */

struct lookup {
    LIST_ENTRY(lookup) link;
    struct resolver_query *query; /* NULL: nobody waits any more */
    size_t slot;
};

struct resolver {
    struct event_base *base;
    struct ub_ctx *ctx;
    LIST_HEAD(, lookup) lookups;
    LIST_HEAD(, resolver_query) queries;
};

struct resolver_query {
    LIST_ENTRY(resolver_query) link;
    struct resolver *resolver;
    resolver_done_fn *done;
    void *arg;
    struct event *event; /* the timeout; made active when all lookups are back */
    int types[LOOKUPS_MAX];
    size_t n_lookups;
    bool starting;                       /* not all lookups have begun */
    struct lookup *lookups[LOOKUPS_MAX]; /* NULL once back */
    struct resolver_answer parts[LOOKUPS_MAX];
    struct resolver_answer answer;
};

static void answer_failed(struct resolver_answer *answer, const char *why)
{
    *answer = (struct resolver_answer){.state = RESOLVER_FAILED};
    snprintf(answer->why, sizeof answer->why, "%.*s", (int)sizeof answer->why - 1, why);
}

static void read_packet(int type, struct span packet, struct resolver_answer *part)
{
    struct error err = {0};
    enum status st;
    struct tlsa_records *tlsa = NULL;
    struct txt_records *txt = NULL;
    size_t n = 0;
    if (type == ns_t_mx)
        st = dns_answer_mx(packet, part, &err);
    else if (type == ns_t_tlsa)
        st = dns_answer_tlsa(packet, &tlsa, &err);
    else if (type == ns_t_txt)
        st = dns_answer_txt(packet, &txt, &err);
    else if (type == ns_t_dnskey)
        st = dns_answer_count(packet, type, &n, &err);
    else
        st = dns_answer_addresses(packet, type == ns_t_a ? AF_INET : AF_INET6, part, &err);
    if (st != STATUS_OK) {
        answer_failed(part, err.text);
        return;
    }
    part->tlsa = tlsa;
    part->txt = txt;
    part->state = part->n_mx + part->n_addresses + n > 0 || tlsa || txt ? RESOLVER_FOUND : RESOLVER_NONE;
    if (part->n_addresses > 0)
        dns_answer_canonical(packet, part->canonical);
}

/* libunbound says 0 for every answer that came as a packet, NXDOMAIN included: the packet knows. */
static int response_code(int rcode, struct span packet)
{
    ns_msg msg;
    if (rcode != ns_r_noerror)
        return rcode;
    if (ns_initparse((const unsigned char *)packet.p, (int)packet.len, &msg) < 0)
        return ns_r_formerr;
    return ns_msg_getflag(msg, ns_f_rcode);
}

/* Only NOERROR and NXDOMAIN are answers; all else, and anything bogus, is a failure. */
static void judge(int type, int rcode, struct span packet, int sec, const char *why,
                  struct resolver_answer *part)
{
    *part = (struct resolver_answer){.secure = sec == SEC_SECURE};
    rcode = response_code(rcode, packet);
    char text[160];
    if (sec == SEC_BOGUS) {
        snprintf(text, sizeof text, "DNSSEC validation failed: %.120s", why ? why : "bogus");
        answer_failed(part, text);
    } else if (rcode == ns_r_nxdomain) {
        part->state = RESOLVER_NONE;
        part->nxdomain = true;
    } else if (rcode != ns_r_noerror) {
        snprintf(text, sizeof text, "DNS lookup failed (%s)",
                 rcode == ns_r_servfail ? "SERVFAIL" : "response code is an error");
        answer_failed(part, text);
    } else {
        read_packet(type, packet, part);
    }
}

static bool waits(const struct resolver_query *query)
{
    for (size_t i = 0; i < query->n_lookups; i++)
        if (query->lookups[i])
            return true;
    return false;
}

static bool has_addresses(const struct resolver_query *query)
{
    for (size_t i = 0; i < query->n_lookups; i++)
        if (query->parts[i].n_addresses > 0)
            return true;
    return false;
}

/* After a lookup came back: on to the end, or wait for the other. */
static void look_on(struct resolver_query *query)
{
    if (!waits(query))
        event_active(query->event, EV_TIMEOUT, 0);
    else if (has_addresses(query))
        event_add(query->event, &(struct timeval){.tv_sec = OTHER_FAMILY_MS / 1000});
}

static void on_answer(void *arg, int rcode, void *packet, int packet_len, int sec, char *why, int ratelimited)
{
    (void)ratelimited;
    struct lookup *lookup = arg;
    struct resolver_query *query = lookup->query;
    if (query) {
        judge(query->types[lookup->slot], rcode, span_of(packet, packet_len > 0 ? (size_t)packet_len : 0),
              sec, why, &query->parts[lookup->slot]);
        query->lookups[lookup->slot] = NULL;
        /* From inside start(): the lookups behind this one are still to begin. */
        if (!query->starting)
            look_on(query);
    }
    LIST_REMOVE(lookup, link);
    free(lookup);
}

static void query_free(struct resolver_query *query)
{
    for (size_t i = 0; i < query->n_lookups; i++)
        if (query->lookups[i])
            query->lookups[i]->query = NULL;
    for (size_t i = 0; i < query->n_lookups; i++) {
        free((void *)(uintptr_t)query->parts[i].tlsa);
        free((void *)(uintptr_t)query->parts[i].txt);
    }
    LIST_REMOVE(query, link);
    if (query->event)
        event_free(query->event);
    free(query);
}

/* Addresses of both families in turn, IPv6 first. */
static void interleave(const struct resolver_answer *v6, const struct resolver_answer *v4,
                       struct resolver_answer *out)
{
    for (size_t i = 0; i < RESOLVER_ADDRESSES_MAX; i++) {
        if (i < v6->n_addresses && out->n_addresses < RESOLVER_ADDRESSES_MAX)
            out->addresses[out->n_addresses++] = v6->addresses[i];
        if (i < v4->n_addresses && out->n_addresses < RESOLVER_ADDRESSES_MAX)
            out->addresses[out->n_addresses++] = v4->addresses[i];
    }
}

/* One family that failed does not hide the other's addresses, but it does turn "none" into "failed". */
static void merge(struct resolver_query *query)
{
    const struct resolver_answer *v6 = &query->parts[0], *v4 = &query->parts[1];
    struct resolver_answer *out = &query->answer;
    out->secure = v6->secure && v4->secure;
    out->nxdomain = v6->nxdomain || v4->nxdomain;
    if (v6->state == RESOLVER_FOUND || v4->state == RESOLVER_FOUND) {
        /* A family that failed, or has nothing, says nothing against the one that was found. */
        const struct resolver_answer *best =
            v4->state == RESOLVER_FOUND && (v4->secure || v6->state != RESOLVER_FOUND) ? v4 : v6;
        out->state = RESOLVER_FOUND;
        out->secure = best->secure;
        memcpy(out->canonical, best->canonical, sizeof out->canonical);
        interleave(v6, v4, out);
    } else if (v6->state == RESOLVER_FAILED || v4->state == RESOLVER_FAILED) {
        answer_failed(out, v4->state == RESOLVER_FAILED ? v4->why : v6->why);
    } else {
        out->state = RESOLVER_NONE;
    }
}

static void on_complete(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct resolver_query *query = arg;
    for (size_t i = 0; i < query->n_lookups; i++)
        if (query->lookups[i])
            answer_failed(&query->parts[i], "DNS lookup failed (no answer in time)");
    if (query->n_lookups == 1)
        query->answer = query->parts[0];
    else
        merge(query);
    query->done(query->arg, &query->answer);
    query_free(query);
}

static void start_lookup(struct resolver_query *query, size_t slot, const char *name)
{
    struct lookup *lookup = calloc(1, sizeof *lookup);
    if (!lookup) {
        answer_failed(&query->parts[slot], "out of memory for a DNS lookup");
        return;
    }
    lookup->query = query;
    lookup->slot = slot;
    query->lookups[slot] = lookup;
    LIST_INSERT_HEAD(&query->resolver->lookups, lookup, link);
    int failed =
        ub_resolve_event(query->resolver->ctx, name, query->types[slot], ns_c_in, lookup, on_answer, NULL);
    if (!failed)
        return; /* LOOKUP may be gone by now */
    query->lookups[slot] = NULL;
    LIST_REMOVE(lookup, link);
    free(lookup);
    answer_failed(&query->parts[slot], ub_strerror(failed));
}

static struct resolver_query *start(struct resolver *resolver, const char *name, const int *types, size_t n,
                                    resolver_done_fn *done, void *arg, struct error *err)
{
    struct resolver_query *query = calloc(1, sizeof *query);
    if (query)
        query->event = event_new(resolver->base, -1, 0, on_complete, query);
    if (!query || !query->event) {
        free(query);
        error_set(err, STATUS_TEMPORARY, "out of memory for a DNS lookup");
        return NULL;
    }
    query->resolver = resolver;
    query->done = done;
    query->arg = arg;
    query->n_lookups = n;
    memcpy(query->types, types, n * sizeof *types);
    LIST_INSERT_HEAD(&resolver->queries, query, link);
    event_add(query->event, &(struct timeval){.tv_sec = QUERY_MS / 1000});
    query->starting = true;
    for (size_t i = 0; i < n; i++)
        start_lookup(query, i, name);
    query->starting = false;
    look_on(query);
    return query;
}

struct resolver_query *resolver_mx(struct resolver *resolver, const char *domain, resolver_done_fn *done,
                                   void *arg, struct error *err)
{
    return start(resolver, domain, (int[]){ns_t_mx}, 1, done, arg, err);
}

struct resolver_query *resolver_addresses(struct resolver *resolver, const char *host, resolver_done_fn *done,
                                          void *arg, struct error *err)
{
    return start(resolver, host, (int[]){ns_t_aaaa, ns_t_a}, 2, done, arg, err);
}

struct resolver_query *resolver_tlsa(struct resolver *resolver, const char *host, uint16_t port,
                                     resolver_done_fn *done, void *arg, struct error *err)
{
    char name[DNS_NAME_SIZE + 16];
    snprintf(name, sizeof name, "_%u._tcp.%s", port, host);
    return start(resolver, name, (int[]){ns_t_tlsa}, 1, done, arg, err);
}

struct resolver_query *resolver_txt(struct resolver *resolver, const char *name, resolver_done_fn *done,
                                    void *arg, struct error *err)
{
    return start(resolver, name, (int[]){ns_t_txt}, 1, done, arg, err);
}

struct resolver_query *resolver_root_keys(struct resolver *resolver, resolver_done_fn *done, void *arg,
                                          struct error *err)
{
    return start(resolver, ".", (int[]){ns_t_dnskey}, 1, done, arg, err);
}

void resolver_cancel(struct resolver_query *query)
{
    query_free(query);
}

static enum status configure(struct ub_ctx *ctx, const struct resolver_settings *settings, struct error *err)
{
    /* A forwarder on loopback (systemd-resolved, a local unbound) is the usual case, not an attack. */
    int failed = ub_ctx_set_option(ctx, "do-not-query-localhost:", "no");
    const char *what = "its options";
    for (size_t i = 0; i < settings->n_servers && !failed; i++) {
        what = settings->servers[i];
        failed = ub_ctx_set_fwd(ctx, settings->servers[i]);
    }
    if (!failed && settings->n_servers == 0 && access(RESOLV_CONF, R_OK) == 0) {
        what = RESOLV_CONF;
        failed = ub_ctx_resolvconf(ctx, RESOLV_CONF);
    }
    if (!failed && settings->hosts && access(settings->hosts, R_OK) == 0) {
        what = settings->hosts;
        failed = ub_ctx_hosts(ctx, settings->hosts);
    }
    if (!failed && settings->trust_anchor) {
        what = settings->trust_anchor;
        failed = ub_ctx_add_ta_file(ctx, settings->trust_anchor);
    }
    if (failed)
        return error_set(err, STATUS_INVALID, "the DNS resolver cannot use %s: %s", what,
                         ub_strerror(failed));
    return STATUS_OK;
}

enum status resolver_open(struct event_base *base, const struct resolver_settings *settings,
                          struct resolver **resolver_out, struct error *err)
{
    struct resolver *resolver = calloc(1, sizeof *resolver);
    if (!resolver)
        return error_set(err, STATUS_TEMPORARY, "out of memory for the DNS resolver");
    resolver->base = base;
    LIST_INIT(&resolver->lookups);
    LIST_INIT(&resolver->queries);
    resolver->ctx = ub_ctx_create_event(base);
    enum status st = resolver->ctx ? configure(resolver->ctx, settings, err)
                                   : error_set(err, STATUS_TEMPORARY, "cannot make the DNS resolver");
    if (st != STATUS_OK) {
        resolver_close(resolver);
        return st;
    }
    /* Its own lines would not be key=value. */
    ub_ctx_debugout(resolver->ctx, NULL);
    *resolver_out = resolver;
    return STATUS_OK;
}

void resolver_close(struct resolver *resolver)
{
    while (!LIST_EMPTY(&resolver->queries))
        query_free(LIST_FIRST(&resolver->queries));
    if (resolver->ctx)
        ub_ctx_delete(resolver->ctx);
    while (!LIST_EMPTY(&resolver->lookups)) {
        struct lookup *lookup = LIST_FIRST(&resolver->lookups);
        LIST_REMOVE(lookup, link);
        free(lookup);
    }
    free(resolver);
}
