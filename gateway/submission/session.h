/*
 * One SMTP session: its state, and what the verbs may do with it.
 *
 * Input is taken line by line in order. A verb either answers at once, or starts a call to another role:
 * then the session takes no more input until the call is done, so that replies never change their order.
 * A session is ended only by session_settle; a verb that ends it sets its phase (session_close).
 */
#ifndef SEALGATE_SUBMISSION_SESSION_H
#define SEALGATE_SUBMISSION_SESSION_H

#include "base/call.h"
#include "base/id.h"
#include "base/log.h"
#include "gateway/jobs/sasl_job.h"
#include "gateway/jobs/sasl_mechanism.h"
#include "gateway/net/conn.h"
#include "gateway/submission/chunks.h"
#include "gateway/submission/data.h"
#include "gateway/submission/replies.h"
#include "gateway/submission/server.h"
#include "gateway/submission/transaction.h"
#include "gateway/wire/line.h"

struct allowance;
struct verb;

enum session_phase {
    SESSION_HANDSHAKE, /* TLS is being set up: nothing may be read or written */
    SESSION_GREETING,  /* the greeting is held back: whoever speaks now is refused */
    SESSION_COMMAND,
    SESSION_SASL, /* the next line is a response of the exchange in hand */
    SESSION_DATA,
    SESSION_CHUNK, /* the bytes behind BDAT */
    SESSION_OVER,  /* to be closed and freed by session_settle */
};

struct session {
    struct server_state *server;
    struct session *next, *previous;
    const struct submission_listener *listener;
    struct client_key client;
    bool client_known; /* counted under CLIENT; else a load balancer has yet to say who it is */
    struct conn *conn;
    char id[ID_SIZE]; /* names the session in log lines */
    enum session_phase phase;

    struct line_reader line;
    const struct verb *verb; /* being carried out; NULL between commands */
    struct buf out;          /* replies of this turn: one write each turn */
    size_t unsent;           /* bytes written since the connection was last drained */
    int64_t auth_by;         /* until then AUTH must have succeeded (monotonic ms) */
    int64_t data_since;      /* when DATA, or the first BDAT, began */
    bool rearm;              /* a command ended: the next one has its whole time */

    char *helo; /* EHLO or HELO argument; NULL: none since the connection or TLS began; owned */
    bool esmtp; /* it was EHLO */
    char *user; /* authenticated, and counted in the server's users under USER_KEY; owned */
    struct client_key user_key;
    char **send_as; /* patterns of addresses that are the user's; owned */
    size_t n_send_as;
    const struct submission_client *relay; /* that it is besides; NULL: none (identity.h) */
    enum sasl_mechanism mechanism;         /* of the exchange in hand, or of the one that succeeded */
    uint64_t exchange;                     /* with auth; 0: none, or its number is not known yet */
    struct sasl_result *granted;           /* success, once the client has taken the additional data; owned */
    struct transaction transaction;
    struct data data;
    struct chunks chunks;

    struct call *call;               /* to another role; no input is taken until it is done */
    struct envelope_recipient asked; /* whose certificates are looked up; owned */
    const struct policy_rule *asked_rule;
    const struct allowance *allowance; /* that auth is asked about (allowance.h) */
    bool tried_in_clear;               /* AUTH or MAIL before TLS: auth was told */

    unsigned bad_commands, auth_failures, transactions;
};

/* ---- session_accept.c ---- */

/* Takes over an accepted socket. */
void session_accept(struct server_state *server, const struct submission_listener *listener, int fd);

/* ---- session_events.c ---- */

/* A session is the argument of its connection's handler. */
extern const struct conn_handler session_handler;

/* The session is counted and linked in, and the client's address is known: greets, or waits for TLS. */
void session_begin(struct session *s);

/* ---- session.c: life ---- */

/* The connection is gone, or never was. */
void session_free(struct session *s);

/* The same for a session that has ended before: until then it counts, so that who makes sessions end and
 * keeps their connections open does not get more of them than others (A17). */
void session_gone(struct session *s);

/* Takes back what was counted of a connection; KNOWN: as one of CLIENT. */
void session_uncount(struct server_state *server, const struct client_key *client, bool known);

/* To be called last by whatever the loop calls: sends replies, sets the deadline, or closes and frees. */
void session_settle(struct session *s);

/* Ends the session once its replies are sent. */
void session_close(struct session *s);

/* Ends the session now, with the reply for it. */
void session_end_with(struct session *s, enum reply_id id);

/* Forgets all that was learned before TLS (RFC 3207 §4.2). */
void session_forget(struct session *s);

/* Ends the session because its time is over. */
void session_time_out(struct session *s);

/* ---- session_time.c ---- */

/* A time that no byte buys more of is over. The timer alone would be set anew with each byte, and a flood
 * would keep it from ever being noticed. */
bool session_is_late(const struct session *s);

/* Sets the deadline for what the session waits for now. */
void session_update_deadline(struct session *s);

/* Sets the one deadline that stands, milliseconds from now, but never later than the one for AUTH; 0: no
 * other. */
void session_set_deadline(struct session *s, int64_t ms);

/* ---- greeting.c ---- */

/* Greets; or waits first, unless HAS_WAITED; or refuses a client that spoke already. */
void session_greet(struct session *s, bool has_waited);
/* Input came in SESSION_GREETING. */
void session_heard_before_greeting(struct session *s);

/* ---- session_reply.c: words ---- */

void session_reply(struct session *s, enum reply_id id);
/* With words of its own in place of the table's: one line; what is not printable ASCII becomes "?". */
void session_reply_text(struct session *s, enum reply_id id, const char *text);
/* As session_reply_text, but each LF in TEXT begins a new line: nothing from outside may be in it. */
void session_reply_lines(struct session *s, enum reply_id id, const char *text);

/* A challenge of AUTH, which may be longer than any other line (RFC 4954 §4) and is never broken into
 * several. */
void session_challenge(struct session *s, const char *base64);

/* A log line with what names session, client and message; more fields may follow, then log_end. */
void session_log(struct session *s, struct log_line *line, enum log_level level, const char *event);
/* A log line with an error. */
void session_log_error(struct session *s, enum log_level level, const char *event, const struct error *err);

/* ---- session_input.c: from bytes to verbs ---- */

/* Takes what input there is, as far as it may be taken; then settles (the session may be gone). */
void session_run(struct session *s);

/* ---- session_data.c, submit.c: the message ---- */

/* Begins to receive a message; answers. */
void session_begin_data(struct session *s);
/* Takes a piece of the message behind DATA. False: no input left. */
bool session_take_data(struct session *s);
/* Makes room for a message. False: *WHY_OUT is the answer. */
bool session_begin_message(struct session *s, enum reply_id *why_out);
/* Gives INPUT to FEED (data_feed or data_feed_chunk) and counts the memory; returns how many bytes were used.
 */
size_t session_feed_message(struct session *s, struct span input,
                            size_t (*feed)(struct data *data, struct span input));
/* The message is whole: hands it to seal, or answers why not and ends the transaction. */
void session_end_of_data(struct session *s);
/* What a message that failed on its way in (data.failed) is answered. */
enum reply_id session_data_refusal(const struct session *s);
/* Ends the transaction: forgets envelope and message. */
void session_end_transaction(struct session *s);
/* Hands the whole message to seal. */
void submit_start(struct session *s);

#endif
