#include "gateway/delivery/survey.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "gateway/delivery/host.h"
#include "gateway/jobs/control_job.h"

/* So many a delivery tries at most, too. */
#define HOSTS_MAX 10

struct survey {
    const struct survey_settings *settings;
    char *domain;
    bool requiretls;
    survey_done_fn *done;
    void *arg;
    struct route_query *route_query;
    struct sts_query *sts_query;
    struct host_query *host_query;
    struct route route;
    struct sts_facts sts;
    size_t hop_at;
    json_t *answer, *hosts; /* HOSTS belongs to ANSWER */
};

void survey_cancel(struct survey *s)
{
    if (s->route_query)
        route_cancel(s->route_query);
    if (s->sts_query)
        sts_cancel(s->sts_query);
    if (s->host_query)
        host_cancel(s->host_query);
    json_decref(s->answer);
    sts_facts_free(&s->sts);
    free(s->domain);
    free(s);
}

static void finish(struct survey *s)
{
    json_t *answer = s->answer;
    s->answer = NULL;
    s->done(s->arg, answer);
    survey_cancel(s);
}

static struct tls_hop tls_hop_of(const struct survey *s, const struct host *host)
{
    struct tls_hop hop = {
        .domain = s->domain,
        .mx_host = s->route.hops[s->hop_at].host,
        .fixed_route = s->route.fixed,
        .requiretls = s->requiretls,
        .known = {.mx_secure = s->route.secure, .dane = host->dane, .dane_why = host->dane_why}};
    sts_facts_tell(&s->sts, hop.mx_host, &hop.known);
    return hop;
}

static json_t *addresses_of(const struct host *host)
{
    json_t *addresses = json_array();
    for (size_t i = 0; i < host->n_addresses; i++) {
        char text[INET6_ADDRSTRLEN] = "";
        const struct sockaddr_storage *ss = &host->addresses[i];
        if (ss->ss_family == AF_INET)
            inet_ntop(AF_INET, &((const struct sockaddr_in *)ss)->sin_addr, text, sizeof text);
        else
            inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)ss)->sin6_addr, text, sizeof text);
        json_array_append_new(addresses, json_string(text));
    }
    return addresses;
}

static json_t *records_of(const struct tlsa_records *records)
{
    json_t *array = json_array();
    for (size_t i = 0; records && i < records->n; i++) {
        struct buf text;
        buf_init(&text, 1 << 18);
        tlsa_write(records, i, &text);
        json_array_append_new(array, json_string(buf_str(&text)));
        buf_free(&text);
    }
    return array;
}

static const char *dane_word(enum dane_state state)
{
    static const char *const words[] = {NULL, "failed", "none", "unusable", "usable"};
    return words[state];
}

static void add_host(struct survey *s, const struct host *host)
{
    static const char *const verdicts[] = {"try", "wait", "lacking"};
    const struct hop *hop = &s->route.hops[s->hop_at];
    const struct tls_hop tls_hop = tls_hop_of(s, host);
    struct tls_demand demand = tls_level_decide(&s->settings->destinations->tls, &tls_hop);
    char words[900];
    tls_demand_words(&demand, words, sizeof words);
    json_array_append_new(
        s->hosts,
        json_pack("{s:s, s:i, s:o, s:s, s:s, s:o, s:s?, s:b, s:s?, s:o?, s:s?, s:o}", "host", hop->host,
                  "port", (int)hop->port, "addresses", addresses_of(host), "verdict",
                  verdicts[demand.verdict], "level", tls_level_word(demand.level), "why", control_text(words),
                  "match_name", demand.match_name, "match_below", demand.match_below, "dane",
                  dane_word(host->dane), "dane_why", host->dane_why[0] ? control_text(host->dane_why) : NULL,
                  "tlsa_base", host->tlsa ? host->base : NULL, "tlsa", records_of(host->tlsa)));
}

static void next_host(struct survey *s);

static void on_host(void *arg, const struct host *host, const struct result *failure)
{
    struct survey *s = arg;
    const struct hop *hop = &s->route.hops[s->hop_at];
    s->host_query = NULL;
    if (host) {
        struct host known = *host;
        add_host(s, &known);
        host_free(&known);
    } else {
        json_array_append_new(s->hosts, json_pack("{s:s, s:i, s:o}", "host", hop->host, "port",
                                                  (int)hop->port, "error", control_text(failure->text)));
    }
    s->hop_at++;
    next_host(s);
}

