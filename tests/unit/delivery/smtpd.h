/* An SMTP server for tests, on their loop, that misbehaves on demand. */
#ifndef SEALGATE_TESTS_DELIVERY_SMTPD_H
#define SEALGATE_TESTS_DELIVERY_SMTPD_H

#include "tests/unit/net/fixture.h"

#include <strings.h>

#include "gateway/net/conn.h"
#include "gateway/net/listener.h"
#include "gateway/net/tls.h"

enum step {
    AT_NOTHING,
    AT_GREETING,
    AT_EHLO,
    AT_STARTTLS,
    AT_EHLO_TLS, /* the one after STARTTLS */
    AT_MAIL,
    AT_RCPT,
    AT_DATA,
    AT_END,
    STEPS,
};

enum deed {
    DO_RIGHT,
    DO_CLOSE,
    DO_4XX,
    DO_5XX,
    DO_421,
    DO_GARBAGE,
    DO_ENDLESS_LINES,
    DO_ENDLESS_LINE,
    DO_PLAINTEXT, /* a second reply right behind the expected one */
    DO_HANG,
    DO_ODD_CODE, /* a reply of a class that cannot be here */
    DO_530,      /* authentication is required (RFC 4954 §6) */
    DEEDS,
};

#define SMTPD_MESSAGES 400

struct smtpd {
    struct event_base *base;
    struct listener *listener;
    int fd;
    int port;
    SSL_CTX *tls;
    /* what it offers and does */
    const char *capabilities; /* lines "250-PIPELINING\r\n" …; STARTTLS is added */
    unsigned poor;            /* so many connections are offered none of them */
    bool no_starttls;
    enum step step;
    enum deed deed;
    unsigned deeds;       /* so many times, then right; 0: always */
    const char *refuse;   /* a recipient that starts so is refused with 550 5.1.1 */
    const char *put_off;  /* … with 450 4.2.1 */
    const char *hang_for; /* … hangs the session */
    unsigned open_max;    /* a connection beyond so many gets 421; 0: all are welcome */
    const char *name;     /* what it calls itself in the reply to EHLO; NULL: mx.example.org */
    const char *auth;     /* the reply to AUTH; "334…": what comes then is right (235) */
    /* what came */
    unsigned connections, turned_away, open, messages, quits, resets;
    bool clear_mail;       /* MAIL came before TLS */
    struct buf commands;   /* all commands, one per line */
    struct buf last;       /* the last message, still dot-stuffed, without the final dot */
    char recipients[2000]; /* of the last message: "<a@b>,<c@d>," */
    bool *watched;         /* set when a message has come */
};

struct smtpd_session {
    struct smtpd *d;
    struct conn *conn;
    bool in_data, in_auth;
    size_t bdat_left; /* bytes of a chunk still to come; the last one */
    bool hangs;
    unsigned accepted;
    struct buf line;
};

static inline void smtpd_say(struct smtpd_session *s, const char *text)
{
    conn_write(s->conn, span_str(text));
}

static inline void smtpd_flood(struct smtpd_session *s, const char *text)
{
    struct buf flood;
    buf_init(&flood, 1 << 20);
    while (flood.len < 300000)
        buf_append_str(&flood, text);
    conn_write(s->conn, buf_span(&flood));
    buf_free(&flood);
}

static inline void smtpd_end(struct smtpd_session *s)
{
    s->d->open--;
    buf_free(&s->line);
    free(s);
}

/* True: the step was answered badly; false: answer as you should. */
static inline bool smtpd_misbehaves(struct smtpd_session *s, enum step step, bool *gone_out)
{
    struct smtpd *d = s->d;
    *gone_out = false;
    if (d->step != step || d->deed == DO_RIGHT)
        return false;
    enum deed deed = d->deed;
    if (d->deeds > 0 && --d->deeds == 0)
        d->deed = DO_RIGHT;
    switch (deed) {
    case DO_CLOSE:
        conn_abort(s->conn);
        smtpd_end(s);
        *gone_out = true;
        return true;
    case DO_4XX:
        smtpd_say(s, "451 4.7.1 come back later\r\n");
        return true;
    case DO_5XX:
        smtpd_say(s, "554 5.7.1 not with me\r\n");
        return true;
    case DO_421:
        smtpd_say(s, "421 4.3.2 closing\r\n");
        conn_close(s->conn);
        smtpd_end(s);
        *gone_out = true;
        return true;
    case DO_GARBAGE:
        smtpd_say(s, "HTTP/1.1 400 Bad Request\r\n\r\n");
        return true;
    case DO_ENDLESS_LINES:
        smtpd_flood(s, "250-and so on\r\n");
        return true;
    case DO_ENDLESS_LINE:
        smtpd_flood(s, "250 and so on and ");
        return true;
    case DO_ODD_CODE:
        smtpd_say(s, step == AT_DATA ? "250 what\r\n" : "354 what\r\n");
        return true;
    case DO_530:
        smtpd_say(s, "530 5.7.0 authentication required\r\n");
        return true;
    case DO_HANG:
        s->hangs = true;
        return true;
    default:
        return false;
    }
}

