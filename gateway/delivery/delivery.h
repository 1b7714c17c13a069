/* The delivery role: an SMTP client. Event loop; holds sealed bodies, the spool key (for what a rule sends
 * clear) and the network. */
#ifndef SEALGATE_DELIVERY_DELIVERY_H
#define SEALGATE_DELIVERY_DELIVERY_H

#include <openssl/types.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/log.h"
#include "gateway/delivery/login.h"
#include "gateway/message/spool.h"
#include "gateway/net/network.h"
#include "gateway/net/resolver.h"
#include "gateway/policy/tls_level.h"

struct tlsrpt_settings;

struct delivery_timeouts { /* RFC 5321 §4.5.3.2 */
    int64_t connect_ms, handshake_ms, greeting_ms, command_ms, data_ms, end_of_data_ms;
};

/* Where connections come from; ss_family 0: wherever the system says. */
struct delivery_sources {
    struct sockaddr_storage ipv4, ipv6;
};

struct delivery_settings {
    const struct log *log;
    const char *hostname; /* EHLO, DSN */
    const char *route;    /* "mx" or "[host]:port"; host may be an IP literal */
    uint16_t mx_port;     /* 25; tests use another */
    struct tls_level_settings tls;
    SSL_CTX *tls_context;
    struct credentials credentials; /* for the host of a fixed route */
    struct delivery_sources sources;
    const char *sts_path; /* database, where tls has mta_sts */
    uint16_t sts_port;    /* 443; tests use another */
    int64_t sts_timeout_ms;
    const struct network *sts_networks; /* a policy host may be there though they are not public */
    size_t n_sts_networks;
    /* Log, hostname, loop, resolver, trust, spool key and service in it are the role's own. NULL: none are
     * sent. */
    const struct tlsrpt_settings *reports;
    struct resolver_settings resolver;
    struct spool_key spool_key;
    unsigned window;                    /* leases at once, default 200 */
    unsigned per_destination;           /* connections per destination, default 10 */
    unsigned deliveries_per_connection; /* default 100 */
    int64_t idle_ms;                    /* a connection is kept for reuse so long, default 5 s */
    struct delivery_timeouts timeouts;
    int64_t drain_ms;
    int64_t delay_warning_ms; /* the sender of what waits longer is told so, once; 0: never */
    int queue_service;        /* client end: QUEUE_ATTACH */
    int store_service;        /* client end: QUEUE_STORE; for REPORTS */
    int control_service;      /* server end: CONTROL_REQUEST (control.h) */
};

int delivery_run(const struct delivery_settings *settings);

#endif
