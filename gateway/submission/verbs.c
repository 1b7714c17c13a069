#include "gateway/submission/verbs.h"

#include "gateway/submission/identity.h"
#include "gateway/submission/session.h"

/* Allowed once TLS is on, whatever else. */
#define ANY_TIME (VERB_BEFORE_HELLO | VERB_BEFORE_AUTH)

static const struct verb verbs[] = {
    {"EHLO", cmd_ehlo, VERB_BEFORE_TLS | ANY_TIME | VERB_LAST_IN_GROUP},
    {"HELO", cmd_helo, ANY_TIME | VERB_LAST_IN_GROUP},
    {"STARTTLS", cmd_starttls,
     VERB_BEFORE_TLS | ANY_TIME | VERB_OUTSIDE_TRANSACTION | VERB_LAST_IN_GROUP | VERB_WITHOUT_ARGUMENTS},
    {"AUTH", cmd_auth, VERB_BEFORE_AUTH | VERB_OUTSIDE_TRANSACTION | VERB_LAST_IN_GROUP},
    {"MAIL", cmd_mail, VERB_OUTSIDE_TRANSACTION},
    {"RCPT", cmd_rcpt, VERB_INSIDE_TRANSACTION | VERB_NOT_AMID_CHUNKS},
    {"DATA", cmd_data,
     VERB_INSIDE_TRANSACTION | VERB_NOT_AMID_CHUNKS | VERB_LAST_IN_GROUP | VERB_WITHOUT_ARGUMENTS},
    {"BDAT", cmd_bdat, VERB_INSIDE_TRANSACTION | VERB_WITH_CHUNK},
    {"RSET", cmd_rset, ANY_TIME | VERB_WITHOUT_ARGUMENTS},
    {"NOOP", cmd_noop, VERB_BEFORE_TLS | ANY_TIME},
    {"VRFY", cmd_vrfy, VERB_BEFORE_HELLO},
    {"HELP", cmd_help, ANY_TIME},
    {"QUIT", cmd_quit, VERB_BEFORE_TLS | ANY_TIME | VERB_WITHOUT_ARGUMENTS},
};

const struct verb *verb_find(struct span name)
{
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (span_is(name, verbs[i].name))
            return &verbs[i];
    return NULL;
}

/* What stands in the way of FLAGS in this state; the first reason counts. */
static bool refusal_by_state(unsigned flags, const struct session *s, enum reply_id *refusal_out)
{
    const struct {
        bool refused;
        enum reply_id reply;
    } rules[] = {
        {!(flags & VERB_BEFORE_TLS) && !conn_is_tls(s->conn), REPLY_TLS_NEEDED},
        {!(flags & VERB_BEFORE_HELLO) && !s->helo, REPLY_HELLO_NEEDED},
        {!(flags & VERB_BEFORE_AUTH) && !identity_is_known(s), REPLY_AUTH_NEEDED},
        {(flags & VERB_OUTSIDE_TRANSACTION) && s->transaction.open, REPLY_IN_TRANSACTION},
        {(flags & VERB_INSIDE_TRANSACTION) && !s->transaction.open, REPLY_NO_TRANSACTION},
        {(flags & VERB_NOT_AMID_CHUNKS) && s->chunks.begun, REPLY_AMID_CHUNKS},
    };
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        if (rules[i].refused) {
            *refusal_out = rules[i].reply;
            return true;
        }
    }
    return false;
}

bool verb_is_allowed(const struct verb *verb, const struct session *s, bool has_args,
                     enum reply_id *refusal_out)
{
    if (refusal_by_state(verb->flags, s, refusal_out))
        return false;
    *refusal_out = REPLY_NO_ARGUMENTS;
    return !(has_args && verb->flags & VERB_WITHOUT_ARGUMENTS);
}