static inline void smtpd_ehlo(struct smtpd_session *s)
{
    char text[500];
    bool tls = conn_is_tls(s->conn);
    snprintf(text, sizeof text, "250-%s\r\n%s%s250 ENHANCEDSTATUSCODES\r\n",
             s->d->name ? s->d->name : "mx.example.org", tls || s->d->no_starttls ? "" : "250-STARTTLS\r\n",
             s->d->connections <= s->d->poor ? "" : s->d->capabilities);
    smtpd_say(s, text);
}

static inline void smtpd_starttls(struct smtpd_session *s)
{
    struct error err;
    smtpd_say(s, s->d->step == AT_STARTTLS && s->d->deed == DO_PLAINTEXT ? "220 go\r\n250 injected\r\n"
                                                                         : "220 go\r\n");
    assert_int_equal(conn_start_tls(s->conn, s->d->tls, NULL, NULL, &err), STATUS_OK);
}

static inline void smtpd_rcpt(struct smtpd_session *s, const char *line)
{
    struct smtpd *d = s->d;
    const char *to = line + strlen("RCPT TO:<");
    if (d->refuse && strncmp(to, d->refuse, strlen(d->refuse)) == 0) {
        smtpd_say(s, "550 5.1.1 nobody\r\n");
        return;
    }
    if (d->put_off && strncmp(to, d->put_off, strlen(d->put_off)) == 0) {
        smtpd_say(s, "450 4.2.1 greylisted\r\n");
        return;
    }
    if (d->hang_for && strncmp(to, d->hang_for, strlen(d->hang_for)) == 0) {
        s->hangs = true;
        return;
    }
    if (s->accepted++ == 0)
        d->recipients[0] = '\0';
    size_t n = strlen(d->recipients);
    snprintf(d->recipients + n, sizeof d->recipients - n, "<%.*s>,", (int)strcspn(to, ">"), to);
    smtpd_say(s, "250 2.1.5 OK\r\n");
}

/* False: the session is gone. */
static inline bool smtpd_took(struct smtpd_session *s)
{
    struct smtpd *d = s->d;
    bool gone;
    if (smtpd_misbehaves(s, AT_END, &gone))
        return !gone;
    d->messages++;
    if (d->watched)
        *d->watched = true;
    smtpd_say(s, "250 2.0.0 taken\r\n");
    return true;
}

/* False: the session is gone. */
static inline bool smtpd_command(struct smtpd_session *s, const char *line)
{
    struct smtpd *d = s->d;
    bool gone, tls = conn_is_tls(s->conn);
    buf_append_str(&d->commands, line);
    buf_append_char(&d->commands, '\n');
    if (strncmp(line, "EHLO ", 5) == 0) {
        if (!smtpd_misbehaves(s, tls ? AT_EHLO_TLS : AT_EHLO, &gone))
            smtpd_ehlo(s);
    } else if (strncmp(line, "HELO ", 5) == 0) {
        gone = false;
        smtpd_say(s, "250 mx.example.org\r\n");
    } else if (strcmp(line, "STARTTLS") == 0) {
        if (!smtpd_misbehaves(s, AT_STARTTLS, &gone))
            smtpd_starttls(s);
    } else if (strncmp(line, "MAIL FROM:<", 11) == 0) {
        s->accepted = 0;
        d->clear_mail = d->clear_mail || !tls;
        if (!smtpd_misbehaves(s, AT_MAIL, &gone))
            smtpd_say(s, "250 2.1.0 OK\r\n");
    } else if (strncmp(line, "RCPT TO:<", 9) == 0) {
        if (!smtpd_misbehaves(s, AT_RCPT, &gone))
            smtpd_rcpt(s, line);
    } else if (strcmp(line, "DATA") == 0) {
        if (!smtpd_misbehaves(s, AT_DATA, &gone)) {
            s->in_data = s->accepted > 0;
            smtpd_say(s, s->in_data ? "354 go\r\n" : "503 5.5.1 no recipients\r\n");
        }
    } else if (strncmp(line, "BDAT ", 5) == 0) {
        assert_true(s->accepted > 0);
        assert_true(span_is(span_of(line + strlen(line) - 5, 5), " LAST"));
        buf_reset(&d->last);
        s->bdat_left = (size_t)strtoul(line + 5, NULL, 10);
        gone = s->bdat_left == 0 && !smtpd_took(s);
    } else if (d->auth && strncmp(line, "AUTH ", 5) == 0) {
        gone = false;
        s->in_auth = strncmp(d->auth, "334", 3) == 0;
        smtpd_say(s, d->auth);
    } else if (s->in_auth) {
        gone = s->in_auth = false;
        smtpd_say(s, "235 2.7.0 welcome\r\n");
    } else if (strcmp(line, "RSET") == 0) {
        gone = false;
        d->resets++;
        smtpd_say(s, "250 2.0.0 OK\r\n");
    } else if (strcmp(line, "QUIT") == 0) {
        d->quits++;
        smtpd_say(s, "221 2.0.0 bye\r\n");
        conn_close(s->conn);
        smtpd_end(s);
        return false;
    } else {
        gone = false;
        smtpd_say(s, "500 5.5.2 what\r\n");
    }
    return !gone;
}

