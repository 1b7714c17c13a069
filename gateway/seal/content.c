#include "gateway/seal/content.h"

#include "gateway/message/header.h"

bool seal_has_crlf_lines(struct span text)
{
    const char *at = text.p, *end = text.p + text.len;
    while (at < end) {
        const char *lf = memchr(at, '\n', (size_t)(end - at));
        if (!lf || lf == at || memchr(at, '\r', (size_t)(lf - at)) != lf - 1)
            return false;
        at = lf + 1;
    }
    return true;
}

static bool is_looping(struct span message)
{
    struct message_parts parts;
    struct header_field field;
    unsigned hops = 0;
    message_split(message, &parts);
    while (hops < SEAL_HOPS_MAX && header_next(&parts.header, &field))
        if (span_is(field.name, "Received"))
            hops++;
    return hops >= SEAL_HOPS_MAX;
}

enum status seal_content_check(struct span message, const struct prescan_limits *limits,
                               enum submit_outcome *outcome_out, struct error *err)
{
    *outcome_out = SUBMIT_REFUSED_CONTENT;
    if (message.len > 0 && memchr(message.p, '\0', message.len))
        return error_set(err, STATUS_INVALID, "the message holds NUL bytes, which mail must not");
    /*
     * submission lets nothing else pass. It is proven again here, because what is sealed must be in canonical
     * form (RFC 3156 §3, RFC 8551 §3.1.1), and because what a rule sends clear must not end early at the next
     * hop (A2).
     */
    if (!seal_has_crlf_lines(message))
        return error_set(err, STATUS_INVALID, "the message has lines that do not end in CRLF");
    /* What is put in front of it would swallow its first line. */
    if (message.len > 0 && (message.p[0] == ' ' || message.p[0] == '\t'))
        return error_set(err, STATUS_INVALID, "the message begins with the continuation of a field");
    enum status st = prescan_message(message, limits, err);
    if (st != STATUS_OK) {
        *outcome_out = st == STATUS_LIMIT || st == STATUS_INVALID ? SUBMIT_REFUSED_CONTENT : SUBMIT_LATER;
        return st;
    }
    if (!is_looping(message))
        return STATUS_OK;
    *outcome_out = SUBMIT_REFUSED_LOOP;
    return error_set(err, STATUS_INVALID, "mail loop: the message has %d or more Received fields",
                     SEAL_HOPS_MAX);
}
