#include "gateway/wire/path.h"

#include "base/utf8.h"
#include "gateway/wire/ascii.h"
#include "gateway/wire/domain.h"

/* Length of the UTF8-non-ascii character at the front of TEXT (RFC 6531 §3.3); 0: none. */
static size_t utf8_length(struct span text)
{
    struct span rest = text;
    uint32_t c;
    if (!utf8_next(&rest, &c) || c < 0x80 || utf8_is_control(c))
        return 0;
    return text.len - rest.len;
}

/* Length of the Quoted-string at the front of TEXT; 0: none. */
static size_t quoted_length(struct span text)
{
    size_t i = 1;
    while (i < text.len) {
        if (text.p[i] == '"')
            return i + 1;
        size_t len = utf8_length(span_of(text.p + i, text.len - i));
        if (len == 0) {
            if (text.p[i] == '\\')
                i++;
            if (i >= text.len || !ascii_is_printable(text.p[i]))
                return 0;
            len = 1;
        }
        i += len;
    }
    return 0;
}

/* Length of the Dot-string at the front of TEXT; 0: none, or a dot where none may stand. */
static size_t dot_string_length(struct span text)
{
    size_t i = 0;
    while (i < text.len) {
        char c = text.p[i];
        size_t len = ascii_is_atext(c) || c == '.' ? 1 : utf8_length(span_of(text.p + i, text.len - i));
        if (len == 0)
            break;
        if (c == '.' && (i == 0 || text.p[i - 1] == '.'))
            return 0;
        i += len;
    }
    return i > 0 && text.p[i - 1] != '.' ? i : 0;
}

static size_t local_part_length(struct span text)
{
    if (text.len > 0 && text.p[0] == '"')
        return quoted_length(text);
    return dot_string_length(text);
}

static bool is_ascii(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.p[i] > 127)
            return false;
    return true;
}

static bool domain_is_good(struct span domain)
{
    if (!is_ascii(domain))
        return domain_is_valid_utf8(domain);
    return domain_is_valid(domain) || domain_is_address_literal(domain);
}

static bool asks_for_relay(struct span local_part)
{
    return memchr(local_part.p, '%', local_part.len) || memchr(local_part.p, '!', local_part.len);
}

enum path_result path_parse_mailbox(struct span mailbox, struct path *path_out)
{
    *path_out = (struct path){.address = mailbox, .utf8 = !is_ascii(mailbox)};
    if (mailbox.len > 0 && mailbox.p[0] == '@')
        return PATH_ROUTE;
    size_t local = local_part_length(mailbox);
    if (local == 0 || local + 1 >= mailbox.len || mailbox.p[local] != '@')
        return PATH_SYNTAX;
    path_out->local_part = span_of(mailbox.p, local);
    path_out->domain = span_of(mailbox.p + local + 1, mailbox.len - local - 1);
    if (local > PATH_LOCAL_PART_MAX || path_out->domain.len > DOMAIN_MAX || mailbox.len + 2 > PATH_MAX_BYTES)
        return PATH_TOO_LONG;
    if (!domain_is_good(path_out->domain))
        return PATH_SYNTAX;
    return asks_for_relay(path_out->local_part) ? PATH_ROUTE : PATH_OK;
}

/* Length of what stands before the closing bracket; a bracket inside quotes does not close. */
static size_t bracketed_length(struct span text)
{
    bool quoted = false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.p[i];
        if (c == '\\' && quoted)
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (c == '>' && !quoted)
            return i;
    }
    return text.len;
}

/* Takes <…> from the front of TEXT. */
static bool take_brackets(struct span text, struct span *inner_out, struct span *rest_out)
{
    if (text.len == 0 || text.p[0] != '<')
        return false;
    text = span_of(text.p + 1, text.len - 1);
    size_t len = bracketed_length(text);
    if (len == text.len)
        return false;
    *inner_out = span_of(text.p, len);
    *rest_out = span_of(text.p + len + 1, text.len - len - 1);
    return rest_out->len == 0 || rest_out->p[0] == ' ';
}

enum path_result path_parse_reverse(struct span text, struct path *path_out, struct span *rest_out)
{
    struct span inner;
    *path_out = (struct path){0};
    *rest_out = span_of(NULL, 0);
    if (!take_brackets(text, &inner, rest_out))
        return PATH_SYNTAX;
    if (inner.len > 0)
        return path_parse_mailbox(inner, path_out);
    path_out->address = inner;
    path_out->null = true;
    return PATH_OK;
}

enum path_result path_parse_forward(struct span text, struct path *path_out, struct span *rest_out)
{
    struct span inner;
    *path_out = (struct path){0};
    *rest_out = span_of(NULL, 0);
    if (!take_brackets(text, &inner, rest_out))
        return PATH_SYNTAX;
    if (!span_is(inner, "postmaster"))
        return path_parse_mailbox(inner, path_out);
    *path_out = (struct path){.address = inner, .local_part = inner, .postmaster = true};
    return PATH_OK;
}
