#include "gateway/submission/rcpt_decision.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/jobs/keys_job.h"
#include "gateway/submission/allowance.h"
#include "gateway/submission/identity.h"
#include "gateway/submission/refused.h"
#include "gateway/submission/session.h"
#include "gateway/submission/verbs.h"

static void forget(struct session *s)
{
    envelope_recipient_free(&s->asked);
    s->asked = (struct envelope_recipient){0};
    s->asked_rule = NULL;
}

static void add(struct session *s)
{
    struct error err = {0};
    if (transaction_add_recipient(&s->transaction, &s->asked, &err) == STATUS_OK)
        session_reply(s, REPLY_RECIPIENT_OK);
    else
        session_reply(s, err.status == STATUS_LIMIT ? REPLY_TOO_MANY_RECIPIENTS : REPLY_LATER_MEMORY);
    forget(s);
}

static const struct allowance allowance = {ALLOW_RECIPIENT, "RCPT", add, forget};

static void take(struct session *s)
{
    allowance_ask(s, &allowance);
}

static void log_decision(struct session *s, const char *event, const char *reason)
{
    struct log_line line;
    session_log(s, &line, LOG_LEVEL_NOTICE, event);
    log_str(&line, "to", s->asked.address);
    log_str(&line, "rule", s->asked_rule->name);
    log_str(&line, "reason", reason);
    log_end(&line);
}

static void refuse(struct session *s, const char *reason)
{
    const struct reply_entry *entry = reply_entry(REPLY_NO_CERTIFICATE);
    char text[700], reply[720];
    snprintf(text, sizeof text, "%s for <%s>: %s", entry->text, s->asked.address, reason);
    snprintf(reply, sizeof reply, "%d %s %s", entry->code, entry->enhanced, text);
    log_decision(s, "recipient-refused", reason);
    refused_record(s, s->asked.address, s->asked_rule->name, reply);
    session_reply_text(s, REPLY_NO_CERTIFICATE, text);
    forget(s);
}

static void later(struct session *s, const char *reason)
{
    log_decision(s, "recipient-deferred", reason);
    session_reply(s, REPLY_LOOKUP_FAILED);
    forget(s);
}

/* The one answer in FOUND, or a lookup that failed: "lookup failed" is never "none found" (A33). */
static void judge(struct session *s, const struct keys_found *found)
{
    struct policy_decision decision;
    struct certificate_list none = {0};
    bool has_answer = found->n == 1;
    policy_decide(s->asked_rule, has_answer ? found->answers[0].state : LOOKUP_FAILED,
                  has_answer ? &found->answers[0].list : &none, &decision);
    if (decision.action == ACTION_REFUSE)
        refuse(s, decision.reason);
    else if (decision.action == ACTION_DEFER)
        later(s, has_answer ? found->answers[0].why : "no answer");
    else
        take(s);
}

static void on_found(void *arg, enum status status, struct ipc_msg *msg, const struct error *why)
{
    struct session *s = arg;
    struct keys_found found = {0};
    struct error err = {0};
    s->call = NULL;
    s->verb = verb_find(span_str("RCPT"));
    if (status != STATUS_OK) {
        later(s, why->text);
    } else if (msg->type != KEYS_FOUND ||
               keys_found_unpack(buf_span(&msg->body), &found, &err) != STATUS_OK) {
        later(s, "a damaged answer from keys");
    } else {
        judge(s, &found);
        keys_found_free(&found);
    }
    s->verb = NULL;
    session_run(s);
}

static void look_up(struct session *s)
{
    const struct submission_settings *settings = s->server->settings;
    struct call_limits limits = {.taken_ms = settings->limits.keys_ms, .total_ms = settings->limits.keys_ms};
    struct keys_lookup lookup = {.addresses = &s->asked.address, .n = 1};
    struct error err = {0};
    struct buf body;
    buf_init(&body, 4096);
    keys_lookup_pack(&body, &lookup);
    if (buf_check(&body, "certificate lookup", &err) == STATUS_OK)
        s->call = call_start(s->server->base, settings->keys_service, KEYS_LOOKUP, buf_span(&body), NULL, 0,
                             limits, on_found, s, &err);
    buf_free(&body);
    if (s->call)
        return;
    later(s, err.text);
}

void rcpt_decide(struct session *s, struct envelope_recipient recipient)
{
    struct policy_facts facts = {.reverse_path = s->transaction.envelope.reverse_path,
                                 .user = s->user,
                                 .client = identity_client(s),
                                 .listener = s->listener->name,
                                 .recipient = recipient.address};
    const struct policy_rule *rule = policy_match(s->server->settings->policy, &facts);
    s->asked = recipient;
    s->asked_rule = rule;
    if (rule && rule->protect == PROTECT_REQUIRE && rule->on_missing_key == MISSING_REFUSE) {
        look_up(s);
        return;
    }
    take(s);
}
