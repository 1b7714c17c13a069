/* sealctl explain: the decision that a message would meet, by the same functions that decide for real. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/call.h"
#include "base/clock.h"
#include "gateway/control/verbs.h"
#include "gateway/jobs/control_job.h"
#include "gateway/jobs/keys_job.h"
#include "gateway/message/envelope.h"

#define HEADER_MAX 65536
#define DOMAIN_KEY_MAX 1024

struct explanation {
    struct session *session;
    json_t *request;
    struct keys_lookup lookup; /* the recipients, then the archives of all rules */
    size_t n_recipients;
    struct buf header; /* the given header fields, one line each */
};

static void explanation_free(struct explanation *e)
{
    keys_lookup_free(&e->lookup);
    buf_free(&e->header);
    json_decref(e->request);
    free(e);
}

static const char *text_of(json_t *request, const char *key)
{
    return json_string_value(json_object_get(request, key));
}

static const char *protect_word(enum policy_protect protect)
{
    static const char *const words[] = {"require", "prefer", "never"};
    return words[protect];
}

static const char *action_word(enum policy_action action)
{
    static const char *const words[] = {"seal", "clear", "hold", "refuse", "bounce", "defer", "pass"};
    return words[action];
}

static json_t *describe_certificate(const struct certificate *c)
{
    char worked[CLOCK_ISO_SIZE];
    json_t *capabilities = json_array();
    for (unsigned bit = 1; bit <= CAPABILITY_LAST; bit <<= 1)
        if (c->capabilities & bit)
            json_array_append_new(capabilities, json_string(certificate_capability_word(bit)));
    clock_iso(c->worked_ms, worked);
    return json_pack("{s:s, s:s, s:s, s:o, s:b, s:o, s:b, s:b, s:o, s:s?}", "format",
                     certificate_format_word(c->format), "fingerprint", c->fingerprint, "source", c->source,
                     "algorithm", control_text(c->algorithm), "usable", c->usable, "reason",
                     control_text(c->reason), "for_domain", c->for_domain, "pinned", c->pinned,
                     "capabilities", capabilities, "worked", c->worked_ms ? worked : NULL);
}

/* The domain as delivery compares it: A-labels, lower case. */
static void domain_of(const char *recipient, struct buf *key)
{
    struct error err;
    buf_init(key, DOMAIN_KEY_MAX);
    if (keystore_address_key(recipient, true, key, &err) != STATUS_OK)
        buf_reset(key);
}

static json_t *describe_tls(const struct control_settings *settings, const struct policy_rule *rule,
                            const char *recipient)
{
    struct buf key;
    char why[300];
    enum tls_level by_rule = rule->treatment.tls;
    domain_of(recipient, &key);
    const char *at = key.len > 0 ? strrchr(buf_str(&key), '@') : NULL;
    const char *domain = at ? at + 1 : "";
    bool fixed = strcmp(settings->route, "mx") != 0;
    const struct tls_hop hop = {
        .domain = domain,
        .mx_host = fixed ? settings->route : domain,
        .fixed_route = fixed,
        .rule = {by_rule, rule->name},
    };
    struct tls_demand demand = tls_level_decide(&settings->tls, &hop);
    tls_demand_source(&demand, why, sizeof why);
    json_t *tls = json_pack("{s:s, s:o, s:s, s:s*}", "level", tls_level_word(demand.level), "why",
                            control_text(why), "route", settings->route, "rule_level",
                            by_rule == TLS_LEVEL_NONE ? NULL : tls_level_word(by_rule));
    buf_free(&key);
    return tls;
}

/* ---- how the copy would be made ---- */

