/* The connection of a client: opened, read reply by reply, ended. */
#include "gateway/delivery/client.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/delivery/client_private.h"

/* Output is one pipelined group of commands or one piece of the message, never more. */
static const struct conn_limits limits = {.input_max = 4 * REPLY_LINE_MAX, .output_max = 512 << 10};

#define COMMAND_MAX 2048

static void leave(struct client *c)
{
    if (--c->busy > 0 || !c->freed)
        return;
    client_forget_login(c);
    free(c);
}

static void release(struct client *c)
{
    c->busy++;
    c->freed = true;
    leave(c);
}

struct peer client_peer(const struct client *c)
{
    struct peer peer = {.host = c->where, .tls_peer = c->told[0] ? c->told : NULL, .way = c->way};
    if (c->conn && conn_is_tls(c->conn)) {
        peer.tls_version = conn_tls_version(c->conn);
        peer.tls_cipher = conn_tls_cipher(c->conn);
    }
    return peer;
}

void client_settle_tls(struct client *c, enum tls_way way)
{
    c->way = way;
    snprintf(c->told, sizeof c->told, "%s; %s", c->tls_words, c->policy);
}

void client_settle_clear(struct client *c, enum tls_way way, const char *why)
{
    snprintf(c->tls_words, sizeof c->tls_words, "in clear: %s", why);
    client_settle_tls(c, way);
}

void client_write(struct client *c, const char *format, ...)
{
    char line[COMMAND_MAX];
    va_list ap;
    va_start(ap, format);
    int len = vsnprintf(line, sizeof line, format, ap);
    va_end(ap);
    /* A cut command could mean something else: let the connection end without it. */
    if (len < 0 || (size_t)len >= sizeof line)
        client_fail_text(c, "4.3.0", "a command for %s would be too long", c->where);
    else if (c->conn)
        conn_write(c->conn, span_of(line, (size_t)len));
}

/* Once the dot is sent the host may have the message: another must not get it now too. */
static void settle_after_end(struct client *c, const struct result *why)
{
    if (c->state != CLIENT_END || !c->t || c->accepted == 0)
        return;
    struct result later = *why;
    later.failure = FAILURE_TEMPORARY;
    struct peer peer = client_peer(c);
    transaction_fail_accepted(c->t, &later, &peer);
}

/* What names the host again, at the front of TEXT. */
static size_t where_len(const struct client *c, const char *text)
{
    size_t len = strlen(c->where);
    return strncmp(text, c->where, len) == 0 && strncmp(text + len, ": ", 2) == 0 ? len + 2 : 0;
}

void client_fail(struct client *c, const struct result *why)
{
    if (c->freed)
        return;
    enum client_trouble trouble = c->state == CLIENT_HANDSHAKE ? CLIENT_TROUBLE_TLS
                                  : c->login_refused           ? CLIENT_TROUBLE_LOGIN
                                                               : CLIENT_TROUBLE;
    c->busy++;
    if (trouble == CLIENT_TROUBLE_TLS)
        client_tell_tls(c, TLSRPT_VALIDATION_FAILURE, why->text + where_len(c, why->text));
    settle_after_end(c, why);
    if (c->conn)
        conn_abort(c->conn);
    c->conn = NULL;
    c->freed = true;
    c->handler->on_end(c->arg, why, trouble);
    leave(c);
}

void client_fail_text(struct client *c, const char *status, const char *format, ...)
{
    char text[REPLY_TEXT_MAX + 1];
    struct result result;
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    outcome_local(&result, FAILURE_CONNECTION, status, "%s", text);
    client_fail(c, &result);
}

static void say_goodbye(struct client *c)
{
    client_write(c, "QUIT\r\n");
    conn_close(c->conn);
    c->conn = NULL;
}

void client_fail_demand(struct client *c, const char *status, const char *format, ...)
{
    char text[REPLY_TEXT_MAX + 1];
    struct result result;
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    if (c->demand.requiretls)
        outcome_local(&result, FAILURE_REFUSED, "5.7.30", "%s", text);
    else
        outcome_local(&result, FAILURE_CONNECTION, status, "%s", text);
    say_goodbye(c);
    client_fail(c, &result);
}

static void on_open(void *arg, struct conn *conn)
{
    (void)conn;
    struct client *c = arg;
    c->busy++;
    if (c->state == CLIENT_HANDSHAKE)
        client_on_tls(c);
    else
        client_enter(c, CLIENT_GREETING);
    leave(c);
}

/* Of a reply to the message whose first line came, and no right end: all its lines would have had that code
 * (RFC 5321 §4.2.1), and a message that was taken is not to be sent again. */
static void settle_by_first_line(struct client *c)
{
    struct result result;
    struct peer peer = client_peer(c);
    if (c->state != CLIENT_END || !c->t || c->reply.code == 0)
        return;
    outcome_reply(&result, &c->reply);
    if (result.failure != FAILURE_CONNECTION)
        transaction_fail_accepted(c->t, &result, &peer);
}

static void on_data(void *arg, struct conn *conn)
{
    struct client *c = arg;
    c->busy++;
    bool done = true;
    while (!c->freed && done) {
        struct error err;
        size_t taken;
        enum status st = reply_parse(&c->reply, conn_input(conn), &taken, &done, &err);
        conn_consume(conn, taken);
        if (st != STATUS_OK) {
            settle_by_first_line(c);
            client_fail_text(c, "4.5.0", "%s: %s", c->where, err.text);
        } else if (done) {
            client_on_reply(c);
            reply_parse_start(&c->reply);
        }
    }
    leave(c);
}

