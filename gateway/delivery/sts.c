#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "gateway/delivery/sts_private.h"

/* After a failure (§3.3: "five minutes or longer"). */
#define RETRY_MS ((int64_t)5 * 60 * 1000)

#define RECORD_LABEL "_mta-sts."
#define DNS_TEXT_MAX 253 /* of a name of 255 bytes on the wire (RFC 1035 §3.1), without its last dot */

/* ---- facts ---- */

void sts_facts_free(struct sts_facts *facts)
{
    buf_free(&facts->text);
    *facts = (struct sts_facts){0};
}

void sts_facts_tell(const struct sts_facts *facts, const char *mx_host, struct tls_known *known)
{
    known->sts = facts->state;
    known->sts_has_host = facts->text.len > 0 && sts_policy_allows(buf_span(&facts->text), mx_host);
    known->sts_why = facts->why;
}

static enum sts_state state_of(enum sts_mode mode)
{
    return mode == STS_MODE_ENFORCE ? STS_ENFORCE : mode == STS_MODE_TESTING ? STS_TESTING : STS_NONE;
}

/* FACTS of what is stored; ENTRY's text becomes theirs. */
static void take_entry(struct sts_facts *facts, struct sts_entry *entry, int64_t now_ms)
{
    struct error err;
    if (entry->text.len == 0 || entry->expires_ms <= now_ms)
        return;
    if (sts_policy_parse(buf_span(&entry->text), &facts->policy, &err) != STATUS_OK) {
        facts->state = STS_FAILED;
        snprintf(facts->why, sizeof facts->why, "the stored policy cannot be read: %s", err.text);
        return;
    }
    facts->state = state_of(facts->policy.mode);
    facts->text = entry->text;
    buf_init(&entry->text, STS_POLICY_MAX);
    memcpy(facts->id, entry->id, sizeof facts->id);
    facts->fetched_ms = entry->fetched_ms;
    facts->expires_ms = entry->expires_ms;
}

/* Only what is used is fetched again. A day is exact enough, and saves a write for each message. */
static void note_use(struct sts *sts, const char *domain, const struct sts_entry *entry, int64_t now_ms)
{
    struct error err;
    if (entry->used_ms <= now_ms - STS_DAY_MS && sts_store_use(sts->store, domain, now_ms, &err) != STATUS_OK)
        log_error(sts->settings->log, LOG_LEVEL_ERROR, "sts-not-stored", domain, &err);
}

static void look_up(struct sts *sts, const char *domain, struct sts_facts *facts, struct sts_entry *entry)
{
    int64_t now_ms = clock_wall_ms();
    struct error err;
    *facts = (struct sts_facts){.state = STS_NONE};
    buf_init(&facts->text, STS_POLICY_MAX);
    enum status st = sts_store_get(sts->store, domain, entry, &err);
    if (st == STATUS_OK) {
        note_use(sts, domain, entry, now_ms);
        take_entry(facts, entry, now_ms);
    }
    if (st == STATUS_OK || st == STATUS_NOT_FOUND)
        return;
    facts->state = STS_FAILED;
    snprintf(facts->why, sizeof facts->why, "the MTA-STS policies cannot be read: %s", err.text);
    log_error(sts->settings->log, LOG_LEVEL_ERROR, "sts-not-read", domain, &err);
}

/* ---- answers ---- */

void sts_cancel(struct sts_query *query)
{
    if (query->dns)
        resolver_cancel(query->dns);
    if (query->job)
        LIST_REMOVE(query, link);
    free(query->domain);
    free(query);
}

static void answer(struct sts_query *query, struct sts_facts *facts)
{
    query->found(query->arg, facts);
    sts_cancel(query);
}

/* What is stored, or where nothing is, OTHERWISE; and WHY it is not what DNS or (FETCH) the policy host
 * should have said. */
static void answer_stored(struct sts_query *query, enum sts_state otherwise, enum sts_fetch_result fetch,
                          const char *why)
{
    struct sts_facts facts;
    struct sts_entry entry;
    look_up(query->sts, query->domain, &facts, &entry);
    facts.fetch = fetch;
    if (facts.state != STS_FAILED) {
        snprintf(facts.why, sizeof facts.why, "%s", why);
        if (facts.text.len == 0)
            facts.state = otherwise;
    }
    sts_entry_free(&entry);
    answer(query, &facts);
}

/* DNS may well say that there is a policy: what keeps us from it is never taken for "none". */
static void answer_failed(struct sts_query *query, const char *why)
{
    answer_stored(query, STS_FAILED, STS_FETCHED, why);
}

/* A policy that could not be stored still holds for those who wait. */
static void facts_of_fetched(const struct sts_job *job, const struct sts_fetched *fetched,
                             struct sts_facts *facts)
{
    int64_t now_ms = clock_wall_ms();
    *facts = (struct sts_facts){.state = state_of(fetched->policy.mode),
                                .policy = fetched->policy,
                                .fetched_ms = now_ms,
                                .expires_ms = now_ms + fetched->policy.max_age_s * 1000};
    memcpy(facts->id, job->id, sizeof facts->id);
    buf_init(&facts->text, STS_POLICY_MAX);
    buf_append_span(&facts->text, fetched->text);
    if (!facts->text.failed)
        return;
    facts->state = STS_FAILED;
    snprintf(facts->why, sizeof facts->why, "out of memory for the policy");
}

