/* The dialog: for each state what is sent on entering it, and what its reply leads to. */
#include <stdio.h>
#include <string.h>

#include "gateway/delivery/client_private.h"

static bool is_2xx(const struct client *c)
{
    return c->reply.code / 100 == 2;
}

/* Said in clear where TLS is demanded, it may be anybody's word. */
static bool may_be_forged(const struct client *c)
{
    return !conn_is_tls(c->conn) && !tls_level_allows_clear(c->demand.level);
}

static void fail_session(struct client *c)
{
    struct result result;
    outcome_session_reply(&result, &c->reply);
    snprintf(result.host, sizeof result.host, "%s", c->where);
    if (c->fixed || may_be_forged(c))
        outcome_not_final(&result, FAILURE_CONNECTION);
    client_fail(c, &result);
}

/* ---- greeting, EHLO ---- */

static void on_greeting(struct client *c)
{
    if (c->reply.code == 220)
        client_enter(c, CLIENT_EHLO);
    else
        fail_session(c);
}

static void enter_ehlo(struct client *c)
{
    client_write(c, "EHLO %s\r\n", c->settings->hostname);
}

/* RFC 5321 §5.1, what names in MX records alone do not show: behind this one it is us. */
static bool is_ourselves(const struct client *c)
{
    struct span name = span_of(c->reply.text, c->reply.len);
    for (size_t i = 0; i < name.len; i++)
        if (name.p[i] == ' ' || name.p[i] == '\n')
            name.len = i;
    return !c->fixed && span_is(name, c->settings->hostname);
}

static void fail_loop(struct client *c)
{
    struct result result;
    outcome_local(&result, FAILURE_REFUSED, "5.4.6", "%s calls itself %s, as this gateway: mail would loop",
                  c->where, c->settings->hostname);
    client_fail(c, &result);
}

static void go_on_without_ehlo(struct client *c)
{
    client_tell_tls(c, TLSRPT_STARTTLS_NOT_SUPPORTED, "the host does not know EHLO");
    if (tls_level_allows_clear(c->demand.level)) {
        client_settle_clear(c, TLS_WAY_CLEAR, "the host does not know EHLO");
        client_enter(c, CLIENT_HELO); /* RFC 5321 §3.2 */
    } else {
        client_fail_demand(c, "4.7.4", "%s: TLS is required (%s), but the host refused EHLO", c->where,
                           c->policy);
    }
}

/* RFC 5321 §3.2, §4.1.4. Any other 5xx is said of us, not of EHLO. */
static bool does_not_know_ehlo(int code)
{
    return code == 500 || code == 501 || code == 502 || code == 504;
}

static void on_ehlo(struct client *c)
{
    if (is_2xx(c) && is_ourselves(c) && !may_be_forged(c)) {
        fail_loop(c);
    } else if (is_2xx(c)) {
        ehlo_parse(span_of(c->reply.text, c->reply.len), &c->ehlo);
        client_after_ehlo(c);
    } else if (does_not_know_ehlo(c->reply.code) && !conn_is_tls(c->conn)) {
        go_on_without_ehlo(c);
    } else {
        fail_session(c);
    }
}

static void enter_helo(struct client *c)
{
    client_write(c, "HELO %s\r\n", c->settings->hostname);
}

static void on_helo(struct client *c)
{
    if (is_2xx(c))
        client_enter(c, CLIENT_READY);
    else
        fail_session(c);
}

static void enter_starttls(struct client *c)
{
    client_write(c, "STARTTLS\r\n");
}

/* ---- between transactions ---- */

static void enter_ready(struct client *c)
{
    c->t = NULL;
    if (c->ready_told) {
        c->handler->on_sent(c->arg);
    } else if (client_must_log_in(c)) {
        client_log_in(c);
    } else {
        c->ready_told = true;
        c->handler->on_ready(c->arg);
    }
}

/* The host speaks though it was not asked: it is about to close, or confused. */
static void on_unasked(struct client *c)
{
    struct result result;
    outcome_session_reply(&result, &c->reply);
    result.failure = FAILURE_CONNECTION;
    client_fail(c, &result);
}

static void enter_rset(struct client *c)
{
    client_write(c, "RSET\r\n");
}

static void on_rset(struct client *c)
{
    if (is_2xx(c))
        client_enter(c, CLIENT_READY);
    else
        on_unasked(c);
}

/* ---- MAIL ---- */

static void start_transaction(struct client *c)
{
    c->pipelined = c->ehlo.pipelining;
    c->refused = false;
    c->rcpt_at = 0;
    c->accepted = 0;
    c->body_at = 0;
    for (size_t i = 0; i < c->t->n; i++) {
        struct recipient *r = c->t->recipients[i];
        r->asked = r->accepted = r->unfit = r->next_turn = false;
    }
}

static void enter_mail(struct client *c)
{
    start_transaction(c);
    if (!client_can_take(c)) {
        client_enter(c, CLIENT_READY);
        return;
    }
    client_write_mail(c);
    if (!c->pipelined)
        return;
    for (size_t i = 0; !c->freed && i < c->t->n; i++)
        if (client_asks_for(c->t->recipients[i]))
            client_write_rcpt(c, c->t->recipients[i]);
    if (!c->freed && !c->ehlo.chunking)
        client_write(c, "DATA\r\n"); /* RFC 2920 §3.1: last in its group */
}

