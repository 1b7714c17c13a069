#include "gateway/delivery/outcome.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void outcome_local(struct result *r, enum failure_class failure, const char *status, const char *format, ...)
{
    char text[REPLY_TEXT_MAX + 1];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    *r = (struct result){.failure = failure};
    snprintf(r->status, sizeof r->status, "%s", status);
    reply_escape(span_str(text), r->text, sizeof r->text);
}

static void set_reply(struct result *r, const struct reply_parser *reply, enum failure_class failure)
{
    *r = (struct result){.failure = failure, .is_reply = true};
    reply_parse_text(reply, r->text);
    if (reply->enhanced[0])
        snprintf(r->status, sizeof r->status, "%s", reply->enhanced);
    else
        snprintf(r->status, sizeof r->status, "%c.0.0",
                 reply->code >= 500   ? '5'
                 : reply->code >= 400 ? '4'
                                      : '2');
}

void outcome_reply(struct result *r, const struct reply_parser *reply)
{
    static const enum failure_class by_digit[] = {
        [2] = FAILURE_NONE, [3] = FAILURE_CONNECTION, [4] = FAILURE_TEMPORARY, [5] = FAILURE_PERMANENT};
    set_reply(r, reply, by_digit[reply->code / 100]);
}

void outcome_session_reply(struct result *r, const struct reply_parser *reply)
{
    set_reply(r, reply, reply->code >= 500 ? FAILURE_REFUSED : FAILURE_CONNECTION);
}

void outcome_not_final(struct result *r, enum failure_class failure)
{
    if (r->failure != FAILURE_PERMANENT && r->failure != FAILURE_REFUSED)
        return;
    r->failure = failure;
    r->status[0] = '4';
}

void outcome_add_host(struct result *sum, const struct result *host)
{
    if (sum->failure != FAILURE_CONNECTION || host->failure == FAILURE_CONNECTION)
        *sum = *host;
}

bool outcome_is_tls_trouble(const struct result *r)
{
    return r->failure == FAILURE_CONNECTION && !r->is_reply &&
           (strcmp(r->status, "4.7.4") == 0 || strcmp(r->status, "4.7.5") == 0);
}

enum delivery_outcome outcome_decide(struct result *r, int64_t now_ms, int64_t expires_ms)
{
    switch (r->failure) {
    case FAILURE_NONE:
        return OUTCOME_DELIVERED;
    case FAILURE_PERMANENT:
    case FAILURE_REFUSED:
    case FAILURE_RETURN:
        return OUTCOME_BOUNCED;
    case FAILURE_UNSET:
        outcome_local(r, FAILURE_TEMPORARY, "4.3.0", "internal error: the attempt ended without a result");
        break;
    case FAILURE_TEMPORARY:
    case FAILURE_CONNECTION:
        break;
    }
    if (now_ms < expires_ms)
        return OUTCOME_DEFERRED;
    char last[REPLY_TEXT_MAX + 1];
    memcpy(last, r->text, sizeof last);
    snprintf(r->text, sizeof r->text, "could not be delivered in time; last try: %.440s", last);
    r->is_reply = false;
    r->failure = FAILURE_PERMANENT;
    snprintf(r->status, sizeof r->status, "4.4.7"); /* RFC 3463 §3.5: delivery time expired */
    return OUTCOME_BOUNCED;
}
