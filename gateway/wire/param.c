#include "gateway/wire/param.h"

#include "gateway/wire/ascii.h"
#include "gateway/wire/command.h"

struct param {
    struct span keyword;
    struct span value; /* .p NULL: no "=" */
};

static bool keyword_is_valid(struct span s)
{
    if (s.len == 0 || s.p[0] == '-')
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (!ascii_is_letter(s.p[i]) && !ascii_is_digit(s.p[i]) && s.p[i] != '-')
            return false;
    return true;
}

/* esmtp-value: printable without space and "=". */
static bool value_is_valid(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!ascii_is_printable(s.p[i]) || s.p[i] == ' ' || s.p[i] == '=')
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

/* size-value: 1*20DIGIT (RFC 1870 §3). */
static bool parse_size(struct span value, uint64_t *size_out)
{
    uint64_t size = 0;
    if (value.len == 0 || value.len > 20)
        return false;
    for (size_t i = 0; i < value.len; i++) {
        if (!ascii_is_digit(value.p[i]))
            return false;
        if (__builtin_mul_overflow(size, 10u, &size) ||
            __builtin_add_overflow(size, (uint64_t)(value.p[i] - '0'), &size))
            size = UINT64_MAX;
    }
    *size_out = size;
    return true;
}

static bool is_upper_hex(char c)
{
    return ascii_is_digit(c) || (c >= 'A' && c <= 'F');
}

/* xtext (RFC 3461 §4), as AUTH= has it. */
static bool is_xtext(struct span value)
{
    for (size_t i = 0; i < value.len; i++) {
        if (value.p[i] != '+')
            continue;
        if (i + 2 >= value.len || !is_upper_hex(value.p[i + 1]) || !is_upper_hex(value.p[i + 2]))
            return false;
        i += 2;
    }
    return value.len > 0;
}

static enum param_result set_size(struct mail_params *params, struct span value)
{
    if (params->has_size)
        return PARAM_DUPLICATE;
    params->has_size = true;
    return parse_size(value, &params->size) ? PARAM_OK : PARAM_SYNTAX;
}

static enum param_result set_body(struct mail_params *params, struct span value)
{
    if (params->has_body)
        return PARAM_DUPLICATE;
    params->has_body = true;
    params->body_8bit = span_is(value, "8BITMIME");
    return params->body_8bit || span_is(value, "7BIT") ? PARAM_OK : PARAM_SYNTAX;
}

static enum param_result set_auth(struct mail_params *params, struct span value)
{
    if (params->has_auth)
        return PARAM_DUPLICATE;
    params->has_auth = true;
    return is_xtext(value) ? PARAM_OK : PARAM_SYNTAX;
}

static enum param_result set_param(struct mail_params *params, const struct param *param)
{
    if (span_is(param->keyword, "SIZE"))
        return set_size(params, param->value);
    if (span_is(param->keyword, "BODY"))
        return set_body(params, param->value);
    if (span_is(param->keyword, "AUTH"))
        return set_auth(params, param->value);
    return PARAM_UNKNOWN;
}

enum param_result param_parse_mail(struct span text, struct mail_params *params_out, struct span *which_out)
{
    struct param param;
    *params_out = (struct mail_params){0};
    for (;;) {
        *which_out = command_word(&text);
        if (which_out->len == 0)
            return PARAM_OK;
        if (!param_split(*which_out, &param))
            return PARAM_SYNTAX;
        enum param_result result = set_param(params_out, &param);
        if (result != PARAM_OK)
            return result;
    }
}

enum param_result param_parse_rcpt(struct span text, struct span *which_out)
{
    struct param param;
    *which_out = command_word(&text);
    if (which_out->len == 0)
        return PARAM_OK;
    return param_split(*which_out, &param) ? PARAM_UNKNOWN : PARAM_SYNTAX;
}