/* RFC 4954 §6: the host wants us to authenticate; whoever the message is for. */
static bool wants_authentication(int code)
{
    return code == 530 || code == 534 || code == 535 || code == 538;
}

/* RFC 3207 §4: the host takes nothing without TLS, which failed this time. */
static bool wants_tls(const struct client *c)
{
    return c->way == TLS_WAY_CLEAR_FAILED &&
           (c->reply.code == 530 || strcmp(c->reply.enhanced, "5.7.0") == 0 ||
            strcmp(c->reply.enhanced, "5.7.10") == 0);
}

static void read_result(const struct client *c, struct result *result)
{
    outcome_reply(result, &c->reply);
    if ((c->fixed && wants_authentication(c->reply.code)) || wants_tls(c))
        outcome_not_final(result, FAILURE_TEMPORARY);
}

/* The reply that ends hope for what it is about. False: the connection is over, C may not be used. */
static bool take_refusal(struct client *c, struct result *result)
{
    read_result(c, result);
    /* 421: the host closes (RFC 5321 §3.8); 2xx or 3xx at the wrong place: it does not follow. */
    if (c->reply.code != 421 && result->failure != FAILURE_CONNECTION && result->failure != FAILURE_NONE)
        return true;
    result->failure = FAILURE_CONNECTION;
    client_fail(c, result);
    return false;
}

static void on_mail(struct client *c)
{
    struct result result;
    struct peer peer = client_peer(c);
    if (is_2xx(c)) {
        client_enter(c, CLIENT_RCPT);
        return;
    }
    if (!take_refusal(c, &result))
        return;
    if (result.failure == FAILURE_TEMPORARY)
        transaction_put_off_all(c->t, &result, &peer);
    else
        transaction_fail(c->t, &result, &peer);
    c->refused = true;
    client_enter(c, c->pipelined ? CLIENT_RCPT : CLIENT_READY);
}

/* ---- RCPT ---- */

/* BDAT is itself the message, so it is sent only to somebody; DATA was pipelined whatever comes of RCPT. */
static enum client_state after_rcpt(const struct client *c)
{
    if (c->ehlo.chunking)
        return c->accepted > 0 ? CLIENT_BODY : CLIENT_RSET;
    return c->pipelined || c->accepted > 0 ? CLIENT_DATA : CLIENT_RSET;
}

static void enter_rcpt(struct client *c)
{
    struct recipient **r = c->t->recipients;
    while (c->rcpt_at < c->t->n && (c->pipelined ? !r[c->rcpt_at]->asked : !client_asks_for(r[c->rcpt_at])))
        c->rcpt_at++;
    if (c->rcpt_at == c->t->n)
        client_enter(c, after_rcpt(c));
    else if (!c->pipelined)
        client_write_rcpt(c, r[c->rcpt_at]);
}

/* RFC 5321 §4.5.3.1.10: the rest goes behind those that were taken, and 552 is to be read as 452. */
static bool says_too_many(const struct client *c)
{
    const char *enhanced = c->reply.enhanced;
    return (c->reply.code == 452 || c->reply.code == 552) && c->accepted > 0 &&
           (enhanced[0] == '\0' || strcmp(enhanced + 1, ".5.3") == 0);
}

/* False: the connection is over, C may not be used. */
static bool rcpt_refused(struct client *c, struct recipient *r)
{
    struct result result;
    struct peer peer = client_peer(c);
    if (!take_refusal(c, &result))
        return false;
    if (c->refused)
        return true;
    r->next_turn = says_too_many(c);
    if (r->next_turn)
        outcome_not_final(&result, FAILURE_TEMPORARY);
    if (result.failure == FAILURE_TEMPORARY)
        transaction_put_off(r, &result, &peer);
    else
        transaction_result(r, &result, &peer);
    return true;
}

static void on_rcpt(struct client *c)
{
    struct recipient *r = c->t->recipients[c->rcpt_at++];
    if (is_2xx(c) && !c->refused) {
        r->accepted = true;
        c->accepted++;
    } else if (!is_2xx(c) && !rcpt_refused(c, r)) {
        return;
    }
    client_enter(c, CLIENT_RCPT);
}

/* ---- DATA ---- */

static void enter_data(struct client *c)
{
    if (!c->pipelined)
        client_write(c, "DATA\r\n");
}

/* Those it took; what it has to say of the message counts for no next turn of the others. */
static void fail_accepted(struct client *c, const struct result *result, const struct peer *peer)
{
    if (result->failure == FAILURE_TEMPORARY && c->state == CLIENT_DATA) {
        for (size_t i = 0; i < c->t->n; i++)
            if (c->t->recipients[i]->accepted)
                transaction_put_off(c->t->recipients[i], result, peer);
    } else {
        transaction_fail_accepted(c->t, result, peer);
    }
    for (size_t i = 0; i < c->t->n && result->failure != FAILURE_NONE; i++)
        c->t->recipients[i]->next_turn = false;
}