void sts_query_fetched(struct sts_query *query, const struct sts_job *job, const struct sts_fetched *fetched)
{
    struct sts_facts facts;
    if (fetched->result == STS_FETCHED) {
        facts_of_fetched(job, fetched, &facts);
        answer(query, &facts);
    } else if (fetched->result == STS_FETCH_LOCAL) {
        answer_failed(query, fetched->why);
    } else {
        answer_stored(query, STS_NONE, fetched->result, fetched->why);
    }
}

/* ---- a domain ---- */

static void fetch(struct sts_query *query, const char *id)
{
    struct error err;
    struct sts_job *job = sts_job_start(query->sts, query->domain, id, &err);
    if (!job) {
        answer_failed(query, err.text);
        return;
    }
    query->job = job;
    LIST_INSERT_HEAD(&job->waiting, query, link);
}

/* DNS says that there is a policy, with this ID. */
static void on_record(struct sts_query *query, const char *id)
{
    struct sts_facts facts;
    struct sts_entry entry;
    int64_t now_ms = clock_wall_ms();
    look_up(query->sts, query->domain, &facts, &entry);
    bool failed_lately = entry.tried_ms > now_ms - RETRY_MS && entry.tried_ms <= now_ms;
    bool known = facts.text.len > 0 && strcmp(facts.id, id) == 0;
    /* A stored policy that is not understood is only good for waiting until there is another. */
    bool no_store = facts.state == STS_FAILED && entry.text.len == 0;
    if (no_store || known || (failed_lately && strcmp(entry.tried_id, id) == 0)) {
        if (facts.state != STS_FAILED && failed_lately) {
            snprintf(facts.why, sizeof facts.why, "%s", entry.error);
            facts.fetch = entry.result;
        }
        answer(query, &facts);
    } else {
        sts_facts_free(&facts);
        fetch(query, id);
    }
    sts_entry_free(&entry);
}

/* The id of the one record of MTA-STS (§3.1); false: err. */
static bool pick_record(const struct txt_records *records, char id_out[STS_ID_MAX + 1], struct error *err)
{
    struct span record = {0}, id;
    size_t n = 0;
    for (size_t i = 0; i < records->n; i++)
        if (sts_is_record(txt_data(records, i))) {
            record = txt_data(records, i);
            n++;
        }
    if (n != 1) {
        error_set(err, STATUS_NOT_FOUND, "%s",
                  n ? "DNS has more than one MTA-STS record" : "no MTA-STS record");
        return false;
    }
    if (sts_record_parse(record, &id, err) != STATUS_OK)
        return false;
    memcpy(id_out, id.p, id.len);
    id_out[id.len] = '\0';
    return true;
}

/* A name that DNS cannot hold has no record. */
static bool is_too_long(const char *domain)
{
    return strlen(RECORD_LABEL) + strlen(domain) > DNS_TEXT_MAX;
}

/* §3.1: without a good record no policy is looked for; one that is known holds on all the same. That the
 * lookup failed does not say that there is none. */
static void on_txt(void *arg, const struct resolver_answer *dns)
{
    struct sts_query *query = arg;
    struct error err;
    char id[STS_ID_MAX + 1], why[STS_WHY_SIZE];
    query->dns = NULL;
    if (dns->state == RESOLVER_FOUND && pick_record(dns->txt, id, &err)) {
        on_record(query, id);
    } else if (dns->state == RESOLVER_FAILED && !is_too_long(query->domain)) {
        snprintf(why, sizeof why, "MTA-STS record: %s", dns->why);
        answer_failed(query, why);
    } else {
        answer_stored(query, STS_NONE, STS_FETCHED,
                      dns->state == RESOLVER_FOUND ? err.text : "no MTA-STS record");
    }
}

struct sts_query *sts_find(struct sts *sts, const char *domain, sts_found_fn *found, void *arg,
                           struct error *err)
{
    struct sts_query *query = calloc(1, sizeof *query);
    char name[DNS_NAME_SIZE + 16];
    snprintf(name, sizeof name, RECORD_LABEL "%s", domain);
    if (query) {
        *query = (struct sts_query){.sts = sts, .found = found, .arg = arg, .domain = strdup(domain)};
        if (query->domain)
            query->dns = resolver_txt(sts->settings->fetch.resolver, name, on_txt, query, err);
        if (query->dns)
            return query;
        sts_cancel(query);
    }
    error_set(err, STATUS_TEMPORARY, "out of memory for an MTA-STS policy");
    return NULL;
}

/* ---- all ---- */

enum status sts_open(const struct sts_settings *settings, struct sts **sts_out, struct error *err)
{
    struct sts *sts = calloc(1, sizeof *sts);
    const struct timeval tv = {.tv_sec = STS_REFRESH_STEP_S};
    if (!sts)
        return error_set(err, STATUS_TEMPORARY, "out of memory for MTA-STS");
    sts->settings = settings;
    sts->forgot_ms = clock_wall_ms();
    LIST_INIT(&sts->jobs);
    enum status st = sts_store_open(settings->path, sts->forgot_ms, &sts->store, err);
    if (st == STATUS_OK) {
        sts->refresh = event_new(settings->fetch.base, -1, EV_PERSIST, sts_on_refresh, sts);
        if (!sts->refresh || event_add(sts->refresh, &tv) < 0)
            st = error_set(err, STATUS_TEMPORARY, "out of memory for MTA-STS");
    }
    if (st != STATUS_OK) {
        sts_close(sts);
        return st;
    }
    *sts_out = sts;
    return STATUS_OK;
}

void sts_close(struct sts *sts)
{
    while (!LIST_EMPTY(&sts->jobs))
        sts_job_free(LIST_FIRST(&sts->jobs));
    if (sts->refresh)
        event_free(sts->refresh);
    if (sts->store)
        sts_store_close(sts->store);
    free(sts);
}
