/* EHLO and HELO (RFC 5321 §4.1.1.1). */
#include <stdio.h>
#include <stdlib.h>

#include "gateway/submission/auth_call.h"
#include "gateway/submission/session.h"
#include "gateway/submission/verbs.h"
#include "gateway/wire/domain.h"

/* Either also ends a transaction (RFC 5321 §4.1.4). */
static bool say_hello(struct session *s, struct span name, bool esmtp)
{
    if (!domain_is_client_name(name)) {
        session_reply_text(s, REPLY_BAD_ARGUMENTS, "Not a domain or address literal");
        return false;
    }
    char *helo = span_dup(name);
    if (!helo) {
        session_reply(s, REPLY_LATER);
        return false;
    }
    session_end_transaction(s);
    free(s->helo);
    s->helo = helo;
    s->esmtp = esmtp;
    return true;
}

void cmd_ehlo(struct session *s, struct span args)
{
    char text[600], mechanisms[SASL_LIST_SIZE];
    if (!say_hello(s, args, true))
        return;
    const struct submission_settings *settings = s->server->settings;
    /* REQUIRETLS is for a session that has it (RFC 8689 §4.1). */
    bool tls = conn_is_tls(s->conn);
    sasl_mechanisms_list(tls && !s->user ? auth_call_offered(s) : 0, mechanisms);
    snprintf(text, sizeof text,
             "%s\nPIPELINING\nSIZE %zu\n8BITMIME\nSMTPUTF8\nDSN\nCHUNKING\nENHANCEDSTATUSCODES\n"
             "LIMITS RCPTMAX=%u MAILMAX=%u%s%s%s",
             settings->hostname, settings->limits.message_max, settings->limits.recipients_max,
             settings->limits.transactions_max, tls ? "\nREQUIRETLS" : "\nSTARTTLS",
             mechanisms[0] ? "\nAUTH " : "", mechanisms);
    session_reply_lines(s, REPLY_HELO, text);
}

void cmd_helo(struct session *s, struct span args)
{
    if (say_hello(s, args, false))
        session_reply_text(s, REPLY_HELO, s->server->settings->hostname);
}