static void on_data_reply(struct client *c)
{
    struct result result;
    struct peer peer = client_peer(c);
    if (c->reply.code == 354 && c->accepted > 0) {
        client_enter(c, CLIENT_BODY);
    } else if (c->reply.code == 354 && c->refused) {
        /* MAIL refused and DATA not: whatever it takes next, it must not get. */
        client_fail_text(c, "4.5.0", "%s refused MAIL but not DATA", c->where);
    } else if (c->reply.code == 354) {
        /* RFC 2920 §3.1: all recipients were refused, DATA was not; an empty message to nobody ends it. */
        client_write(c, ".\r\n");
        client_enter(c, CLIENT_END);
    } else if (take_refusal(c, &result)) {
        fail_accepted(c, &result, &peer);
        client_enter(c, CLIENT_RSET);
    }
}

/* A reply before the dot: no more of the message is wanted, and the dialog is out of step. */
static void on_early(struct client *c)
{
    struct result result;
    struct peer peer = client_peer(c);
    if (!take_refusal(c, &result))
        return;
    fail_accepted(c, &result, &peer);
    result.failure = FAILURE_CONNECTION;
    client_fail(c, &result);
}

static void on_end_of_data(struct client *c)
{
    struct result result;
    struct peer peer = client_peer(c);
    read_result(c, &result);
    if (result.failure == FAILURE_CONNECTION) {
        client_fail(c, &result);
        return;
    }
    fail_accepted(c, &result, &peer);
    /* A refused BDAT leaves the transaction open (RFC 3030 §2). */
    client_enter(c, c->ehlo.chunking && result.failure != FAILURE_NONE ? CLIENT_RSET : CLIENT_READY);
}

/* ---- the table ---- */

static const struct {
    const char *waits_for;
    void (*enter)(struct client *c);
    void (*on_reply)(struct client *c);
} states[CLIENT_STATES] = {
    [CLIENT_CONNECT] = {"the connection", NULL, on_unasked},
    [CLIENT_GREETING] = {"the greeting", NULL, on_greeting},
    [CLIENT_EHLO] = {"the reply to EHLO", enter_ehlo, on_ehlo},
    [CLIENT_HELO] = {"the reply to HELO", enter_helo, on_helo},
    [CLIENT_STARTTLS] = {"the reply to STARTTLS", enter_starttls, client_on_starttls},
    [CLIENT_HANDSHAKE] = {"the TLS handshake", NULL, on_unasked},
    [CLIENT_LOGIN] = {"the reply to AUTH", NULL, client_on_login},
    [CLIENT_READY] = {"the next message", enter_ready, on_unasked},
    [CLIENT_MAIL] = {"the reply to MAIL", enter_mail, on_mail},
    [CLIENT_RCPT] = {"the reply to RCPT", enter_rcpt, on_rcpt},
    [CLIENT_DATA] = {"the reply to DATA", enter_data, on_data_reply},
    [CLIENT_BODY] = {"the message to be taken", client_start_body, on_early},
    [CLIENT_END] = {"the reply to the end of data", NULL, on_end_of_data},
    [CLIENT_RSET] = {"the reply to RSET", enter_rset, on_rset},
};

const char *client_waits_for(const struct client *c)
{
    return states[c->state].waits_for;
}

static int64_t deadline_ms(const struct client *c)
{
    switch (c->state) {
    case CLIENT_GREETING:
        return c->settings->timeouts.greeting_ms;
    case CLIENT_HANDSHAKE:
        return c->settings->timeouts.handshake_ms;
    case CLIENT_BODY:
        return c->settings->timeouts.data_ms; /* for each piece: client_send_more */
    case CLIENT_END:
        return c->settings->timeouts.end_of_data_ms;
    case CLIENT_READY:
        return 0; /* the owner says how long: client_idle */
    default:
        return c->settings->timeouts.command_ms;
    }
}

/*
 * Does the host say something before it is told what this state tells it? Then its replies are out of step:
 * one of them would be taken for the answer to another command, and a message for delivered that is not.
 */
static bool is_out_of_turn(const struct client *c, enum client_state state)
{
    switch (state) {
    case CLIENT_EHLO:
    case CLIENT_HELO:
    case CLIENT_STARTTLS:
    case CLIENT_LOGIN:
    case CLIENT_MAIL:
    case CLIENT_BODY:
    case CLIENT_RSET:
        return conn_input(c->conn).len > 0;
    case CLIENT_RCPT:
    case CLIENT_DATA:
        return !c->pipelined && conn_input(c->conn).len > 0;
    default:
        return false;
    }
}

void client_enter(struct client *c, enum client_state state)
{
    if (c->freed)
        return;
    if (is_out_of_turn(c, state)) {
        client_fail_text(c, "4.5.0", "%s said more than it was asked", c->where);
        return;
    }
    c->state = state;
    conn_deadline(c->conn, deadline_ms(c));
    if (states[state].enter)
        states[state].enter(c);
}

void client_on_reply(struct client *c)
{
    states[c->state].on_reply(c);
}
