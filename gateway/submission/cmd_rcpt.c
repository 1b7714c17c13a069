/* RCPT (RFC 5321 §4.1.1.3) with NOTIFY and ORCPT (RFC 3461, RFC 6533). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/submission/rcpt_decision.h"
#include "gateway/submission/session.h"
#include "gateway/submission/verbs.h"
#include "gateway/wire/orcpt.h"

/* False: answered. */
static bool parse(struct session *s, struct span args, struct path *path, struct rcpt_params *params)
{
    static const char keyword[] = "TO:";
    struct span rest, which;
    if (!span_starts(args, keyword)) {
        session_reply(s, REPLY_BAD_RECIPIENT);
        return false;
    }
    args = span_of(args.p + sizeof keyword - 1, args.len - (sizeof keyword - 1));
    enum path_result path_result = path_parse_forward(args, path, &rest);
    if (path_result != PATH_OK) {
        session_reply(s, reply_for_path(path_result, false));
        return false;
    }
    enum param_result param_result = param_parse_rcpt(rest, params, &which);
    /* A client that has not said SMTPUTF8 has no business with 8-bit parameters (RFC 6533 §3). */
    bool smtputf8 = s->transaction.envelope.smtputf8;
    if (param_result == PARAM_OK && params->orcpt_8bit && !smtputf8)
        param_result = PARAM_SYNTAX;
    if (param_result != PARAM_OK) {
        session_reply(s, reply_for_param(param_result));
        return false;
    }
    if (path->utf8 && !smtputf8) {
        session_reply(s, REPLY_EIGHT_BIT_ADDRESS);
        return false;
    }
    return true;
}

/* <postmaster> without a domain is ours (RFC 5321 §4.1.1.3). */
static char *address_of(const struct session *s, const struct path *path)
{
    char *address = NULL;
    if (!path->postmaster)
        return span_dup(path->address);
    if (asprintf(&address, "postmaster@%s", s->server->settings->hostname) < 0)
        return NULL;
    return address;
}

/* In ASCII whatever the client gave, so that it can go into a DSN or to a next hop without SMTPUTF8. */
static char *orcpt_of(const struct rcpt_params *params)
{
    struct buf ascii;
    if (!params->orcpt_8bit)
        return span_dup(params->orcpt);
    buf_init(&ascii, ORCPT_MAX);
    orcpt_append_ascii(params->orcpt, &ascii);
    char *copy = ascii.failed ? NULL : span_dup(buf_span(&ascii));
    buf_free(&ascii);
    return copy;
}

/* False: out of memory; RECIPIENT is empty. */
static bool make_recipient(const struct session *s, const struct path *path, const struct rcpt_params *params,
                           struct envelope_recipient *recipient)
{
    const char *notify = param_notify_text(params->notify);
    *recipient = (struct envelope_recipient){.address = address_of(s, path)};
    if (notify)
        recipient->notify = strdup(notify);
    if (params->orcpt.len > 0)
        recipient->orcpt = orcpt_of(params);
    if (recipient->address && (!notify || recipient->notify) && (params->orcpt.len == 0 || recipient->orcpt))
        return true;
    envelope_recipient_free(recipient);
    return false;
}

void cmd_rcpt(struct session *s, struct span args)
{
    struct path path;
    struct rcpt_params params;
    struct envelope_recipient recipient;
    if (!parse(s, args, &path, &params))
        return;
    if (s->transaction.envelope.n_recipients >= s->server->settings->limits.recipients_max)
        session_reply(s, REPLY_TOO_MANY_RECIPIENTS);
    else if (make_recipient(s, &path, &params, &recipient))
        rcpt_decide(s, recipient);
    else
        session_reply(s, REPLY_LATER_MEMORY);
}
