#include "gateway/tlsrpt/post.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/net/https.h"

#define MEDIA_TYPE "application/tlsrpt+gzip"

struct post {
    const struct post_settings *settings;
    struct tlsrpt_uri uri;
    struct span gzip;
    struct resolver_query *dns;
    struct https_request *https;
    post_done_fn *done;
    void *arg;
};

void post_cancel(struct post *post)
{
    if (post->dns)
        resolver_cancel(post->dns);
    if (post->https)
        https_cancel(post->https);
    free(post);
}

static void finish(struct post *post, const char *why)
{
    char text[ERROR_TEXT_MAX];
    if (why)
        snprintf(text, sizeof text, "%s: %s", post->uri.host, why);
    post->done(post->arg, why ? text : NULL);
    post_cancel(post);
}

static void on_answer(void *arg, const struct https_answer *answer)
{
    struct post *post = arg;
    char why[60];
    post->https = NULL;
    snprintf(why, sizeof why, "the answer is %d, not 2xx", answer->code);
    if (answer->result != HTTPS_ANSWERED)
        finish(post, answer->why);
    else
        finish(post, answer->code / 100 == 2 ? NULL : why);
}

static void on_addresses(void *arg, const struct resolver_answer *answer)
{
    struct post *post = arg;
    const struct post_settings *s = post->settings;
    struct sockaddr_storage addresses[RESOLVER_ADDRESSES_MAX];
    struct error err;
    post->dns = NULL;
    size_t n = answer->state == RESOLVER_FOUND
                   ? networks_keep_allowed(s->networks, s->n_networks, answer->addresses, answer->n_addresses,
                                           addresses)
                   : 0;
    if (n == 0) {
        finish(post, answer->state == RESOLVER_FAILED  ? answer->why
                     : answer->state == RESOLVER_FOUND ? "its address is not a public one; see networks of "
                                                         "tls-reports"
                                                       : "it has no address");
        return;
    }
    const struct https_wish wish = {.trust = s->trust,
                                    .host = post->uri.host,
                                    .port = post->uri.port,
                                    .path = post->uri.path,
                                    .addresses = addresses,
                                    .n_addresses = n,
                                    .timeout_ms = s->timeout_ms,
                                    .post = post->gzip,
                                    .type = MEDIA_TYPE};
    post->https = https_start(s->base, &wish, on_answer, post, &err);
    if (!post->https)
        finish(post, err.text);
}

struct post *post_start(const struct post_settings *settings, const struct tlsrpt_uri *uri, struct span gzip,
                        post_done_fn *done, void *arg, struct error *err)
{
    struct post *post = calloc(1, sizeof *post);
    if (!post) {
        error_set(err, STATUS_TEMPORARY, "out of memory for a TLS report");
        return NULL;
    }
    *post = (struct post){.settings = settings, .uri = *uri, .gzip = gzip, .done = done, .arg = arg};
    post->dns = resolver_addresses(settings->resolver, post->uri.host, on_addresses, post, err);
    if (post->dns)
        return post;
    free(post);
    return NULL;
}
