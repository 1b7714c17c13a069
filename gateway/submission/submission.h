/*
 * The submission role: an SMTP server (RFC 6409) that does nothing before TLS. Event loop; holds client
 * sockets and the TLS key.
 */
#ifndef SEALGATE_SUBMISSION_SUBMISSION_H
#define SEALGATE_SUBMISSION_SUBMISSION_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "gateway/net/network.h"
#include "gateway/policy/policy.h"

struct tickets;

/* One that relays without a password. Known by its networks, or by its certificates; by both when both are
 * given. */
struct submission_client {
    const char *name;
    const struct network *networks;
    size_t n_networks;
    char *const *certificates; /* net/peer_pattern.h */
    size_t n_certificates;
    char *const *send_as; /* policy/sender.h; none: nobody's address */
    size_t n_send_as;
};

struct submission_listener {
    const char *name; /* as configured: "[::]:465" */
    int fd;           /* bound and listening; closed by submission_run when it takes no more connections */
    bool implicit_tls;
    bool normalizes_line_ends; /* a bare CR or LF in a message becomes CRLF instead of a refusal */
    const struct submission_client *const *clients; /* that may relay here; the first that it is counts */
    size_t n_clients;
    struct network *proxies; /* whose connections begin with a PROXY header; NULL: none */
    size_t n_proxies;
};

/* Is there any rate that could apply to a user, or to a relay client? If not, auth is not asked. */
struct submission_rates {
    bool user_messages, user_recipients;
    bool client_messages, client_recipients;
};

struct submission_limits {
    size_t message_max;               /* bytes, announced as SIZE; default 50 MB (52428800) */
    size_t in_hand_max;               /* bytes of all messages being received or sealed, per process; over it
                                         452 4.3.1; 0: no limit */
    unsigned recipients_max;          /* per transaction, default 1000 */
    unsigned sessions_max;            /* per process, default 1000 */
    unsigned sessions_per_client_max; /* per client address, default 50 */
    unsigned sessions_per_user_max;   /* per authenticated user, default 50 */
    unsigned transactions_max;        /* per session, default 1000 */
    unsigned bad_commands_max;        /* then 421 and close, default 20 */
    unsigned auth_failures_max;       /* per session, then 421 and close, default 3 */
    int64_t greeting_delay_ms;        /* before the greeting, default 0: who speaks meanwhile is refused */
    int64_t handshake_ms;             /* default 30 s */
    int64_t command_ms;     /* from reply to the whole next command, default 5 min (RFC 5321 §4.5.3.2.7) */
    int64_t data_ms;        /* for a whole message, default 10 min + size allowance is up to the module */
    int64_t before_auth_ms; /* from connect to AUTH success, default 2 min */
    int64_t keys_ms;        /* budget for a certificate lookup at RCPT, default 5 s */
    int64_t auth_ms;        /* until auth takes a request, default 10 s */
    int64_t auth_total_ms;  /* until its answer, which may wait for a backend and for a guesser's turn */
    int64_t busy_ms;        /* until a seal worker takes the message, default 20 s */
    int64_t seal_ms;        /* until the reply after the end of data, default 120 s */
    int64_t drain_ms;       /* after SIGTERM, default 30 s */
    struct submission_rates rates;
};

struct submission_settings {
    const struct log *log;
    const char *hostname;
    const struct submission_listener *listeners;
    size_t n_listeners;
    SSL_CTX *tls;
    struct tickets *tickets; /* rotated while the role runs; NULL: none */
    const struct policy_settings *policy;
    unsigned mechanisms; /* for AUTH: a set of gateway/jobs/sasl_mechanism.h, as auth has it */
    struct submission_limits limits;
    int auth_service; /* client ends of the services */
    int seal_service;
    int keys_service;
    int queue_service; /* QUEUE_REFUSED only */
};

/*
 * Runs until SIGTERM and the drain that follows (no new connections, transactions in hand end, the rest gets
 * 421); or, after SIGHUP, until the last of the sessions that are there has ended, an hour at most. Returns
 * the exit code.
 */
int submission_run(const struct submission_settings *settings);

#endif
