#include "gateway/delivery/control.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "gateway/jobs/control_job.h"
#include "gateway/tlsrpt/tlsrpt.h"
#include "gateway/wire/domain.h"

/* Lookups for administrators beside those for mail. */
#define ASKED_MAX 20

struct asked {
    LIST_ENTRY(asked) link;
    struct delivery_control *control;
    struct request *request;
    struct survey *survey;
};

struct delivery_control {
    struct survey_settings surveys;
    const struct tasks *tasks;
    struct tlsrpt *reports; /* NULL: none */
    int64_t since_ms;
    struct server *server;
    LIST_HEAD(, asked) asked;
    unsigned n_asked;
};

static void request_end(struct request *request)
{
    request_free(request);
    free(request);
}

static void asked_free(struct asked *asked)
{
    LIST_REMOVE(asked, link);
    asked->control->n_asked--;
    request_end(asked->request);
    free(asked);
}

static void on_survey(void *arg, json_t *answer)
{
    struct asked *asked = arg;
    control_reply_json(asked->request, answer);
    asked_free(asked);
}

/* "example.org" as delivery writes it, or NULL; to be freed. */
static char *domain_of(json_t *request)
{
    const char *domain = json_string_value(json_object_get(request, "domain"));
    if (!domain)
        return NULL;
    return domain_is_address_literal(span_str(domain)) ? strdup(domain) : domain_from_text(domain);
}

/* OK: the request is answered later. */
static enum status start_survey(struct delivery_control *control, struct request *request, json_t *json,
                                struct error *err)
{
    char *domain = domain_of(json);
    if (!domain)
        return error_set(err, STATUS_INVALID, "tls needs a domain, such as example.org");
    struct asked *asked = control->n_asked < ASKED_MAX ? calloc(1, sizeof *asked) : NULL;
    if (!asked) {
        free(domain);
        return error_set(err, STATUS_BUSY, "too many lookups at once; try again");
    }
    *asked = (struct asked){.control = control, .request = request};
    asked->survey = survey_start(&control->surveys, domain, json_is_true(json_object_get(json, "requiretls")),
                                 on_survey, asked, err);
    free(domain);
    if (!asked->survey) {
        free(asked);
        return err->status;
    }
    LIST_INSERT_HEAD(&control->asked, asked, link);
    control->n_asked++;
    return STATUS_OK;
}

#define REPORT_VERBS "delivery.tls-report."

/* What it fills ERR with instead is answered by the caller. */
static void ask_reports(struct delivery_control *control, struct request *request, const char *verb,
                        json_t *json, struct error *err)
{
    json_t *answer = NULL;
    if (control->reports)
        answer = tlsrpt_verb(control->reports, verb + strlen(REPORT_VERBS), json, err);
    else
        error_set(
            err, STATUS_NOT_FOUND,
            "TLS reports are off: see tls-reports in sealgate.conf(5); with a fixed route there are none");
    if (answer)
        control_reply_json(request, answer);
}

static json_t *reports_of(const struct tlsrpt *reports)
{
    const struct tlsrpt_counts *n = tlsrpt_counts(reports);
    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "sent", (json_int_t)n->sent, "failed",
                     (json_int_t)n->failed, "dropped", (json_int_t)n->dropped, "sessions",
                     (json_int_t)n->recorded, "sessions_lost", (json_int_t)n->not_recorded);
}

static json_t *status_of(const struct delivery_control *control)
{
    char since[CLOCK_ISO_SIZE];
    const uint64_t *ways = tasks_ways(control->tasks);
    json_t *delivered = json_object();
    for (int way = TLS_WAY_DANE_EE; way < TLS_WAYS; way++)
        json_object_set_new(delivered, tls_way_word((enum tls_way)way), json_integer((json_int_t)ways[way]));
    clock_iso(control->since_ms, since);
    return json_pack("{s:b, s:s, s:o, s:o*}", "ok", 1, "since", since, "delivered", delivered, "tls_reports",
                     control->reports ? reports_of(control->reports) : NULL);
}

static void on_request(void *arg, struct request *request)
{
    struct delivery_control *control = arg;
    struct error err = {0};
    json_t *json = NULL;
    if (request->msg.type == CONTROL_REQUEST)
        json = control_request_parse(buf_span(&request->msg.body), &err);
    else
        error_set(&err, STATUS_INVALID, "a request of type %u", (unsigned)request->msg.type);
    const char *verb = json ? json_string_value(json_object_get(json, "verb")) : "";
    bool later = false;
    if (json && strcmp(verb, "delivery.tls") == 0)
        later = start_survey(control, request, json, &err) == STATUS_OK;
    else if (json && strcmp(verb, "delivery.status") == 0)
        control_reply_json(request, status_of(control));
    else if (json && strncmp(verb, REPORT_VERBS, strlen(REPORT_VERBS)) == 0)
        ask_reports(control, request, verb, json, &err);
    else if (json)
        error_set(&err, STATUS_INVALID, "the delivery role has no verb %s", verb);
    json_decref(json);
    if (later)
        return;
    if (err.status != STATUS_OK)
        control_reply_error(request, &err);
    request_end(request);
}

struct delivery_control *delivery_control_start(const struct survey_settings *surveys,
                                                const struct tasks *tasks, struct tlsrpt *reports,
                                                int service_fd, struct error *err)
{
    struct delivery_control *control = calloc(1, sizeof *control);
    if (!control) {
        error_set(err, STATUS_TEMPORARY, "out of memory for the control service");
        return NULL;
    }
    *control = (struct delivery_control){
        .surveys = *surveys, .tasks = tasks, .reports = reports, .since_ms = clock_wall_ms()};
    LIST_INIT(&control->asked);
    control->server = server_start(surveys->base, service_fd, true, on_request, control, err);
    if (control->server)
        return control;
    free(control);
    return NULL;
}

void delivery_control_drain(struct delivery_control *control)
{
    if (control->server)
        server_stop(control->server);
    control->server = NULL;
}

void delivery_control_stop(struct delivery_control *control)
{
    delivery_control_drain(control);
    while (!LIST_EMPTY(&control->asked)) {
        struct asked *asked = LIST_FIRST(&control->asked);
        survey_cancel(asked->survey);
        asked_free(asked);
    }
    free(control);
}
