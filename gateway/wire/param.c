#include "gateway/wire/ascii.h"
#include "gateway/wire/command.h"
#include "gateway/wire/param_private.h"

static bool keyword_is_valid(struct span s)
{
    if (s.len == 0 || s.p[0] == '-')
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (!ascii_is_letter(s.p[i]) && !ascii_is_digit(s.p[i]) && s.p[i] != '-')
            return false;
    return true;
}

/* esmtp-value: no control character, space or "="; bytes over 127 (RFC 6531 §3.3) are for the parameter to
 * judge. */
static bool value_is_valid(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (ascii_is_control(s.p[i]) || s.p[i] == ' ' || s.p[i] == '=')
            return false;
    return s.len > 0;
}

static bool param_split(struct span word, struct param *param_out)
{
    const char *equals = memchr(word.p, '=', word.len);
    size_t len = equals ? (size_t)(equals - word.p) : word.len;
    param_out->keyword = span_of(word.p, len);
    param_out->value = equals ? span_of(equals + 1, word.len - len - 1) : span_of(NULL, 0);
    return keyword_is_valid(param_out->keyword) && (!equals || value_is_valid(param_out->value));
}

enum param_result param_parse(struct span text, param_set_fn *set, void *params, struct span *which_out)
{
    struct param param;
    for (;;) {
        *which_out = command_word(&text);
        if (which_out->len == 0)
            return PARAM_OK;
        if (!param_split(*which_out, &param))
            return PARAM_SYNTAX;
        enum param_result result = set(params, &param);
        if (result != PARAM_OK)
            return result;
    }
}
