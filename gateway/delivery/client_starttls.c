/* The way from EHLO to a connection that is as private as was demanded. */
#include <stdio.h>

#include "gateway/delivery/client_private.h"

static void set_up(void *arg, SSL *ssl)
{
    struct client *c = arg;
    delivery_tls_prepare(ssl, &c->demand, c->dane.records ? &c->dane : NULL);
}

/* WAY: counted, when it is allowed. */
static void go_on_in_clear(struct client *c, enum tls_way way, const char *why)
{
    if (tls_level_allows_clear(c->demand.level)) {
        client_settle_clear(c, way, why);
        client_enter(c, CLIENT_READY);
    } else
        client_fail_demand(c, "4.7.4", "%s: TLS is required (%s), but %s", c->where, c->policy, why);
}

static void go_on_without_starttls(struct client *c)
{
    client_tell_tls(c, TLSRPT_STARTTLS_NOT_SUPPORTED, "");
    go_on_in_clear(c, TLS_WAY_CLEAR, "the host does not offer STARTTLS");
}

void client_after_ehlo(struct client *c)
{
    if (conn_is_tls(c->conn))
        client_enter(c, CLIENT_READY);
    else if (c->demand.level == TLS_LEVEL_NONE)
        go_on_in_clear(c, TLS_WAY_CLEAR, "no TLS is wanted");
    else if (c->clear)
        go_on_in_clear(c, TLS_WAY_CLEAR_FAILED, "TLS failed");
    else if (c->ehlo.starttls)
        client_enter(c, CLIENT_STARTTLS);
    else
        go_on_without_starttls(c);
}

void client_on_starttls(struct client *c)
{
    struct error err;
    if (c->reply.code == 421) {
        client_fail_text(c, "4.4.2", "%s closed the session at STARTTLS", c->where);
        return;
    }
    if (c->reply.code != 220) {
        char reply[REPLY_TEXT_MAX + 16];
        struct result result;
        outcome_reply(&result, &c->reply);
        snprintf(reply, sizeof reply, "%d %s", c->reply.code, result.text);
        client_tell_tls(c, TLSRPT_STARTTLS_NOT_SUPPORTED, reply);
    }
    if (c->reply.code / 100 == 4 && !tls_level_allows_clear(c->demand.level)) {
        client_fail_text(c, "4.7.4", "%s: TLS is required (%s), but the host cannot start it now", c->where,
                         c->policy);
        return;
    }
    if (c->reply.code != 220) {
        go_on_in_clear(c, TLS_WAY_CLEAR_FAILED, "the host refused STARTTLS");
        return;
    }
    /* Nothing after this is sent or taken in clear (RFC 3207 §4.2, A3). */
    const char *sni = c->dane.records ? c->dane.base : c->host; /* RFC 7672 §8.1 */
    if (conn_start_tls(c->conn, c->settings->tls_context, sni, set_up, &err) != STATUS_OK) {
        client_tell_tls(c, TLSRPT_VALIDATION_FAILURE, err.text);
        client_fail_text(c, "4.7.5", "%s: %s", c->where, err.text);
    } else {
        client_enter(c, CLIENT_HANDSHAKE);
    }
}

void client_on_tls(struct client *c)
{
    enum tls_way way;
    const char *reason;
    const struct tls_dane *dane = c->dane.records ? &c->dane : NULL;
    c->ehlo = (struct ehlo){0};
    enum tlsrpt_result result = delivery_tls_result(conn_ssl(c->conn), &c->demand, dane, &reason);
    client_tell_tls(c, result, reason);
    if (delivery_tls_accept(conn_ssl(c->conn), &c->demand, dane, &way, c->tls_words, sizeof c->tls_words)) {
        client_settle_tls(c, way);
        client_enter(c, CLIENT_EHLO);
    } else {
        client_fail_demand(c, "4.7.5", "%s: the certificate is %s; demanded: %s", c->where, c->tls_words,
                           c->policy);
    }
}