static void on_drained(void *arg, struct conn *conn)
{
    (void)conn;
    struct client *c = arg;
    c->busy++;
    if (c->state == CLIENT_BODY)
        client_send_more(c);
    leave(c);
}

/* For people, where TLS fails that must be: what demands it; else "". */
static const char *demanded(const struct client *c, char *words, size_t size)
{
    words[0] = '\0';
    if (c->state == CLIENT_HANDSHAKE && !tls_level_allows_clear(c->demand.level))
        snprintf(words, size, "; demanded: %s", c->policy);
    return words;
}

static void on_deadline(void *arg, struct conn *conn)
{
    (void)conn;
    struct client *c = arg;
    char words[520];
    c->busy++;
    if (c->state == CLIENT_READY)
        say_goodbye(c);
    /* Of a host that others' mail may reach in clear only the TLS is missing (outcome_is_tls_trouble). */
    const char *status = c->state == CLIENT_HANDSHAKE && c->demand.by_rule ? "4.7.5" : "4.4.2";
    client_fail_text(c, status, "%s: timed out waiting for %s%s", c->where, client_waits_for(c),
                     demanded(c, words, sizeof words));
    leave(c);
}

static void on_end(void *arg, struct conn *conn, const struct error *why)
{
    (void)conn;
    struct client *c = arg;
    struct result result;
    char words[520];
    bool tls = c->state == CLIENT_HANDSHAKE;
    /* The conn is still whole here, so that the peer's facts can be told; but it frees itself. */
    c->busy++;
    outcome_local(&result, FAILURE_CONNECTION,
                  tls                          ? "4.7.5"
                  : c->state == CLIENT_CONNECT ? "4.4.1"
                                               : "4.4.2",
                  "%s: %s, waiting for %s%s", c->where, why->text, client_waits_for(c),
                  demanded(c, words, sizeof words));
    settle_by_first_line(c);
    settle_after_end(c, &result);
    if (tls)
        client_tell_tls(c, TLSRPT_VALIDATION_FAILURE, why->text);
    c->conn = NULL;
    client_fail(c, &result);
    leave(c);
}

static const struct conn_handler conn_handler = {on_open, on_data, on_drained, on_deadline, on_end};

void client_tell_tls(struct client *c, enum tlsrpt_result result, const char *reason)
{
    char local[CONN_ADDRESS_SIZE] = "", remote[CONN_ADDRESS_SIZE];
    bool wanted = c->demand.level != TLS_LEVEL_NONE && !c->clear;
    if (c->tls_told || !wanted || !c->handler->on_tls || !c->conn)
        return;
    c->tls_told = true;
    conn_local(c->conn, local);
    snprintf(remote, sizeof remote, "%s", conn_peer(c->conn));
    const struct client_tls tls = {result, conn_is_tls(c->conn), reason, local, remote};
    c->handler->on_tls(c->arg, &tls);
}

static const struct sockaddr *source_for(const struct client_settings *settings, const struct sockaddr *to)
{
    const struct sockaddr_storage *source =
        to->sa_family == AF_INET ? &settings->sources.ipv4 : &settings->sources.ipv6;
    return source->ss_family ? (const struct sockaddr *)source : NULL;
}

struct client *client_open(struct event_base *base, const struct client_settings *settings,
                           const struct client_target *target, const struct client_handler *handler,
                           void *arg, struct error *err)
{
    struct client *c = calloc(1, sizeof *c);
    if (!c) {
        error_set(err, STATUS_TEMPORARY, "out of memory for a connection");
        return NULL;
    }
    c->settings = settings;
    c->handler = handler;
    c->arg = arg;
    c->demand = target->demand;
    c->dane = target->dane;
    tls_demand_words(&c->demand, c->policy, sizeof c->policy);
    c->clear = target->clear;
    c->fixed = target->fixed;
    buf_init(&c->login_first, COMMAND_MAX);
    snprintf(c->host, sizeof c->host, "%s", target->host);
    c->conn = conn_connect(base, source_for(settings, target->address), target->address, target->address_len,
                           &conn_handler, c, limits, err);
    if (!c->conn) {
        free(c);
        return NULL;
    }
    snprintf(c->where, sizeof c->where, "%s [%s]:%u", c->host, conn_peer(c->conn), target->port);
    conn_deadline(c->conn, settings->timeouts.connect_ms);
    return c;
}

void client_deliver(struct client *c, struct transaction *t)
{
    c->busy++;
    c->t = t;
    client_enter(c, CLIENT_MAIL);
    leave(c);
}

bool client_fell_back(const struct client *c)
{
    return c->way == TLS_WAY_CLEAR_FAILED;
}

void client_idle(struct client *c, int64_t in_ms)
{
    conn_deadline(c->conn, in_ms);
}

void client_quit(struct client *c)
{
    if (c->conn) {
        if (c->state == CLIENT_READY)
            client_write(c, "QUIT\r\n");
        conn_close(c->conn);
    }
    c->conn = NULL;
    release(c);
}

void client_abort(struct client *c)
{
    if (c->conn)
        conn_abort(c->conn);
    c->conn = NULL;
    release(c);
}