static json_t *describe_treatment(const struct policy_rule *rule, const struct policy_decision *d)
{
    static const char *const headers[] = {"by format", "baseline", "shy", "none"};
    static const char *const sign[] = {"never", "prefer", "require"};
    static const char *const cipher[] = {"auto", "aes-256-cbc", "aes-256-gcm"};
    const struct policy_treatment *t = &rule->treatment;
    bool smime = d->certificate && d->certificate->format == CERTIFICATE_SMIME;
    enum policy_headers protection = t->headers;
    if (protection == HEADERS_BY_FORMAT && d->certificate)
        protection = smime ? HEADERS_NONE : HEADERS_BASELINE;
    json_t *archive = json_array();
    for (size_t i = 0; i < t->n_archive; i++)
        json_array_append_new(archive, json_string(t->archive[i]));
    return json_pack("{s:s, s:s, s:s, s:b, s:b, s:b, s:b, s:o}", "header_protection", headers[protection],
                     "sign", sign[t->sign], "smime_cipher", cipher[t->cipher], "legacy_display",
                     t->legacy_display, "inline_openpgp", t->inline_pgp, "encrypt_to_self",
                     t->encrypt_to_self, "strip_subject_tag", t->strip_subject_tag, "archive", archive);
}

/* What is known of the archives of RULE, in KNOWN; those who were not looked up count as failed. */
static void find_archives(const struct explanation *e, const struct keys_found *found,
                          const struct policy_rule *rule, struct policy_known *known)
{
    for (size_t i = 0; i < rule->treatment.n_archive; i++) {
        known[i] = (struct policy_known){.address = rule->treatment.archive[i], .state = LOOKUP_FAILED};
        for (size_t k = e->n_recipients; k < e->lookup.n; k++) {
            const struct keys_answer *answer = &found->answers[k];
            if (strcmp(e->lookup.addresses[k], known[i].address) != 0 || answer->state != LOOKUP_DONE)
                continue;
            known[i].state = LOOKUP_DONE;
            known[i].list = &answer->list;
        }
    }
}

static json_t *explain_one(struct explanation *e, const struct keys_found *found, size_t index)
{
    const char *recipient = e->lookup.addresses[index];
    const struct keys_answer *answer = &found->answers[index];
    struct policy_known archives[KEYS_ADDED_MAX];
    const struct control_settings *settings = control_session_settings(e->session);
    const char *from = text_of(e->request, "from");
    const char *subject = text_of(e->request, "subject");
    const char *user = text_of(e->request, "user"), *client = text_of(e->request, "client");
    char *const froms[] = {(char *)(uintptr_t)from};
    struct policy_facts facts = {
        .reverse_path = from,
        .user = client ? NULL
                : user ? user
                       : "",
        .client = client,
        .listener = text_of(e->request, "listener") ? text_of(e->request, "listener") : "",
        .recipient = recipient,
        .content_known = true,
        .subject = subject ? subject : "",
        .header = buf_span(&e->header),
        .from = froms,
        .n_from = 1,
    };
    const struct policy_rule *rule = policy_match(settings->policy, &facts);
    struct policy_decision d;
    size_t n_archives =
        rule->treatment.n_archive < KEYS_ADDED_MAX ? rule->treatment.n_archive : KEYS_ADDED_MAX;
    find_archives(e, found, rule, archives);
    policy_decide_archived(rule, answer->state, &answer->list, archives, n_archives, &d);
    json_t *candidates = json_array();
    for (size_t i = 0; i < answer->list.n; i++)
        json_array_append_new(candidates, describe_certificate(&answer->list.items[i]));
    enum certificate_format preferred = answer->list.preferred;
    return json_pack("{s:s, s:s, s:s, s:s, s:o, s:s?, s:o, s:o, s:o, s:o}", "recipient", recipient, "rule",
                     rule->name, "protect", protect_word(rule->protect), "action", action_word(d.action),
                     "reason", control_text(d.reason), "preferred",
                     preferred ? certificate_format_word(preferred) : NULL, "certificate",
                     d.certificate ? describe_certificate(d.certificate) : json_null(), "candidates",
                     candidates, "treatment", describe_treatment(rule, &d), "tls",
                     describe_tls(settings, rule, recipient));
}

static void on_found(void *arg, enum status status, struct ipc_msg *reply, const struct error *why)
{
    struct explanation *e = arg;
    struct keys_found found = {0};
    struct error err;
    if (status == STATUS_OK)
        status = keys_found_unpack(buf_span(&reply->body), &found, &err);
    else
        err = *why;
    if (status == STATUS_OK && found.n == e->lookup.n) {
        json_t *recipients = json_array();
        for (size_t i = 0; i < e->n_recipients; i++)
            json_array_append_new(recipients, explain_one(e, &found, i));
        control_session_answer(e->session, json_pack("{s:b, s:o}", "ok", 1, "recipients", recipients));
    } else {
        if (status == STATUS_OK)
            error_set(&err, STATUS_INTERNAL, "the keystore answered for another number of recipients");
        error_prefix(&err, "the certificates could not be looked up");
        control_session_answer_error(e->session, &err);
    }
    keys_found_free(&found);
    explanation_free(e);
}

