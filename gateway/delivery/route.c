#include "gateway/delivery/route.h"

#include <event2/event.h>
#include <idn2.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "gateway/net/listener.h"

struct route_query {
    const struct route_settings *settings;
    char *domain;
    struct event *soon;         /* for routes that need no DNS */
    struct resolver_query *dns; /* or this */
    route_found_fn *found;
    void *arg;
};

bool route_is_fixed(const char *route)
{
    return strcmp(route, "mx") != 0;
}

char *route_domain(const char *address)
{
    const char *at = strrchr(address, '@');
    if (!at || !at[1])
        return NULL;
    if (at[1] == '[')
        return strdup(at + 1);
    char *ascii = NULL;
    if (idn2_to_ascii_8z(at + 1, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
        return NULL;
    /* What is ASCII already may have kept its case. */
    char *domain = strdup(ascii);
    idn2_free(ascii);
    for (char *c = domain; c && *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    return domain;
}

enum status route_fixed_hop(const char *route, struct hop *hop_out, struct error *err)
{
    const char *end = route[0] == '[' ? strstr(route, "]:") : NULL;
    size_t len = end ? (size_t)(end - route) - 1 : 0;
    long port = end ? strtol(end + 2, NULL, 10) : 0;
    if (len == 0 || len >= sizeof hop_out->host || port < 1 || port > 65535)
        return error_set(err, STATUS_INVALID, "delivery route \"%s\" is neither mx nor \"[host]:port\"",
                         route);
    *hop_out = (struct hop){.port = (uint16_t)port};
    memcpy(hop_out->host, route + 1, len);
    socklen_t address_len;
    hop_out->literal = socket_address_parse(route, &hop_out->address, &address_len, NULL) == STATUS_OK;
    return STATUS_OK;
}

/* RFC 5321 §4.1.3: "[192.0.2.1]", "[IPv6:2001:db8::1]". The host is the address alone, as a certificate has
 * it. */
static bool literal_hop(const char *domain, uint16_t port, struct hop *hop)
{
    static const char v6[] = "[IPv6:";
    char text[128];
    socklen_t len;
    bool is_v6 = strncasecmp(domain, v6, sizeof v6 - 1) == 0;
    const char *address = domain + (is_v6 ? sizeof v6 - 1 : 1);
    snprintf(text, sizeof text, "[%.100s:%u", address, port);
    *hop = (struct hop){.port = port, .literal = true};
    snprintf(hop->host, sizeof hop->host, "%.*s", (int)strcspn(address, "]"), address);
    return socket_address_parse(text, &hop->address, &len, NULL) == STATUS_OK;
}

static void finish(struct route_query *query, const struct route *route, const struct result *failure)
{
    query->found(query->arg, route, failure);
    route_cancel(query);
}

static void no_route(struct route_query *query, enum failure_class failure, const char *status,
                     const char *why)
{
    struct result result;
    outcome_local(&result, failure, status, "%s: %s", query->domain, why);
    finish(query, NULL, &result);
}

static void add_hop(struct route *route, const char *host, uint16_t port)
{
    struct hop *hop = &route->hops[route->n++];
    hop->port = port;
    snprintf(hop->host, sizeof hop->host, "%s", host);
}

/* RFC 5321 §5.1: where we are an MX ourselves, only the hosts preferred to us may be tried. */
static size_t preferred_to_us(const struct resolver_answer *answer, const char *hostname)
{
    for (size_t i = 0; i < answer->n_mx; i++) {
        if (strcasecmp(answer->mx[i].host, hostname) != 0)
            continue;
        while (i > 0 && answer->mx[i - 1].preference == answer->mx[i].preference)
            i--;
        return i;
    }
    return answer->n_mx;
}

static void on_mx_found(struct route_query *query, const struct resolver_answer *answer)
{
    if (answer->n_mx == 1 && answer->mx[0].host[0] == '\0') {
        no_route(query, FAILURE_PERMANENT, "5.1.10", "556 5.1.10 the domain accepts no mail (null MX)");
        return;
    }
    struct route route = {.secure = answer->secure};
    size_t n = preferred_to_us(answer, query->settings->hostname);
    for (size_t i = 0; i < n; i++)
        if (answer->mx[i].host[0]) /* RFC 7505 §3: a null MX among others means nothing */
            add_hop(&route, answer->mx[i].host, query->settings->mx_port);
    if (route.n == 0)
        no_route(query, FAILURE_PERMANENT, "5.4.6",
                 "the mail exchanger of the domain is this gateway itself");
    else
        finish(query, &route, NULL);
}

static void on_mx(void *arg, const struct resolver_answer *answer)
{
    struct route_query *query = arg;
    struct route route = {.implicit = true, .secure = answer->secure};
    query->dns = NULL;
    switch (answer->state) {
    case RESOLVER_FOUND:
        on_mx_found(query, answer);
        return;
    case RESOLVER_FAILED:
        no_route(query, FAILURE_CONNECTION, "4.4.3", answer->why);
        return;
    case RESOLVER_NONE:
        break;
    }
    if (answer->nxdomain) {
        no_route(query, FAILURE_PERMANENT, "5.1.2", "there is no such domain");
        return;
    }
    add_hop(&route, query->domain, query->settings->mx_port); /* implicit MX, RFC 5321 §5.1 */
    finish(query, &route, NULL);
}

static void on_soon(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct route_query *query = arg;
    struct route route = {.n = 1};
    struct error err;
    route.fixed = route_is_fixed(query->settings->route);
    if (!route.fixed && !literal_hop(query->domain, query->settings->mx_port, &route.hops[0]))
        no_route(query, FAILURE_PERMANENT, "5.1.2", "is no address literal");
    else if (route.fixed && route_fixed_hop(query->settings->route, &route.hops[0], &err) != STATUS_OK)
        no_route(query, FAILURE_CONNECTION, "4.3.5", err.text);
    else
        finish(query, &route, NULL);
}

struct route_query *route_find(struct event_base *base, struct resolver *resolver,
                               const struct route_settings *settings, const char *domain,
                               route_found_fn *found, void *arg, struct error *err)
{
    struct route_query *query = calloc(1, sizeof *query);
    char *copy = strdup(domain);
    if (!query || !copy) {
        free(query);
        free(copy);
        error_set(err, STATUS_TEMPORARY, "out of memory for a route");
        return NULL;
    }
    *query = (struct route_query){.settings = settings, .domain = copy, .found = found, .arg = arg};
    bool ok;
    if (route_is_fixed(settings->route) || domain[0] == '[') {
        query->soon = event_new(base, -1, 0, on_soon, query);
        ok = query->soon != NULL;
        if (ok)
            event_active(query->soon, EV_TIMEOUT, 0);
        else
            error_set(err, STATUS_TEMPORARY, "out of memory for a route");
    } else {
        query->dns = resolver_mx(resolver, domain, on_mx, query, err);
        ok = query->dns != NULL;
    }
    if (!ok) {
        route_cancel(query);
        return NULL;
    }
    return query;
}

void route_cancel(struct route_query *query)
{
    if (query->soon)
        event_free(query->soon);
    if (query->dns)
        resolver_cancel(query->dns);
    free(query->domain);
    free(query);
}
