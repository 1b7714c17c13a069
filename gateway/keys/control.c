/* The key verbs of sealctl. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/jobs/control_job.h"
#include "gateway/keys/role.h"

#define SOURCE_BY_HAND "local"

/* A verb fills LIST, which is the answer. */
typedef enum status verb_fn(struct keys_role *role, json_t *request, struct certificate_list *list,
                            struct error *err);

struct verb {
    const char *name;
    verb_fn *run;
    bool with_data; /* the answer has the certificates' bytes */
};

/* ---- arguments ---- */

static enum status read_text(json_t *request, const char *key, const char **text_out, struct error *err)
{
    *text_out = json_string_value(json_object_get(request, key));
    return *text_out ? STATUS_OK : error_set(err, STATUS_INVALID, "the request has no text \"%s\"", key);
}

/* ---- log ---- */

static void log_change(const struct keys_role *role, const char *event, const struct certificate *c)
{
    struct log_line line;

    log_start(&line, role->settings->log, LOG_LEVEL_NOTICE, event);
    log_str(&line, "format", certificate_format_word(c->format));
    log_str(&line, "fingerprint", c->fingerprint);
    log_str(&line, "addresses", c->addresses);
    log_str(&line, "source", c->source);
    log_str(&line, "usable", c->usable ? "yes" : "no");
    log_str(&line, "reason", c->usable ? NULL : c->reason);
    log_end(&line);
}

/* ---- verbs ---- */

static enum status list_all(struct keys_role *role, json_t *request, struct certificate_list *list,
                            struct error *err)
{
    (void)request;
    return keystore_list(role->keystore, list, err);
}

static enum status list_expiring(struct keys_role *role, json_t *request, struct certificate_list *list,
                                 struct error *err)
{
    json_t *days = json_object_get(request, "days");
    json_int_t n = json_integer_value(days);

    if (!json_is_integer(days) || n < 0 || n > INT_MAX)
        return error_set(err, STATUS_INVALID, "\"days\" is no number of days");
    return keystore_expiring(role->keystore, (int)n, list, err);
}

static enum status show(struct keys_role *role, json_t *request, struct certificate_list *list,
                        struct error *err)
{
    const char *fingerprint;
    enum status st = read_text(request, "fingerprint", &fingerprint, err);

    return st == STATUS_OK ? keystore_show(role->keystore, fingerprint, list, err) : st;
}

static enum status lookup(struct keys_role *role, json_t *request, struct certificate_list *list,
                          struct error *err)
{
    const char *address;
    enum status st = read_text(request, "address", &address, err);

    return st == STATUS_OK ? keystore_lookup(role->keystore, address, list, err) : st;
}

static enum status add(struct keys_role *role, json_t *request, struct certificate_list *list,
                       struct error *err)
{
    const char *data, *source = SOURCE_BY_HAND;
    struct buf file;
    enum status st = read_text(request, "data", &data, err);

    if (st == STATUS_OK && json_object_get(request, "source"))
        st = read_text(request, "source", &source, err);
    if (st != STATUS_OK)
        return st;
    buf_init(&file, CONTROL_REQUEST_MAX);
    st = keys_base64_decode(data, &file, err);
    if (st == STATUS_OK)
        st = keystore_add(role->keystore, buf_span(&file), source, list, err);
    buf_free(&file);
    for (size_t i = 0; st == STATUS_OK && i < list->n; i++)
        log_change(role, "key-added", &list->items[i]);
    return st;
}

/* The answer is what was there. */
static enum status remove_one(struct keys_role *role, json_t *request, struct certificate_list *list,
                              struct error *err)
{
    enum status st = show(role, request, list, err);

    if (st == STATUS_OK)
        st = keystore_remove(role->keystore, list->items[0].fingerprint, err);
    if (st == STATUS_OK)
        log_change(role, "key-removed", &list->items[0]);
    return st;
}

static const struct verb verbs[] = {
    {"key.list", list_all, false}, {"key.expiring", list_expiring, false},
    {"key.show", show, true},      {"key.lookup", lookup, false},
    {"key.add", add, false},       {"key.remove", remove_one, false},
};

/* ---- answering ---- */

static const struct verb *find_verb(json_t *request, struct error *err)
{
    const char *name = json_string_value(json_object_get(request, "verb"));

    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    error_set(err, STATUS_INVALID, "the keys role has no verb %s", name);
    return NULL;
}

static json_t *list_json(const struct certificate_list *list, bool with_data)
{
    json_t *array = json_array();

    for (size_t i = 0; i < list->n; i++) {
        if (json_array_append_new(array, keys_certificate_json(&list->items[i], with_data)) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return json_pack("{s:b, s:o}", "ok", 1, "certificates", array);
}

static enum status run(struct keys_role *role, struct request *request, json_t *json, struct error *err)
{
    struct certificate_list list = {0};
    const struct verb *verb = find_verb(json, err);

    if (!verb)
        return err->status;
    enum status st = verb->run(role, json, &list, err);
    if (st == STATUS_OK)
        control_reply_json(request, list_json(&list, verb->with_data));
    certificate_list_free(&list);
    return st;
}

void keys_control_request(void *arg, struct request *request)
{
    struct keys_role *role = arg;
    struct error err;
    json_t *json = NULL;

    if (request->msg.type == CONTROL_REQUEST)
        json = control_request_parse(buf_span(&request->msg.body), &err);
    else
        error_set(&err, STATUS_INVALID, "a request of type %u", (unsigned)request->msg.type);
    if (!json || run(role, request, json, &err) != STATUS_OK)
        control_reply_error(request, &err);
    json_decref(json);
    request_free(request);
    free(request);
}
