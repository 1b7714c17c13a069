#include "gateway/delivery/sts_fetch.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/net/https.h"

#define PATH "/.well-known/mta-sts.txt"
#define MEDIA_TYPE "text/plain"

struct sts_fetch {
    const struct sts_fetch_settings *settings;
    char host[DNS_NAME_SIZE + 8];
    struct resolver_query *dns;
    struct https_request *https;
    sts_fetched_fn *done;
    void *arg;
};

void sts_fetch_cancel(struct sts_fetch *fetch)
{
    if (fetch->dns)
        resolver_cancel(fetch->dns);
    if (fetch->https)
        https_cancel(fetch->https);
    free(fetch);
}

static void fail(struct sts_fetch *fetch, enum sts_fetch_result result, const char *why)
{
    char text[ERROR_TEXT_MAX];
    snprintf(text, sizeof text, "%s: %s", fetch->host, why);
    const struct sts_fetched fetched = {.result = result, .why = text};
    fetch->done(fetch->arg, &fetched);
    sts_fetch_cancel(fetch);
}

static bool is_media_type(const char *content_type)
{
    if (!content_type)
        return false;
    size_t len = strcspn(content_type, "; \t");
    return span_is(span_of(content_type, len), MEDIA_TYPE);
}

static void on_answer(void *arg, const struct https_answer *answer)
{
    struct sts_fetch *fetch = arg;
    struct sts_fetched fetched = {.result = STS_FETCHED, .text = answer->body};
    struct error err;
    fetch->https = NULL;
    if (answer->result != HTTPS_ANSWERED) {
        fail(fetch, answer->result == HTTPS_UNVERIFIED ? STS_FETCH_WEBPKI : STS_FETCH_ERROR, answer->why);
        return;
    }
    if (answer->code != 200) {
        snprintf(err.text, sizeof err.text, "the answer is %d, not 200", answer->code);
        fail(fetch, STS_FETCH_ERROR, err.text);
    } else if (!is_media_type(answer->content_type)) {
        fail(fetch, STS_FETCH_INVALID, "the answer is not " MEDIA_TYPE);
    } else if (sts_policy_parse(answer->body, &fetched.policy, &err) != STATUS_OK) {
        fail(fetch, STS_FETCH_INVALID, err.text);
    } else {
        fetch->done(fetch->arg, &fetched);
        sts_fetch_cancel(fetch);
    }
}

static void on_addresses(void *arg, const struct resolver_answer *answer)
{
    struct sts_fetch *fetch = arg;
    const struct sts_fetch_settings *settings = fetch->settings;
    struct sockaddr_storage addresses[RESOLVER_ADDRESSES_MAX];
    struct error err;
    fetch->dns = NULL;
    size_t n = answer->state == RESOLVER_FOUND
                   ? networks_keep_allowed(settings->networks, settings->n_networks, answer->addresses,
                                           answer->n_addresses, addresses)
                   : 0;
    if (n == 0) {
        fail(fetch, STS_FETCH_ERROR,
             answer->state == RESOLVER_FAILED  ? answer->why
             : answer->state == RESOLVER_FOUND ? "its address is not a public one; see mta-sts-networks"
                                               : "it has no address");
        return;
    }
    const struct https_wish wish = {.trust = settings->trust,
                                    .host = fetch->host,
                                    .port = settings->port,
                                    .path = PATH,
                                    .addresses = addresses,
                                    .n_addresses = n,
                                    .timeout_ms = settings->timeout_ms,
                                    .max = STS_POLICY_MAX};
    fetch->https = https_start(settings->base, &wish, on_answer, fetch, &err);
    if (!fetch->https)
        fail(fetch, STS_FETCH_LOCAL, err.text);
}

struct sts_fetch *sts_fetch_start(const struct sts_fetch_settings *settings, const char *domain,
                                  sts_fetched_fn *done, void *arg, struct error *err)
{
    struct sts_fetch *fetch = calloc(1, sizeof *fetch);
    if (!fetch) {
        error_set(err, STATUS_TEMPORARY, "out of memory for an MTA-STS policy");
        return NULL;
    }
    *fetch = (struct sts_fetch){.settings = settings, .done = done, .arg = arg};
    snprintf(fetch->host, sizeof fetch->host, "mta-sts.%s", domain);
    fetch->dns = resolver_addresses(settings->resolver, fetch->host, on_addresses, fetch, err);
    if (fetch->dns)
        return fetch;
    free(fetch);
    return NULL;
}
