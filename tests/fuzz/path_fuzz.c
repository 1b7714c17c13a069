/*
 * Reverse-path and forward-path (A7, A9): what is taken for an address is one by the letter, holds nothing
 * that ends a line or asks for relaying, and is read the same way again. Input: what follows "FROM:" or
 * "TO:".
 */
#include "base/utf8.h"
#include "gateway/wire/domain.h"
#include "gateway/wire/path.h"
#include "tests/fuzz/fuzz.h"

static bool is_ascii(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((uint8_t)s.p[i] > 127)
            return false;
    return true;
}

/* Well-formed UTF-8 without anything that some reader takes for a control character or the end of a line. */
static void require_text(struct span s)
{
    uint32_t c;
    while (s.len > 0)
        require(utf8_next(&s, &c) && !utf8_is_control(c));
}

/* Dot-string or Quoted-string (RFC 5321 §4.1.2). */
static void check_local_part(struct span s)
{
    require(s.len > 0 && s.len <= PATH_LOCAL_PART_MAX);
    require(!memchr(s.p, '%', s.len) && !memchr(s.p, '!', s.len));
    bool quoted = s.p[0] == '"';
    require(!quoted || (s.len >= 2 && s.p[s.len - 1] == '"'));
    for (size_t i = quoted; i < s.len - quoted; i++) {
        if (quoted && s.p[i] == '\\')
            require(++i < s.len - 1);
        else
            require(quoted ? s.p[i] != '"' : !strchr(" \"(),:;<>@[\\]", s.p[i]));
        require(quoted || s.p[i] != '.' || (i > 0 && i + 1 < s.len && s.p[i + 1] != '.'));
    }
}

static void check_domain(struct span s)
{
    require(s.len > 0 && s.len <= DOMAIN_MAX);
    if (s.p[0] == '[')
        require(domain_is_address_literal(s));
    else if (is_ascii(s))
        require(domain_is_valid(s));
    else
        require(domain_is_valid_utf8(s));
    require(!memchr(s.p, '@', s.len) && !memchr(s.p, ' ', s.len) && !memchr(s.p, '>', s.len));
}

static void check_path(const struct path *path, struct span text)
{
    require_within(path->address, text);
    require_text(path->address);
    require(path->utf8 == !is_ascii(path->address));
    require(path->address.len + 2 <= PATH_MAX_BYTES);
    if (path->null || path->postmaster) {
        require(path->null ? path->address.len == 0 : span_is(path->address, "postmaster"));
        require(path->domain.len == 0);
        return;
    }
    check_local_part(path->local_part);
    check_domain(path->domain);
    require(path->local_part.p == path->address.p && path->address.p[path->local_part.len] == '@');
    require(path->domain.p == path->local_part.p + path->local_part.len + 1);
    require(path->address.len == path->local_part.len + 1 + path->domain.len);

    struct path again;
    require(path_parse_mailbox(path->address, &again) == PATH_OK);
    require(span_eq(again.local_part, path->local_part) && span_eq(again.domain, path->domain));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct span text = span_of(bytes, len), rest;
    struct path forward, reverse;
    enum path_result to = path_parse_forward(text, &forward, &rest);
    if (to == PATH_OK) {
        check_path(&forward, text);
        require(!forward.null && (rest.len == 0 || (rest.p[0] == ' ' && rest.p[-1] == '>')));
        require_within(rest, text);
    }
    enum path_result from = path_parse_reverse(text, &reverse, &rest);
    if (from == PATH_OK) {
        check_path(&reverse, text);
        require(!reverse.postmaster && (rest.len == 0 || (rest.p[0] == ' ' && rest.p[-1] == '>')));
        require_within(rest, text);
    }
    /* They differ in <> and <postmaster> alone. */
    require(to == from || (from == PATH_OK && reverse.null) || (to == PATH_OK && forward.postmaster));
    return 0;
}
