/*
 * One HTTPS GET or POST through libcurl on the event loop: verified certificate, HTTP/1.1, no redirect, no
 * proxy, no look-up (the giver knows the addresses), bounded in size and time.
 *
 * Every request has a libcurl handle of its own with all that libcurl remembers, so nothing is left behind.
 */
#ifndef SEALGATE_NET_HTTPS_H
#define SEALGATE_NET_HTTPS_H

#include <openssl/types.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/span.h"

struct event_base;

struct https_wish {
    SSL_CTX *trust;   /* of tls_client_context: the certificate must lead to one of its anchors */
    const char *host; /* in the certificate and Host: */
    uint16_t port;
    const char *path;                         /* "/.well-known/mta-sts.txt" */
    const struct sockaddr_storage *addresses; /* these and no others are connected to */
    size_t n_addresses;
    int64_t timeout_ms; /* all of it together */
    size_t max;         /* bytes of an answer; 0: its body is not kept */
    struct span post;   /* what is posted; empty: it is a GET */
    const char *type;   /* Content-Type of that */
};

enum https_result {
    HTTPS_ANSWERED,   /* whatever its code is */
    HTTPS_FAILED,     /* no connection, no answer in time, too long an answer, no HTTP */
    HTTPS_UNVERIFIED, /* the certificate is not trusted, not valid now or not for the host */
};

struct https_answer {
    enum https_result result;
    int code;                 /* 200 … */
    const char *content_type; /* as the server wrote it; NULL: none */
    struct span body;
    const char *why; /* unless ANSWERED, for people */
};

/* ANSWER is gone when it returns. */
typedef void https_done_fn(void *arg, const struct https_answer *answer);

struct https_request;

/* Before the first request, while there is one thread; then https_clean_up at the end. */
MUST_USE enum status https_prepare(struct error *err);
void https_clean_up(void);

/* DONE is called once, never from inside, unless cancelled. WISH and what it points to may go, but for TRUST.
 * NULL: err. */
struct https_request *https_start(struct event_base *base, const struct https_wish *wish, https_done_fn *done,
                                  void *arg, struct error *err);
void https_cancel(struct https_request *request);

#endif
