/*
 * What became of a recipient. Everybody else in delivery only says which class a failure belongs to; here,
 * and nowhere else, that becomes delivered, deferred or bounced. A 4xx, silence, DNS or TLS trouble is never
 * a bounce before the message is too old.
 */
#ifndef SEALGATE_DELIVERY_OUTCOME_H
#define SEALGATE_DELIVERY_OUTCOME_H

#include <stdint.h>

#include "gateway/jobs/queue_job.h"
#include "gateway/wire/reply_parse.h"

enum failure_class {
    FAILURE_UNSET,      /* nobody said what became of it: a bug. Never "delivered". */
    FAILURE_NONE,       /* the next hop said 2xx: it has the message */
    FAILURE_TEMPORARY,  /* it said 4xx about this recipient or message, or we cannot do it now */
    FAILURE_PERMANENT,  /* it said 5xx about it, or it can never go there */
    FAILURE_CONNECTION, /* no usable connection to this host (silence, DNS, TLS, garbage, 4xx greeting): the
                           next host of the route may do, else later */
    FAILURE_REFUSED,    /* this host will never take mail from us (5xx greeting, no address): the next may;
                           permanent    when all hosts of the route do so */
    FAILURE_RETURN,     /* a rule wants it returned to the sender */
};

#define STATUS_CODE_SIZE 12  /* "5.7.500" and NUL */
#define RESULT_HOST_SIZE 400 /* "mx.example.org [192.0.2.1]:25" and NUL */

struct result {
    enum failure_class failure;
    char status[STATUS_CODE_SIZE]; /* RFC 3463 */
    char text[REPLY_TEXT_MAX + 1]; /* reply of the next hop, or our reason; printable ASCII */
    bool is_reply;                 /* the first of the two */
    char host[RESULT_HOST_SIZE];   /* whose reply it is, where no peer is told beside it; "" none */
};

/* A result of our own; the text is escaped. */
void outcome_local(struct result *r, enum failure_class failure, const char *status, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* What the next hop's reply to MAIL, RCPT, DATA or the end of data means: 2xx, 4xx, 5xx; any other code was
 * not to be expected there and is FAILURE_CONNECTION. */
void outcome_reply(struct result *r, const struct reply_parser *reply);

/* The same for replies to the session as a whole (greeting, EHLO): 4xx is FAILURE_CONNECTION, 5xx
 * FAILURE_REFUSED. */
void outcome_session_reply(struct result *r, const struct reply_parser *reply);

/*
 * What the host of a fixed route has against this gateway as such is a mistake in the configuration of one of
 * the two, no fault of a recipient's: a permanent failure becomes FAILURE, a temporary one.
 */
void outcome_not_final(struct result *r, enum failure_class failure);

/* Adds what one host of a route did to the SUM over the hosts before (failure FAILURE_UNSET at first): one
 * host that may do later outweighs any that refuse. */
void outcome_add_host(struct result *sum, const struct result *host);

/* The decision. A temporary failure of a message that is older than EXPIRES_MS becomes a bounce; R then says
 * so, and is permanent. FAILURE_UNSET is a temporary failure. */
enum delivery_outcome outcome_decide(struct result *r, int64_t now_ms, int64_t expires_ms);

/* Was it the TLS that is demanded of the host which could not be had? */
bool outcome_is_tls_trouble(const struct result *r);

#endif
