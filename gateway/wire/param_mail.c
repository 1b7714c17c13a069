#include "gateway/wire/ascii.h"
#include "gateway/wire/param_private.h"
#include "gateway/wire/xtext.h"

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
    if (span_is(value, "BINARYMIME"))
        return PARAM_BINARY;
    return params->body_8bit || span_is(value, "7BIT") ? PARAM_OK : PARAM_SYNTAX;
}

static enum param_result set_auth(struct mail_params *params, struct span value)
{
    if (params->has_auth)
        return PARAM_DUPLICATE;
    params->has_auth = true;
    return xtext_is_valid(value) ? PARAM_OK : PARAM_SYNTAX;
}

static enum param_result set_ret(struct mail_params *params, struct span value)
{
    if (params->ret)
        return PARAM_DUPLICATE;
    params->ret = span_is(value, "FULL") ? "FULL" : span_is(value, "HDRS") ? "HDRS" : NULL;
    return params->ret ? PARAM_OK : PARAM_SYNTAX;
}

static enum param_result set_envid(struct mail_params *params, struct span value)
{
    if (params->envid.len > 0)
        return PARAM_DUPLICATE;
    params->envid = value;
    return value.len <= PARAM_ENVID_MAX && xtext_is_valid(value) ? PARAM_OK : PARAM_SYNTAX;
}

static enum param_result set_flag(bool *flag, struct span value)
{
    if (*flag)
        return PARAM_DUPLICATE;
    *flag = true;
    return value.p ? PARAM_SYNTAX : PARAM_OK;
}

static enum param_result set(void *arg, const struct param *param)
{
    struct mail_params *params = arg;
    if (span_is(param->keyword, "SIZE"))
        return set_size(params, param->value);
    if (span_is(param->keyword, "BODY"))
        return set_body(params, param->value);
    if (span_is(param->keyword, "AUTH"))
        return set_auth(params, param->value);
    if (span_is(param->keyword, "RET"))
        return set_ret(params, param->value);
    if (span_is(param->keyword, "ENVID"))
        return set_envid(params, param->value);
    if (span_is(param->keyword, "SMTPUTF8"))
        return set_flag(&params->smtputf8, param->value);
    if (span_is(param->keyword, "REQUIRETLS"))
        return set_flag(&params->requiretls, param->value);
    return PARAM_UNKNOWN;
}

enum param_result param_parse_mail(struct span text, struct mail_params *params_out, struct span *which_out)
{
    *params_out = (struct mail_params){0};
    return param_parse(text, set, params_out, which_out);
}