static void next_host(struct survey *s)
{
    const struct survey_settings *settings = s->settings;
    const struct host nothing = {0};
    struct error err;
    for (; s->hop_at < s->route.n && s->route.hops[s->hop_at].literal; s->hop_at++) {
        struct host host;
        host_literal(&s->route.hops[s->hop_at], &host);
        add_host(s, &host);
    }
    if (s->hop_at >= s->route.n || s->hop_at >= HOSTS_MAX) {
        finish(s);
        return;
    }
    const struct tls_hop tls_hop = tls_hop_of(s, &nothing);
    const struct host_wish wish = {.hop = &s->route.hops[s->hop_at],
                                   .fixed = s->route.fixed,
                                   .mx_secure = s->route.secure,
                                   .dane = tls_level_asks_dane(&settings->destinations->tls, &tls_hop)};
    s->host_query =
        host_find(settings->resolver, settings->destinations->client.tls_context, &wish, on_host, s, &err);
    if (s->host_query)
        return;
    json_object_set_new(s->answer, "error", control_text(err.text));
    finish(s);
}

static json_t *patterns_of(const struct sts_facts *facts)
{
    json_t *array = json_array();
    struct span rest = buf_span(&facts->text), mx;
    while (sts_policy_next_mx(&rest, &mx))
        json_array_append_new(array, json_stringn(mx.p, mx.len));
    return array;
}

static json_t *sts_of(const struct sts_facts *facts)
{
    const char *why = facts->why[0] ? facts->why : NULL;
    if (facts->text.len == 0)
        return json_pack("{s:s, s:o?}", "mode", facts->state == STS_FAILED ? "unknown" : "no policy", "why",
                         why ? control_text(why) : NULL);
    char fetched[CLOCK_ISO_SIZE], expires[CLOCK_ISO_SIZE];
    clock_iso(facts->fetched_ms, fetched);
    clock_iso(facts->expires_ms, expires);
    return json_pack("{s:s, s:s, s:s, s:s, s:I, s:o, s:o?}", "mode", sts_mode_word(facts->policy.mode), "id",
                     facts->id, "fetched", fetched, "expires", expires, "max_age",
                     (json_int_t)facts->policy.max_age_s, "mx", patterns_of(facts), "why",
                     why ? control_text(why) : NULL);
}

static void on_sts(void *arg, struct sts_facts *facts)
{
    struct survey *s = arg;
    s->sts_query = NULL;
    s->sts = *facts;
    json_object_set_new(s->answer, "sts", sts_of(facts));
    next_host(s);
}

/* As a delivery does: not where the level would not ask. */
static void find_sts(struct survey *s)
{
    const struct host nothing = {0};
    const struct tls_hop hop = tls_hop_of(s, &nothing);
    struct error err;
    s->sts.state = STS_NONE;
    if (!s->settings->sts || s->route.hops[0].literal ||
        !tls_level_asks_sts(&s->settings->destinations->tls, &hop)) {
        next_host(s);
        return;
    }
    s->sts_query = sts_find(s->settings->sts, s->domain, on_sts, s, &err);
    if (s->sts_query)
        return;
    json_object_set_new(s->answer, "error", control_text(err.text));
    finish(s);
}

static void on_route(void *arg, const struct route *route, const struct result *failure)
{
    struct survey *s = arg;
    s->route_query = NULL;
    if (!route) {
        json_object_set_new(s->answer, "error", control_text(failure->text));
        finish(s);
        return;
    }
    s->route = *route;
    json_object_set_new(s->answer, "secure", json_boolean(route->secure));
    json_object_set_new(s->answer, "implicit_mx", json_boolean(route->implicit));
    find_sts(s);
}

struct survey *survey_start(const struct survey_settings *settings, const char *domain, bool requiretls,
                            survey_done_fn *done, void *arg, struct error *err)
{
    struct survey *s = calloc(1, sizeof *s);
    if (!s) {
        error_set(err, STATUS_TEMPORARY, "out of memory for the lookup");
        return NULL;
    }
    *s = (struct survey){.settings = settings, .requiretls = requiretls, .done = done, .arg = arg};
    s->domain = strdup(domain);
    s->hosts = json_array();
    s->answer = json_pack("{s:b, s:o, s:s, s:o}", "ok", 1, "domain", control_text(domain), "route",
                          settings->destinations->route.route, "hosts", s->hosts);
    if (s->domain && s->answer)
        s->route_query = route_find(settings->base, settings->resolver, &settings->destinations->route,
                                    domain, on_route, s, err);
    else
        error_set(err, STATUS_TEMPORARY, "out of memory for the lookup");
    if (s->route_query)
        return s;
    survey_cancel(s);
    return NULL;
}
