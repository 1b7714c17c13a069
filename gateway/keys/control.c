/* The key verbs of sealctl: table, answers, and those that look; change.c has those that change. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/jobs/control_job.h"
#include "gateway/keys/verbs.h"

struct verb {
    const char *name;
    keys_verb_fn *run;
    bool with_data; /* the answer has the certificates' bytes */
};

/* ---- verbs ---- */

static enum status list_all(struct keys_role *role, json_t *request, struct verb_answer *answer,
                            struct error *err)
{
    (void)request;
    return keystore_list(role->keystore, &answer->list, err);
}

static enum status list_expiring(struct keys_role *role, json_t *request, struct verb_answer *answer,
                                 struct error *err)
{
    json_t *days = json_object_get(request, "days");
    json_int_t n = json_integer_value(days);

    if (!json_is_integer(days) || n < 0 || n > INT_MAX)
        return error_set(err, STATUS_INVALID, "\"days\" is no number of days");
    return keystore_expiring(role->keystore, (int)n, &answer->list, err);
}

static enum status show(struct keys_role *role, json_t *request, struct verb_answer *answer,
                        struct error *err)
{
    const char *fingerprint;
    enum status st = keys_read_text(request, "fingerprint", &fingerprint, err);

    return st == STATUS_OK ? keystore_show(role->keystore, fingerprint, &answer->list, err) : st;
}

static enum status lookup(struct keys_role *role, json_t *request, struct verb_answer *answer,
                          struct error *err)
{
    const char *address;
    enum status st = keys_read_text(request, "address", &address, err);

    if (st == STATUS_OK)
        st = keystore_lookup(role->keystore, address, &answer->list, err);
    if (st == STATUS_OK)
        answer->more = json_pack("{s:o}", "preferred", keys_format_json(answer->list.preferred));
    return st;
}

/* The answer is what was there. */
static enum status remove_one(struct keys_role *role, json_t *request, struct verb_answer *answer,
                              struct error *err)
{
    enum status st = show(role, request, answer, err);

    if (st == STATUS_OK)
        st = keystore_remove(role->keystore, answer->list.items[0].fingerprint, err);
    if (st == STATUS_OK)
        keys_log_change(role, "key-removed", &answer->list.items[0]);
    return st;
}

static const struct verb verbs[] = {
    {"key.list", list_all, false}, {"key.expiring", list_expiring, false}, {"key.show", show, true},
    {"key.lookup", lookup, false}, {"key.add", keys_add, false},           {"key.remove", remove_one, false},
    {"key.pin", keys_pin, false},  {"key.prefer", keys_prefer, false},
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

static json_t *answer_json(const struct verb_answer *answer, bool with_data)
{
    const struct certificate_list *list = &answer->list;
    json_t *array = json_array();

    for (size_t i = 0; i < list->n; i++) {
        if (json_array_append_new(array, keys_certificate_json(&list->items[i], with_data)) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    json_t *object = json_pack("{s:b, s:o}", "ok", 1, "certificates", array);
    if (object && answer->more && json_object_update(object, answer->more) != 0) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static enum status run(struct keys_role *role, struct request *request, json_t *json, struct error *err)
{
    struct verb_answer answer = {0};
    const struct verb *verb = find_verb(json, err);

    if (!verb)
        return err->status;
    enum status st = verb->run(role, json, &answer, err);
    if (st == STATUS_OK)
        control_reply_json(request, answer_json(&answer, verb->with_data));
    certificate_list_free(&answer.list);
    json_decref(answer.more);
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
