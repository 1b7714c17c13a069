#include "gateway/jobs/control_job.h"

#include <stdlib.h>
#include <string.h>

json_t *control_request_parse(struct span body, struct error *err)
{
    json_error_t why;
    if (body.len > CONTROL_REQUEST_MAX) {
        error_set(err, STATUS_LIMIT, "a request of %zu bytes is over the limit of %u", body.len,
                  CONTROL_REQUEST_MAX);
        return NULL;
    }
    json_t *request = json_loadb(body.p ? body.p : "", body.len, JSON_REJECT_DUPLICATES, &why);
    if (!request) {
        error_set(err, STATUS_INVALID, "the request is no JSON: line %d, column %d", why.line, why.column);
        return NULL;
    }
    /* json_string_value is NULL for anything but a string in an object. */
    const char *verb = json_string_value(json_object_get(request, "verb"));
    if (verb && *verb)
        return request;
    json_decref(request);
    error_set(err, STATUS_INVALID, "the request is no JSON object with a string \"verb\"");
    return NULL;
}

static void send_text(struct request *request, const char *text)
{
    struct error err;
    /* When it cannot be sent, the caller sees the reply descriptor close, which is an error there. */
    if (request_reply(request, CONTROL_REPLY, span_str(text), NULL, 0, &err) != STATUS_OK)
        return;
}

void control_reply_json(struct request *request, json_t *object)
{
    static const char no_memory[] =
        "{\"ok\":false,\"class\":\"temporary\",\"error\":\"out of memory for the reply; try again\"}";
    char *text = NULL;
    bool said = object && json_object_get(object, "ok");
    if (object && (said || json_object_set_new(object, "ok", json_true()) == 0))
        text = json_dumps(object, JSON_COMPACT);
    send_text(request, text ? text : no_memory);
    free(text);
    json_decref(object);
}

json_t *control_text(const char *text)
{
    json_t *string = json_string(text);
    if (string)
        return string;
    char plain[ERROR_TEXT_MAX];
    size_t i = 0;
    for (; text[i] && i < sizeof plain - 1; i++)
        plain[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
    plain[i] = '\0';
    return json_string(plain);
}

void control_reply_error(struct request *request, const struct error *err)
{
    control_reply_json(request, json_pack("{s:b, s:s, s:o}", "ok", 0, "class", status_word(err->status),
                                          "error", control_text(err->text)));
}