/* False: the session is gone. */
static inline bool smtpd_chunk(struct smtpd_session *s, struct span in)
{
    size_t len = in.len < s->bdat_left ? in.len : s->bdat_left;
    buf_append(&s->d->last, in.p, len);
    conn_consume(s->conn, len);
    s->bdat_left -= len;
    return s->bdat_left > 0 || smtpd_took(s);
}

/* False: the session is gone. */
static inline bool smtpd_data_line(struct smtpd_session *s, const char *line, size_t len)
{
    struct smtpd *d = s->d;
    if (len != 1 || line[0] != '.') {
        buf_append(&d->last, line, len);
        buf_append_str(&d->last, "\r\n");
        return true;
    }
    s->in_data = false;
    return smtpd_took(s);
}

static inline void smtpd_on_data(void *arg, struct conn *conn)
{
    struct smtpd_session *s = arg;
    struct span in;
    while (!s->hangs && (in = conn_input(conn)).len > 0) {
        if (s->bdat_left > 0) {
            if (!smtpd_chunk(s, in))
                return;
            continue;
        }
        const char *lf = memchr(in.p, '\n', in.len);
        if (!lf)
            return;
        size_t len = (size_t)(lf - in.p);
        assert_true(len > 0 && lf[-1] == '\r'); /* never a bare LF (A2) */
        buf_reset(&s->line);
        buf_append(&s->line, in.p, len - 1);
        const char *line = buf_str(&s->line);
        conn_consume(conn, len + 1);
        bool was_data = s->in_data;
        if (was_data ? !smtpd_data_line(s, line, len - 1) : !smtpd_command(s, line))
            return;
        if (!was_data && s->in_data)
            buf_reset(&s->d->last);
    }
}

static inline void smtpd_on_open(void *arg, struct conn *conn)
{
    (void)arg, (void)conn;
}

static inline void smtpd_on_end(void *arg, struct conn *conn, const struct error *why)
{
    (void)conn, (void)why;
    smtpd_end(arg);
}

static inline void smtpd_turn_away(struct smtpd_session *s)
{
    s->d->turned_away++;
    smtpd_say(s, "421 4.7.0 too many connections\r\n");
    conn_close(s->conn);
    smtpd_end(s);
}

static inline void smtpd_on_accept(void *arg, int fd)
{
    static const struct conn_handler handler = {smtpd_on_open, smtpd_on_data, smtpd_on_open, smtpd_on_open,
                                                smtpd_on_end};
    struct smtpd *d = arg;
    struct error err;
    bool gone;
    struct smtpd_session *s = calloc(1, sizeof *s);
    s->d = d;
    buf_init(&s->line, 100000);
    d->connections++;
    d->open++;
    s->conn = conn_accepted(d->base, fd, NULL, &handler, s, (struct conn_limits){100000, 1 << 20}, &err);
    if (!s->conn)
        smtpd_end(s);
    else if (d->open_max > 0 && d->open > d->open_max)
        smtpd_turn_away(s);
    else if (!smtpd_misbehaves(s, AT_GREETING, &gone))
        smtpd_say(s, "220 mx.example.org ESMTP\r\n");
}

static inline void smtpd_start(struct smtpd *d, struct event_base *base, SSL_CTX *tls)
{
    struct sockaddr_in sin;
    struct error err;
    *d = (struct smtpd){
        .base = base, .tls = tls, .capabilities = "250-PIPELINING\r\n250-SIZE 100000000\r\n250-8BITMIME\r\n"};
    buf_init(&d->commands, 1 << 20);
    buf_init(&d->last, 64 << 20);
    d->fd = fixture_listen(&sin);
    d->port = ntohs(sin.sin_port);
    d->listener = listener_start(base, d->fd, smtpd_on_accept, d, &err);
    assert_non_null(d->listener);
}

static inline void smtpd_stop(struct smtpd *d)
{
    listener_stop(d->listener);
    close(d->fd);
    buf_free(&d->commands);
    buf_free(&d->last);
}

#endif
