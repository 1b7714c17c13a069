/*
 * Logging in to a smarthost (RFC 4954). The password leaves only over TLS whose certificate proves that the
 * host is the one of the route, whatever less the TLS level would be content with. What goes wrong here is
 * the administrators' to mend, no recipient's fault: mail waits.
 */
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>

#include "gateway/delivery/client_private.h"
#include "gateway/wire/base64.h"

/* RFC 4954 §4: AUTH with an initial response is a command line as any (RFC 5321 §4.5.3.1.4). */
#define AUTH_LINE_MAX 512
/* A password of 1023 bytes and a name fit in base64. */
#define RESPONSE_MAX 4096

/* COMMAND, then RESPONSE as base64. */
static void send_line(struct client *c, struct span command, struct span response)
{
    struct buf line;
    buf_init(&line, 2 * RESPONSE_MAX);
    buf_append_span(&line, command);
    base64_encode(response, &line);
    buf_append_str(&line, "\r\n");
    if (line.failed)
        client_fail_text(c, "4.3.0", "the login for %s is too long", c->where);
    else
        conn_write(c->conn, buf_span(&line));
    buf_free(&line);
}

static bool step(struct client *c, struct span challenge, struct buf *response)
{
    struct error err;
    if (login_step(c->login, challenge, response, &err) == STATUS_OK)
        return true;
    client_fail_text(c, "4.7.8",
                     "%s: %s; delivery user and password-file do not fit the host, or it is not the one it "
                     "claims to be",
                     c->where, err.text);
    return false;
}

/* RFC 4954 §4: the initial response goes with AUTH where the line can hold it. */
static void begin(struct client *c)
{
    char command[40];
    struct buf response;
    int len = snprintf(command, sizeof command, "AUTH %s ", login_mechanism(c->login));
    buf_init(&response, RESPONSE_MAX);
    if (step(c, span_of(NULL, 0), &response)) {
        c->login_waits = (size_t)len + (response.len + 2) / 3 * 4 + 2 > AUTH_LINE_MAX;
        if (c->login_waits) {
            client_write(c, "AUTH %s\r\n", login_mechanism(c->login));
            buf_append_span(&c->login_first, buf_span(&response));
        } else {
            send_line(c, span_of(command, (size_t)len), buf_span(&response));
        }
    }
    buf_free(&response);
}

/* Whatever was demanded of the TLS: seen here once more, for nothing is worth more to a thief. */
static bool is_proven_host(const struct client *c)
{
    SSL *ssl = conn_ssl(c->conn);
    X509 *cert = ssl ? SSL_get0_peer_certificate(ssl) : NULL;
    return cert && SSL_get_verify_result(ssl) == X509_V_OK && delivery_tls_is_for(cert, c->host);
}

bool client_must_log_in(const struct client *c)
{
    return c->settings->credentials.user && c->fixed && !c->logged_in;
}

/* Bound to this TLS connection where it can be. */
static bool start(struct client *c)
{
    unsigned char exporter[CONN_EXPORTER_SIZE];
    struct error err;
    bool has_exporter = conn_tls_exporter(c->conn, exporter);
    enum status st =
        login_start(&c->settings->credentials, &c->ehlo,
                    span_of((char *)exporter, has_exporter ? sizeof exporter : 0), &c->login, &err);
    explicit_bzero(exporter, sizeof exporter);
    if (st != STATUS_OK)
        client_fail_text(c, c->settings->credentials.binding == LOGIN_BINDING_REQUIRE ? "4.7.8" : "4.7.0",
                         "%s: %s", c->where, err.text);
    return st == STATUS_OK;
}

void client_log_in(struct client *c)
{
    if (!conn_is_tls(c->conn))
        client_fail_text(c, "4.7.0",
                         "%s: the password for it is not sent in clear; see that the host offers STARTTLS, "
                         "and set delivery tls to secure",
                         c->where);
    else if (!is_proven_host(c))
        client_fail_text(c, "4.7.0",
                         "%s: its certificate does not prove that it is %s, so it does not get the password; "
                         "mend the certificate, or delivery route and ca",
                         c->where, c->host);
    else if (start(c)) {
        client_enter(c, CLIENT_LOGIN);
        begin(c);
    }
}

static void answer_challenge(struct client *c)
{
    struct span text = span_trim(span_of(c->reply.text, c->reply.len));
    struct buf challenge, response;
    if (c->login_waits) {
        c->login_waits = false;
        send_line(c, span_of(NULL, 0), buf_span(&c->login_first));
        buf_reset(&c->login_first);
        return;
    }
    buf_init(&challenge, REPLY_KEPT_MAX);
    buf_init(&response, RESPONSE_MAX);
    if (c->reply.n_lines != 1 || !base64_decode(text, &challenge) || challenge.failed)
        client_fail_text(c, "4.5.0", "%s: the challenge of its login is no base64", c->where);
    else if (step(c, buf_span(&challenge), &response))
        send_line(c, span_of(NULL, 0), buf_span(&response));
    buf_free(&challenge);
    buf_free(&response);
}

/* What else than user and password may be wrong. */
static const char *other_cause(const struct login *login)
{
    if (login_is_bound(login))
        return ", or, where they are, until TLS ends at the host itself and nobody stands between, or, where "
               "the "
               "host knows no tls-exporter (RFC 9266), until delivery channel-binding is never";
    if (login_shows_middleman(login))
        return ", or, where they are, until TLS ends at the host itself and nobody stands between";
    return "";
}

static void refused(struct client *c)
{
    char text[REPLY_TEXT_MAX + 1];
    reply_parse_text(&c->reply, text);
    if (c->reply.code / 100 == 5) {
        c->login_refused = true;
        client_fail_text(c, "4.7.8",
                         "%s refuses the login by %s (%.120s); mail waits until delivery user and "
                         "password-file are right%s",
                         c->where, login_mechanism(c->login), text, other_cause(c->login));
    } else
        client_fail_text(c, "4.7.0", "%s cannot check the login now (%.200s)", c->where, text);
}

static void succeed(struct client *c)
{
    client_forget_login(c);
    c->logged_in = true;
    client_enter(c, CLIENT_READY);
}

void client_on_login(struct client *c)
{
    if (c->reply.code == 334)
        answer_challenge(c);
    else if (c->reply.code != 235)
        refused(c);
    else if (!login_is_complete(c->login))
        client_fail_text(c, "4.7.8", "%s lets in whoever asks, without a proof that it is the right host",
                         c->where);
    else
        succeed(c);
}

void client_forget_login(struct client *c)
{
    login_free(c->login);
    c->login = NULL;
    buf_free(&c->login_first);
}
