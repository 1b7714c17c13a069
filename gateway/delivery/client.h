/*
 * The SMTP client: one connection to one host. It connects, reads the greeting, says EHLO, starts TLS as
 * demanded, and then carries one transaction after another.
 *
 * All functions are for the loop's thread. A handler may call any function on its client, client_free too.
 */
#ifndef SEALGATE_DELIVERY_CLIENT_H
#define SEALGATE_DELIVERY_CLIENT_H

#include <openssl/types.h>
#include <sys/socket.h>

#include "gateway/delivery/delivery.h"
#include "gateway/delivery/login.h"
#include "gateway/delivery/tls.h"
#include "gateway/delivery/transaction.h"

struct event_base;
struct client;

struct client_settings {
    const char *hostname; /* for EHLO */
    SSL_CTX *tls_context;
    struct delivery_timeouts timeouts;
    struct credentials credentials; /* for the host of a fixed route, nobody else */
    struct delivery_sources sources;
};

enum client_trouble {
    CLIENT_TROUBLE,       /* anything but: */
    CLIENT_TROUBLE_TLS,   /* TLS could not be set up: where clear is allowed, clear may work */
    CLIENT_TROUBLE_LOGIN, /* the host refused user and password: asked again it would, and lock the account */
};

/* What a connection came to as far as TLS goes, for reports; gone when the handler returns. */
struct client_tls {
    enum tlsrpt_result result; /* of the certificate, where UP */
    bool up;
    const char *reason;     /* may hold bytes that came from outside; "" none */
    const char *sending_ip; /* ours, "" not known */
    const char *receiving_ip;
};

struct client_handler {
    /* Once, where STARTTLS was wanted and its end is known, before the others; the client must stay. May be
     * NULL.
     */
    void (*on_tls)(void *arg, const struct client_tls *tls);
    /* Ready for client_deliver. */
    void (*on_ready)(void *arg);
    /* The transaction is over: every recipient of it has a result. The client is ready for the next. */
    void (*on_sent)(void *arg);
    /* The connection is gone and the client is freed when this returns. Recipients without a result are the
     * owner's; WHY is FAILURE_CONNECTION or FAILURE_REFUSED. */
    void (*on_end)(void *arg, const struct result *why, enum client_trouble trouble);
};

struct client_target {
    const struct sockaddr *address;
    socklen_t address_len;
    const char *host; /* name of the host, copied */
    uint16_t port;
    bool fixed;               /* the administrator chose the host: it cannot refuse us for good */
    struct tls_demand demand; /* its strings must outlive the client, and so must: */
    struct tls_dane dane;     /* records NULL: none */
    bool clear;               /* do not use TLS though it may be offered (it failed before) */
};

/* SETTINGS must outlive the client. NULL (err): it failed at once. */
struct client *client_open(struct event_base *base, const struct client_settings *settings,
                           const struct client_target *target, const struct client_handler *handler,
                           void *arg, struct error *err);

/* Sends T: every open recipient gets a result before on_sent, or is left open by on_end. */
void client_deliver(struct client *client, struct transaction *t);

/* Did TLS fail, and is the connection in clear for that? */
bool client_fell_back(const struct client *client);

/* Keeps the connection for IN_MS, then on_end. */
void client_idle(struct client *client, int64_t in_ms);

/* QUIT, when nothing is under way, and free: no handler is called any more. */
void client_quit(struct client *client);
/* Closes at once and frees. */
void client_abort(struct client *client);

#endif
