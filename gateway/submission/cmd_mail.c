/*
 * MAIL (RFC 5321 §4.1.1.2) with SIZE (RFC 1870), BODY (RFC 6152), AUTH (RFC 4954 §5), SMTPUTF8 (RFC 6531),
 * RET and ENVID (RFC 3461), REQUIRETLS (RFC 8689; MAIL comes over TLS only, as §4.1 there demands).
 */
#include <stdio.h>

#include "gateway/submission/allowance.h"
#include "gateway/submission/identity.h"
#include "gateway/submission/session.h"
#include "gateway/submission/verbs.h"

/* False: answered. */
static bool parse(struct session *s, struct span args, struct path *path, struct mail_params *params)
{
    static const char keyword[] = "FROM:";
    struct span rest, which;
    if (!span_starts(args, keyword)) {
        session_reply(s, REPLY_BAD_SENDER);
        return false;
    }
    args = span_of(args.p + sizeof keyword - 1, args.len - (sizeof keyword - 1));
    enum path_result path_result = path_parse_reverse(args, path, &rest);
    if (path_result != PATH_OK) {
        session_reply(s, reply_for_path(path_result, true));
        return false;
    }
    enum param_result param_result = param_parse_mail(rest, params, &which);
    if (param_result != PARAM_OK) {
        session_reply(s, reply_for_param(param_result));
        return false;
    }
    if (path->utf8 && !params->smtputf8) {
        session_reply(s, REPLY_EIGHT_BIT_ADDRESS);
        return false;
    }
    return true;
}

static void opened(struct session *s)
{
    struct log_line line;
    session_log(s, &line, LOG_LEVEL_INFO, "mail");
    log_str(&line, "from", s->transaction.envelope.reverse_path);
    log_end(&line);
    session_reply(s, REPLY_SENDER_OK);
}

static const struct allowance allowance = {ALLOW_MESSAGE, "MAIL", opened, session_end_transaction};

static void begin(struct session *s, const struct path *path, const struct mail_params *params)
{
    struct error err = {0};
    const char *relay = identity_client(s);
    struct transaction_client client = {.user = s->user ? s->user : "",
                                        .relay = relay ? relay : "",
                                        .listener = s->listener->name,
                                        .address = conn_peer(s->conn),
                                        .helo = s->helo,
                                        .plain_smtp = !s->esmtp,
                                        .tls_version = conn_tls_version(s->conn),
                                        .tls_cipher = conn_tls_cipher(s->conn)};
    client.send_as = identity_send_as(s, &client.n_send_as);
    if (transaction_begin(&s->transaction, path->address, &client, params, &err) != STATUS_OK) {
        session_log_error(s, LOG_LEVEL_ERROR, "out-of-memory", &err);
        session_reply(s, REPLY_LATER_MEMORY);
        return;
    }
    s->transactions++;
    if (identity_check_reverse_path(s))
        allowance_ask(s, &allowance);
    else
        session_end_transaction(s);
}

void cmd_mail(struct session *s, struct span args)
{
    const struct submission_limits *limits = &s->server->settings->limits;
    struct path path;
    struct mail_params params;
    char text[100];
    if (s->transactions >= limits->transactions_max) {
        session_end_with(s, REPLY_TOO_MANY_TRANSACTIONS);
    } else if (parse(s, args, &path, &params)) {
        if (params.has_size && params.size > limits->message_max) {
            snprintf(text, sizeof text, "The message is too big: the limit is %zu bytes",
                     limits->message_max);
            session_reply_text(s, REPLY_TOO_BIG, text);
        } else {
            begin(s, &path, &params);
        }
    }
}
