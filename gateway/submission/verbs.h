/*
 * The verb table: which commands there are, and when each is allowed.
 *
 * RFC 2920 §3.1 has EHLO, DATA, VRFY, EXPN, TURN, QUIT and NOOP end a group of pipelined commands, RFC 3207
 * and RFC 4954 STARTTLS and AUTH. Input behind one of these is refused where its reply decides what that
 * input is: a message or commands, in clear or not, before or behind a login, by which extensions. NOOP and
 * VRFY change nothing, EXPN and TURN are not there, behind QUIT nothing is read: clients that are careless
 * with those do no harm.
 */
#ifndef SEALGATE_SUBMISSION_VERBS_H
#define SEALGATE_SUBMISSION_VERBS_H

#include "base/span.h"
#include "gateway/submission/replies.h"

struct sasl_result;
struct session;

enum verb_flags {
    VERB_BEFORE_TLS = 1,          /* without it 530 (RFC 3207 §4) */
    VERB_BEFORE_HELLO = 2,        /* without it 503 until EHLO or HELO */
    VERB_BEFORE_AUTH = 4,         /* without it 530 (RFC 4954 §6) to who is no relay client */
    VERB_OUTSIDE_TRANSACTION = 8, /* 503 between MAIL and the end of data */
    VERB_INSIDE_TRANSACTION = 16, /* 503 without MAIL */
    VERB_LAST_IN_GROUP = 32,      /* input behind it: 554 and close (RFC 2920 §3.1) */
    VERB_WITHOUT_ARGUMENTS = 64,  /* arguments: 501 */
    VERB_NOT_AMID_CHUNKS = 128,   /* 503 between BDAT and the end of data (RFC 3030 §2) */
    VERB_WITH_CHUNK = 256,        /* bytes follow the line, also when it is refused */
};

struct verb {
    const char *name;
    void (*run)(struct session *s, struct span args);
    unsigned flags;
};

/* NULL: unknown. */
const struct verb *verb_find(struct span name);

/* May the verb run now? False: *REFUSAL_OUT says why not. */
bool verb_is_allowed(const struct verb *verb, const struct session *s, bool has_args,
                     enum reply_id *refusal_out);

/* One file each: cmd_ehlo.c, … */
void cmd_ehlo(struct session *s, struct span args);
void cmd_helo(struct session *s, struct span args);
void cmd_starttls(struct session *s, struct span args);
void cmd_auth(struct session *s, struct span args);
void cmd_mail(struct session *s, struct span args);
void cmd_rcpt(struct session *s, struct span args);
void cmd_data(struct session *s, struct span args);
void cmd_bdat(struct session *s, struct span args);
void cmd_rset(struct session *s, struct span args);
void cmd_noop(struct session *s, struct span args);
void cmd_vrfy(struct session *s, struct span args);
void cmd_help(struct session *s, struct span args);
void cmd_quit(struct session *s, struct span args);

/* A line that goes on with the AUTH exchange in hand. */
void cmd_auth_response(struct session *s, struct span response);
/* What auth says to it; takes out of RESULT what it keeps. */
void cmd_auth_result(struct session *s, struct sasl_result *result);
/* Ends the exchange with a reply, in the table's words or others. */
void cmd_auth_end(struct session *s, enum reply_id id);
void cmd_auth_end_text(struct session *s, enum reply_id id, const char *text);

#endif