/* Which rule decides is known for each recipient later, so the archives of all are looked up, each once. */
static enum status add_archives(struct explanation *e, struct error *err)
{
    const struct policy_settings *policy = control_session_settings(e->session)->policy;
    for (size_t r = 0; r < policy->n_rules; r++) {
        const struct policy_treatment *t = &policy->rules[r].treatment;
        for (size_t i = 0; i < t->n_archive; i++) {
            bool known = e->lookup.n >= e->n_recipients + KEYS_ADDED_MAX;
            for (size_t k = e->n_recipients; k < e->lookup.n && !known; k++)
                known = strcmp(e->lookup.addresses[k], t->archive[i]) == 0;
            char *copy = known ? NULL : strdup(t->archive[i]);
            if (!known && !copy)
                return error_set(err, STATUS_TEMPORARY, "out of memory for the archives");
            if (copy)
                e->lookup.addresses[e->lookup.n++] = copy;
        }
    }
    return STATUS_OK;
}

static enum status read_recipients(struct explanation *e, struct error *err)
{
    json_t *to = json_object_get(e->request, "to");
    size_t n = json_array_size(to);
    if (!text_of(e->request, "from") || n == 0 || n > ENVELOPE_RECIPIENTS_MAX)
        return error_set(err, STATUS_INVALID, "explain needs from, and to with one or more recipients");
    e->lookup.addresses = calloc(n + KEYS_ADDED_MAX, sizeof *e->lookup.addresses);
    if (!e->lookup.addresses)
        return error_set(err, STATUS_TEMPORARY, "out of memory for the recipients");
    for (size_t i = 0; i < n; i++) {
        const char *address = json_string_value(json_array_get(to, i));
        char *copy = address ? strdup(address) : NULL;
        if (!copy)
            return error_set(err, STATUS_INVALID, "a recipient is no text");
        e->lookup.addresses[e->lookup.n++] = copy;
    }
    e->n_recipients = n;
    return add_archives(e, err);
}

static enum status read_headers(struct explanation *e, struct error *err)
{
    size_t i;
    json_t *field;
    buf_init(&e->header, HEADER_MAX);
    json_array_foreach(json_object_get(e->request, "headers"), i, field)
    {
        const char *text = json_string_value(field);
        if (!text || !strchr(text, ':') || strpbrk(text, "\r\n"))
            return error_set(err, STATUS_INVALID, "a header is not of the form \"Name: value\"");
        buf_printf(&e->header, "%s\r\n", text);
    }
    return buf_check(&e->header, "headers", err);
}

void explain_do(struct session *session, json_t *request)
{
    struct call_limits limits = {.taken_ms = 30000, .total_ms = 30000};
    struct error err;
    struct buf body;
    struct explanation *e = calloc(1, sizeof *e);
    if (!e) {
        error_set(&err, STATUS_TEMPORARY, "out of memory for the request");
        control_session_answer_error(session, &err);
        return;
    }
    *e = (struct explanation){.session = session, .request = json_incref(request)};
    buf_init(&body, IPC_BODY_MAX);
    enum status st = read_headers(e, &err);
    if (st == STATUS_OK)
        st = read_recipients(e, &err);
    if (st == STATUS_OK) {
        keys_lookup_pack(&body, &e->lookup);
        st = buf_check(&body, "lookup", &err);
    }
    if (st == STATUS_OK &&
        !call_start(control_session_base(session), control_session_settings(session)->keys_lookup_service,
                    KEYS_LOOKUP, buf_span(&body), NULL, 0, limits, on_found, e, &err))
        st = err.status;
    buf_free(&body);
    if (st != STATUS_OK) {
        control_session_answer_error(session, &err);
        explanation_free(e);
    }
}
