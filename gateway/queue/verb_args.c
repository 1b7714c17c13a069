/* Arguments of the verbs, and values of their replies. */
#include <stdio.h>

#include "base/clock.h"
#include "base/id.h"
#include "gateway/queue/verbs.h"

enum status args_id(const json_t *args, const char **id_out, struct error *err)
{
    const char *id = json_string_value(json_object_get(args, "id"));
    if (!id || !id_is_valid(id))
        return error_set(err, STATUS_INVALID,
                         "\"id\" must be a queue id: 20 characters 0-9 and a-v, as in the 250 reply");
    *id_out = id;
    return STATUS_OK;
}

enum status args_int(const json_t *args, const char *name, int64_t fallback, int64_t max, int64_t *value_out,
                     struct error *err)
{
    const json_t *value = json_object_get(args, name);
    *value_out = fallback;
    if (!value || json_is_null(value))
        return STATUS_OK;
    if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) > max)
        return error_set(err, STATUS_INVALID, "\"%s\" must be a number from 0 to %lld", name, (long long)max);
    *value_out = json_integer_value(value);
    return STATUS_OK;
}

json_t *reply_text(const char *text)
{
    if (!text)
        return json_null();
    json_t *string = json_string(text);
    if (string)
        return string;
    struct buf b;
    buf_init(&b, (size_t)1 << 20);
    for (const char *p = text; *p; p++) {
        if ((unsigned char)*p < 0x80)
            buf_append_char(&b, *p);
        else
            buf_printf(&b, "\\x%02x", (unsigned char)*p);
    }
    string = json_string(buf_str(&b));
    buf_free(&b);
    return string;
}

json_t *reply_time(int64_t wall_ms)
{
    char iso[CLOCK_ISO_SIZE];

    if (wall_ms == 0)
        return json_null();
    clock_iso(wall_ms, iso);
    return json_string(iso);
}
