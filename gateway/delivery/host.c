#include "gateway/delivery/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "gateway/delivery/tls.h"

struct host_query {
    struct resolver *resolver;
    SSL_CTX *tls;
    struct host_wish wish;
    host_found_fn *found;
    void *arg;
    struct resolver_query *dns; /* under way */
    struct host host;
    bool address_secure;
    char canonical[DNS_NAME_SIZE]; /* of the address; "" or the name itself: no alias */
    bool at_canonical;             /* the TLSA records looked for are of that name */
};

void host_free(struct host *host)
{
    free(host->tlsa);
    *host = (struct host){0};
}

void host_literal(const struct hop *hop, struct host *host_out)
{
    *host_out = (struct host){.addresses[0] = hop->address, .n_addresses = 1, .dane = DANE_NONE};
    snprintf(host_out->dane_why, sizeof host_out->dane_why, "an address has no TLSA records");
}

void host_cancel(struct host_query *query)
{
    if (query->dns)
        resolver_cancel(query->dns);
    host_free(&query->host);
    free(query);
}

static void finish(struct host_query *query)
{
    struct host host = query->host;
    query->host.tlsa = NULL;
    query->found(query->arg, &host, NULL);
    host_cancel(query);
}

static void finish_dane(struct host_query *query, enum dane_state state, const char *why)
{
    query->host.dane = state;
    snprintf(query->host.dane_why, sizeof query->host.dane_why, "%s", why);
    finish(query);
}

/* ---- TLSA records ---- */

static void ask_tlsa(struct host_query *query, bool at_canonical);

static void on_tlsa_found(struct host_query *query, const struct tlsa_records *records)
{
    struct host *host = &query->host;
    host->tlsa = tlsa_records_copy(records);
    if (!host->tlsa)
        finish_dane(query, DANE_FAILED, "out of memory for TLSA records");
    else if (delivery_tls_usable(query->tls, host->tlsa) > 0)
        finish_dane(query, DANE_USABLE, "");
    else
        finish_dane(query, DANE_UNUSABLE, "no TLSA record can be used");
}

static void on_tlsa(void *arg, const struct resolver_answer *answer)
{
    struct host_query *query = arg;
    char why[ERROR_TEXT_MAX];
    query->dns = NULL;
    if (answer->state == RESOLVER_FAILED) {
        snprintf(why, sizeof why, "TLSA records: %s", answer->why);
        query->host.tlsa_failed = true;
        finish_dane(query, DANE_FAILED, why);
    } else if (answer->state == RESOLVER_FOUND && answer->secure) {
        on_tlsa_found(query, answer->tlsa);
    } else if (query->at_canonical) {
        ask_tlsa(query, false);
    } else {
        finish_dane(query, DANE_NONE,
                    answer->state == RESOLVER_FOUND ? "the TLSA records are not signed"
                                                    : "the host has no TLSA records");
    }
}

static void ask_tlsa(struct host_query *query, bool at_canonical)
{
    struct error err;
    const struct hop *hop = query->wish.hop;
    query->at_canonical = at_canonical;
    snprintf(query->host.base, sizeof query->host.base, "%s", at_canonical ? query->canonical : hop->host);
    query->dns = resolver_tlsa(query->resolver, query->host.base, hop->port, on_tlsa, query, &err);
    if (!query->dns)
        finish_dane(query, DANE_FAILED, err.text);
}

/*
 * RFC 7672 §2.2.2, §2.2.3: the end of the CNAMEs first where all of them are secure, then the name in the MX
 * record. A host with insecure addresses and no alias is not asked for: servers of unsigned zones often fail
 * at TLSA.
 */
static void start_tlsa(struct host_query *query)
{
    bool alias = query->canonical[0] && strcasecmp(query->canonical, query->wish.hop->host) != 0;
    if (!query->wish.fixed && !query->wish.mx_secure)
        finish_dane(query, DANE_NONE, "the MX record is not signed");
    else if (!query->address_secure && !alias)
        finish_dane(query, DANE_NONE, "the host's address is not signed");
    else
        ask_tlsa(query, alias && query->address_secure);
}

/* Without a trust anchor that works everything looks unsigned: that must not switch DANE off. */
static void on_root_keys(void *arg, const struct resolver_answer *answer)
{
    struct host_query *query = arg;
    char why[ERROR_TEXT_MAX];
    query->dns = NULL;
    if (answer->state == RESOLVER_FOUND && answer->secure) {
        start_tlsa(query);
        return;
    }
    snprintf(why, sizeof why, "the DNSSEC trust anchor does not work: %s",
             answer->state == RESOLVER_FAILED ? answer->why : "the root's keys do not come back secure");
    finish_dane(query, DANE_FAILED, why);
}

/* ---- addresses ---- */

static void fail(struct host_query *query, enum failure_class failure, const char *status, const char *why)
{
    struct result result;
    outcome_local(&result, failure, status, "%s: %s", query->wish.hop->host, why);
    query->found(query->arg, NULL, &result);
    host_cancel(query);
}

static void on_addresses_found(struct host_query *query, const struct resolver_answer *answer)
{
    struct error err;
    memcpy(query->host.addresses, answer->addresses, sizeof query->host.addresses);
    query->host.n_addresses = answer->n_addresses;
    memcpy(query->canonical, answer->canonical, sizeof query->canonical);
    query->address_secure = answer->secure;
    if (!query->wish.dane) {
        finish(query);
        return;
    }
    query->dns = resolver_root_keys(query->resolver, on_root_keys, query, &err);
    if (!query->dns)
        finish_dane(query, DANE_FAILED, err.text);
}

static void on_addresses(void *arg, const struct resolver_answer *answer)
{
    struct host_query *query = arg;
    query->dns = NULL;
    /* A smarthost without an address is the administrator's mistake, not the recipient's. */
    if (answer->state == RESOLVER_FOUND && answer->n_addresses > 0)
        on_addresses_found(query, answer);
    else if (answer->state == RESOLVER_FOUND)
        fail(query, FAILURE_CONNECTION, "4.4.3", "the resolver found the host, but no address");
    else if (answer->state == RESOLVER_FAILED)
        fail(query, FAILURE_CONNECTION, "4.4.3", answer->why);
    else if (query->wish.fixed)
        fail(query, FAILURE_CONNECTION, "4.4.4", "the host of the delivery route has no address");
    else
        fail(query, FAILURE_REFUSED, "5.4.4", "the host has no address");
}

struct host_query *host_find(struct resolver *resolver, SSL_CTX *tls, const struct host_wish *wish,
                             host_found_fn *found, void *arg, struct error *err)
{
    struct host_query *query = calloc(1, sizeof *query);
    if (!query) {
        error_set(err, STATUS_TEMPORARY, "out of memory for a host");
        return NULL;
    }
    *query = (struct host_query){.resolver = resolver, .tls = tls, .wish = *wish, .found = found, .arg = arg};
    query->dns = resolver_addresses(resolver, wish->hop->host, on_addresses, query, err);
    if (query->dns)
        return query;
    free(query);
    return NULL;
}
