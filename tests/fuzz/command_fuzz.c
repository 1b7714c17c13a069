/*
 * Command lines: verb, arguments, parameters of MAIL and RCPT, client name. What is accepted is clean (A9),
 * the order of parameters does not matter, and whatever a reply repeats of it stays one well-formed reply.
 * Input: a line without CRLF.
 */
#include "gateway/wire/command.h"
#include "gateway/wire/domain.h"
#include "gateway/wire/orcpt.h"
#include "gateway/wire/param.h"
#include "gateway/wire/reply.h"
#include "gateway/wire/xtext.h"
#include "tests/fuzz/fuzz.h"

#define TEXT_MAX (1u << 16)

/* The words of TEXT, last first. */
static void reverse_words(struct span text, struct buf *out)
{
    struct span words[64];
    size_t n = 0;
    while (n < 64 && (words[n] = command_word(&text)).len > 0)
        n++;
    buf_init(out, TEXT_MAX);
    buf_append_char(out, ' ');
    while (n-- > 0) {
        buf_append_span(out, words[n]);
        buf_append_char(out, ' ');
    }
}

static void check_envid(struct span envid)
{
    struct buf value;
    if (envid.len == 0)
        return;
    require(envid.len <= PARAM_ENVID_MAX && xtext_is_valid(envid));
    buf_init(&value, TEXT_MAX);
    require(xtext_decode(envid, &value) && value.len <= envid.len);
    require_clean(buf_span(&value));
    buf_free(&value);
}

static void check_mail(struct span text)
{
    struct mail_params params, turned;
    struct span which;
    struct buf reversed;
    enum param_result result = param_parse_mail(text, &params, &which);
    require_within(which, text);
    require(result == PARAM_OK || which.len > 0);
    if (result != PARAM_OK)
        return;
    require_within(params.envid, text);
    require(!params.ret || span_is(span_str(params.ret), "FULL") || span_is(span_str(params.ret), "HDRS"));
    require(!params.body_8bit || params.has_body);
    check_envid(params.envid);
    reverse_words(text, &reversed);
    require(param_parse_mail(buf_span(&reversed), &turned, &which) == PARAM_OK);
    require(turned.size == params.size && turned.ret == params.ret && span_eq(turned.envid, params.envid));
    require(turned.smtputf8 == params.smtputf8 && turned.requiretls == params.requiretls);
    buf_free(&reversed);
}

static void check_orcpt(const struct rcpt_params *params)
{
    struct buf ascii;
    bool eight_bit = false;
    if (params->orcpt.len == 0)
        return;
    require(params->orcpt.len <= ORCPT_MAX && orcpt_is_valid(params->orcpt, &eight_bit));
    require(eight_bit == params->orcpt_8bit);
    buf_init(&ascii, TEXT_MAX);
    orcpt_append_ascii(params->orcpt, &ascii);
    require(!ascii.failed && ascii.len <= ORCPT_MAX);
    require_clean(buf_span(&ascii));
    require(!memchr(ascii.data, ' ', ascii.len));
    require(orcpt_is_valid(buf_span(&ascii), &eight_bit) && !eight_bit);
    buf_free(&ascii);
}

static void check_rcpt(struct span text)
{
    struct rcpt_params params, turned;
    struct span which;
    struct buf reversed;
    enum param_result result = param_parse_rcpt(text, &params, &which);
    require_within(which, text);
    require(result == PARAM_OK || which.len > 0);
    if (result != PARAM_OK)
        return;
    /* NEVER stands alone (RFC 3461 §4.1). */
    require(!(params.notify & PARAM_NOTIFY_NEVER) || params.notify == PARAM_NOTIFY_NEVER);
    require(!params.notify == !param_notify_text(params.notify));
    require_within(params.orcpt, text);
    check_orcpt(&params);
    reverse_words(text, &reversed);
    require(param_parse_rcpt(buf_span(&reversed), &turned, &which) == PARAM_OK);
    require(turned.notify == params.notify && span_eq(turned.orcpt, params.orcpt));
    buf_free(&reversed);
}

static void check_reply(struct span text)
{
    struct buf out;
    char *copy = span_dup(text);
    if (!copy)
        return;
    buf_init(&out, 1u << 20);
    reply_format(&out, 550, "5.7.1", copy);
    const char *line = buf_str(&out);
    while (*line) {
        const char *end = strstr(line, "\r\n");
        require(end && end + 2 - line <= REPLY_LINE_MAX && strncmp(line, "550", 3) == 0);
        require_clean(span_of(line, (size_t)(end - line)));
        line = end + 2;
    }
    buf_free(&out);
    free(copy);
}

static void check_command(struct span line, const struct command *command)
{
    require(command->verb.len > 0 && command->verb.p == line.p);
    require_within(command->args, line);
    for (size_t i = 0; i < line.len; i++)
        require(((uint8_t)line.p[i] >= ' ' && line.p[i] != 0x7f) || line.p[i] == '\t');
    if (command->args.len > 0)
        require(line.p[command->verb.len] == ' ' && command->args.p == line.p + command->verb.len + 1);
    if (domain_is_client_name(command->args))
        require_clean(command->args);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct span line = span_of(bytes, len);
    struct command command;
    check_reply(line);
    if (!command_parse(line, &command))
        return 0;
    check_command(line, &command);
    /* Behind the path; it has a fuzzer of its own. */
    const char *close = command.args.len ? memchr(command.args.p, '>', command.args.len) : NULL;
    if (close) {
        struct span rest = span_of(close + 1, command.args.len - (size_t)(close + 1 - command.args.p));
        check_mail(rest);
        check_rcpt(rest);
    }
    return 0;
}
