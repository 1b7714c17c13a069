#include "gateway/wire/orcpt.h"
#include "gateway/wire/param_private.h"

static const struct {
    const char *word;
    enum param_notify flag;
} notify_words[] = {
    {"NEVER", PARAM_NOTIFY_NEVER},
    {"SUCCESS", PARAM_NOTIFY_SUCCESS},
    {"FAILURE", PARAM_NOTIFY_FAILURE},
    {"DELAY", PARAM_NOTIFY_DELAY},
};

#define N_NOTIFY_WORDS (sizeof notify_words / sizeof *notify_words)

/* 0: none of them. */
static unsigned notify_flag(struct span word)
{
    for (size_t i = 0; i < N_NOTIFY_WORDS; i++)
        if (span_is(word, notify_words[i].word))
            return notify_words[i].flag;
    return 0;
}

/* Takes what stands before the next comma from the front of *LIST, which has one more element. */
static struct span next_element(struct span *list, bool *more_out)
{
    const char *comma = list->len ? memchr(list->p, ',', list->len) : NULL;
    struct span element = comma ? span_of(list->p, (size_t)(comma - list->p)) : *list;
    *more_out = comma != NULL;
    if (comma)
        *list = span_of(comma + 1, list->len - element.len - 1);
    return element;
}

static enum param_result set_notify(struct rcpt_params *params, struct span value)
{
    unsigned notify = 0;
    bool more = true;
    if (params->notify)
        return PARAM_DUPLICATE;
    while (more) {
        unsigned flag = notify_flag(next_element(&value, &more));
        if (!flag)
            return PARAM_SYNTAX;
        notify |= flag;
    }
    params->notify = notify;
    bool alone = notify == PARAM_NOTIFY_NEVER;
    return alone || !(notify & PARAM_NOTIFY_NEVER) ? PARAM_OK : PARAM_SYNTAX;
}

static enum param_result set_orcpt(struct rcpt_params *params, struct span value)
{
    if (params->orcpt.len > 0)
        return PARAM_DUPLICATE;
    params->orcpt = value;
    return orcpt_is_valid(value, &params->orcpt_8bit) ? PARAM_OK : PARAM_SYNTAX;
}

static enum param_result set(void *arg, const struct param *param)
{
    if (span_is(param->keyword, "NOTIFY"))
        return set_notify(arg, param->value);
    if (span_is(param->keyword, "ORCPT"))
        return set_orcpt(arg, param->value);
    return PARAM_UNKNOWN;
}

enum param_result param_parse_rcpt(struct span text, struct rcpt_params *params_out, struct span *which_out)
{
    *params_out = (struct rcpt_params){0};
    return param_parse(text, set, params_out, which_out);
}

const char *param_notify_text(unsigned notify)
{
    static const char *const lists[] = {"SUCCESS",       "FAILURE",       "SUCCESS,FAILURE",      "DELAY",
                                        "SUCCESS,DELAY", "FAILURE,DELAY", "SUCCESS,FAILURE,DELAY"};
    if (notify & PARAM_NOTIFY_NEVER)
        return "NEVER";
    unsigned i = notify / PARAM_NOTIFY_SUCCESS;
    return i > 0 && i <= sizeof lists / sizeof *lists ? lists[i - 1] : NULL;
}
