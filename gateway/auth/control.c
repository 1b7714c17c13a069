/* The guard verbs of sealctl: who is blocked, what was counted, who still tries without TLS. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "gateway/auth/role.h"
#include "gateway/jobs/control_job.h"

/* Rows in one answer: what a person reads in a status, and what a program asks for. */
#define STATUS_ROWS_MAX 20
#define LIST_ROWS_MAX 10000

/* ---- rows as JSON ---- */

static json_t *time_json(int64_t ms)
{
    char text[CLOCK_ISO_SIZE];
    clock_iso(ms, text);
    return json_string(text);
}

/* "VERB HELO" apart. */
static void add_clear(json_t *object, const char *detail)
{
    size_t verb = strcspn(detail, " ");
    json_object_set_new(object, "verb", json_stringn(detail, verb));
    json_object_set_new(object, "helo", detail[verb] ? control_text(detail + verb + 1) : json_null());
}

static json_t *row_json(const struct guard_row *row)
{
    json_t *object =
        json_pack("{s:s, s:o, s:I, s:o, s:o}", "kind", row->kind, "name", control_text(row->name), "count",
                  (json_int_t)row->count, "last", time_json(row->last_ms), "blocked-until",
                  row->blocked_until_ms ? time_json(row->blocked_until_ms) : json_null());
    if (object && row->detail && strcmp(row->kind, "clear") == 0)
        add_clear(object, row->detail);
    else if (object && row->detail)
        json_object_set_new(object, "addresses", control_text(row->detail));
    return object;
}

static void add_row(void *arg, const struct guard_row *row)
{
    json_array_append_new(arg, row_json(row));
}

/* NULL: ERR says why. */
static json_t *rows_json(struct auth_role *role, enum guard_select select, size_t max, struct error *err)
{
    json_t *rows = json_array();
    if (!rows) {
        error_set(err, STATUS_TEMPORARY, "out of memory for the answer");
    } else if (guard_each(role->guard, select, max, clock_wall_ms(), add_row, rows, err) != STATUS_OK) {
        json_decref(rows);
        rows = NULL;
    }
    return rows;
}

/* ---- verbs: each gives the answer, or NULL and ERR ---- */

typedef json_t *verb_fn(struct auth_role *role, const json_t *args, struct error *err);

static json_t *list(struct auth_role *role, const json_t *args, struct error *err)
{
    static const struct {
        const char *word;
        enum guard_select select;
    } words[] = {{"all", GUARD_ALL}, {"blocked", GUARD_BLOCKED}, {"clear", GUARD_CLEAR}};
    const char *word = json_string_value(json_object_get(args, "select"));
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(word ? word : "all", words[i].word) != 0)
            continue;
        json_t *rows = rows_json(role, words[i].select, LIST_ROWS_MAX, err);
        return rows ? json_pack("{s:o}", "rows", rows) : NULL;
    }
    error_set(err, STATUS_INVALID, "\"select\" is none of all, blocked and clear");
    return NULL;
}

static json_t *status(struct auth_role *role, const json_t *args, struct error *err)
{
    (void)args;
    json_t *blocked = rows_json(role, GUARD_BLOCKED, STATUS_ROWS_MAX, err);
    json_t *clear = blocked ? rows_json(role, GUARD_CLEAR, STATUS_ROWS_MAX, err) : NULL;
    if (clear)
        return json_pack("{s:o, s:o}", "blocked", blocked, "clear", clear);
    json_decref(blocked);
    return NULL;
}

static json_t *forget(struct auth_role *role, const json_t *args, struct error *err)
{
    const char *kind = json_string_value(json_object_get(args, "kind"));
    const char *name = json_string_value(json_object_get(args, "name"));
    if (!kind || !name)
        error_set(err, STATUS_INVALID, "the request lacks \"kind\" or \"name\"");
    else if (guard_forget(role->guard, kind, name, clock_wall_ms(), err) == STATUS_OK)
        return json_pack("{s:s, s:s}", "kind", kind, "name", name);
    return NULL;
}

static const struct {
    const char *name;
    verb_fn *run;
} verbs[] = {{"guard.list", list}, {"guard.status", status}, {"guard.forget", forget}};

static json_t *run(struct auth_role *role, const json_t *args, struct error *err)
{
    const char *name = json_string_value(json_object_get(args, "verb"));
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(verbs[i].name, name) == 0)
            return verbs[i].run(role, args, err);
    error_set(err, STATUS_INVALID, "the auth role has no verb %.60s", name);
    return NULL;
}

void auth_control_request(void *arg, struct request *request)
{
    struct auth_role *role = arg;
    struct error err = {0};
    json_t *args = NULL, *answer = NULL;
    if (request->msg.type == CONTROL_REQUEST)
        args = control_request_parse(buf_span(&request->msg.body), &err);
    else
        error_set(&err, STATUS_INVALID, "a message of type %u is no control request",
                  (unsigned)request->msg.type);
    if (args)
        answer = run(role, args, &err);
    if (answer || err.status == STATUS_OK) /* no answer and no error: out of memory, which it says */
        control_reply_json(request, answer);
    else
        control_reply_error(request, &err);
    json_decref(args);
    request_free(request);
    free(request);
}
