/* The inside of a client, shared by client.c (connection), client_state.c (dialog), client_mail.c (MAIL and
 * RCPT), client_body.c (message). */
#ifndef SEALGATE_DELIVERY_CLIENT_PRIVATE_H
#define SEALGATE_DELIVERY_CLIENT_PRIVATE_H

#include "gateway/delivery/client.h"
#include "gateway/net/conn.h"
#include "gateway/wire/dot_stuff.h"
#include "gateway/wire/ehlo.h"
#include "gateway/wire/reply_parse.h"

enum client_state {
    CLIENT_CONNECT,
    CLIENT_GREETING,
    CLIENT_EHLO,
    CLIENT_HELO,
    CLIENT_STARTTLS,
    CLIENT_HANDSHAKE,
    CLIENT_LOGIN,
    CLIENT_READY,
    CLIENT_MAIL,
    CLIENT_RCPT, /* of recipient number rcpt_at */
    CLIENT_DATA,
    CLIENT_BODY, /* sending it; a reply here is early */
    CLIENT_END,  /* the dot is sent */
    CLIENT_RSET,
    CLIENT_STATES,
};

struct client {
    const struct client_settings *settings;
    const struct client_handler *handler;
    void *arg;
    struct conn *conn; /* NULL once gone */
    unsigned busy;     /* handlers on the stack: memory stays */
    bool freed;
    enum client_state state;
    struct reply_parser reply;
    struct ehlo ehlo;
    struct tls_demand demand;
    struct tls_dane dane;
    bool clear;
    bool fixed;
    char host[256];
    char where[RESULT_HOST_SIZE]; /* "mx.example.org [192.0.2.1]:25" */
    char tls_words[400];          /* what is known of the peer's certificate, or why there is no TLS */
    char policy[500];             /* what was demanded and why */
    char told[920];               /* both, for the audit trail */
    enum tls_way way;

    struct login *login; /* NULL: none under way */
    bool logged_in;
    bool login_refused;     /* for good (5xx) */
    bool login_waits;       /* AUTH was sent without the initial response, */
    struct buf login_first; /* which is this */

    bool ready_told; /* on_ready was called */
    bool tls_told;   /* on_tls was */

    struct transaction *t;
    bool pipelined; /* MAIL, RCPT and DATA are all sent */
    bool refused;   /* MAIL was: what follows says nothing new */
    size_t rcpt_at; /* recipient whose reply is next */
    size_t accepted;
    size_t body_at;        /* bytes of the message that were given to the connection */
    int64_t body_until_ms; /* monotonic: all of them are to be taken by then */
    struct dot_stuffer stuffer;
};

/* client.c */
void client_write(struct client *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Ends the connection and tells the owner. C is not to be used any more but by callers up the stack. */
void client_fail(struct client *c, const struct result *why);
void client_fail_text(struct client *c, const char *status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* QUIT: the host does not do what is demanded of it. That is for later (STATUS), but where the message itself
 * requires TLS it is for good with this host (5.7.30, RFC 8689 §4.2.1). */
void client_fail_demand(struct client *c, const char *status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
struct peer client_peer(const struct client *c);
/* The connection is as it is to be used: tls_words and WAY are what is told of it. */
void client_settle_tls(struct client *c, enum tls_way way);
/* The same for one without TLS. */
void client_settle_clear(struct client *c, enum tls_way way, const char *why);

/* Tells of TLS, once and not where none was wanted. */
void client_tell_tls(struct client *c, enum tlsrpt_result result, const char *reason);

/* client_state.c */
void client_enter(struct client *c, enum client_state state);
void client_on_reply(struct client *c);
/* What the client waits for in its state, for people: "the reply to MAIL". */
const char *client_waits_for(const struct client *c);

/* client_mail.c */
/* Puts off every recipient for whom the host lacks what the message needs: another may have it. False: there
 * is nobody left to send it to, or C is not to be used any more. */
bool client_can_take(struct client *c);
/* Is the host to be asked for R? */
bool client_asks_for(const struct recipient *r);
void client_write_mail(struct client *c);
void client_write_rcpt(struct client *c, struct recipient *r);

/* client_starttls.c */
void client_after_ehlo(struct client *c);
void client_on_starttls(struct client *c);
void client_on_tls(struct client *c);

/* client_login.c */
/* Is it a host that wants to know who we are, and does not know it yet? */
bool client_must_log_in(const struct client *c);
/* Then ready, or the end. */
void client_log_in(struct client *c);
void client_on_login(struct client *c);
void client_forget_login(struct client *c);

/* client_body.c */
void client_start_body(struct client *c);
void client_send_more(struct client *c);

#endif
