#include "gateway/message/mailbox.h"

#include <glib.h>
#include <stdlib.h>

#include "gateway/message/decode.h"
#include "gateway/message/encoded_word.h"
#include "gateway/wire/ascii.h"

/* The way through a field, and what is wrong with it. */
struct reader {
    const char *at; /* NUL-terminated, unfolded, valid UTF-8 */
    const char *wrong;
    mailbox_fn *each;
    void *arg;
};

static bool fail(struct reader *r, const char *wrong)
{
    r->wrong = wrong;
    return false;
}

/* ---- characters ---- */

static bool is_wsp(char c)
{
    return c == ' ' || c == '\t';
}

/* With UTF8-non-ascii (RFC 6532 §3.2). */
static bool is_atext(char c)
{
    return ascii_is_atext(c) || (unsigned char)c >= 0x80;
}

/* What a reader may show without being led astray; a tab is folding. */
static bool is_harmless(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((ascii_is_control(text.p[i]) && text.p[i] != '\t') || text.p[i] == '<' || text.p[i] == '>')
            return false;
    return true;
}

/* Each encoded-word by itself, wherever it stands: readers find more of them than RFC 2047 §5 allows. */
static bool is_harmless_decoded(struct span text)
{
    bool good = is_harmless(text);
    for (; good && text.len > 0; text = span_of(text.p + 1, text.len - 1)) {
        size_t len = encoded_word_length(text);
        if (len == 0)
            continue;
        char *plain = header_decode(span_of(text.p, len));
        good = is_harmless(span_str(plain));
        free(plain);
    }
    return good;
}

/* ---- comments and white space ---- */

static bool skip_comment(struct reader *r)
{
    const char *begin = r->at;
    unsigned depth = 0;
    for (; *r->at; r->at++) {
        if (*r->at == '\\' && r->at[1])
            r->at++;
        else if (*r->at == '(')
            depth++;
        else if (*r->at == ')' && --depth == 0)
            break;
    }
    if (!*r->at)
        return fail(r, "a comment does not end");
    r->at++;
    if (!is_harmless_decoded(span_of(begin, (size_t)(r->at - begin))))
        return fail(r, "a comment holds control characters or angle brackets");
    return true;
}

static bool skip_cfws(struct reader *r)
{
    while (is_wsp(*r->at) || *r->at == '(') {
        if (*r->at == '(') {
            if (!skip_comment(r))
                return false;
        } else {
            r->at++;
        }
    }
    return true;
}

/* ---- words ---- */

static bool take_quoted(struct reader *r)
{
    for (r->at++; *r->at && *r->at != '"'; r->at++)
        if (*r->at == '\\' && r->at[1])
            r->at++;
    if (!*r->at)
        return fail(r, "a quoted string does not end");
    r->at++;
    return true;
}

/* dot-atom-text; false: none. */
static bool take_dot_atom(struct reader *r)
{
    const char *begin = r->at;
    while (is_atext(*r->at) || (*r->at == '.' && r->at > begin && r->at[-1] != '.'))
        r->at++;
    return r->at > begin && r->at[-1] != '.';
}

/* A display name, up to what ends it. */
static bool take_phrase(struct reader *r)
{
    const char *begin = r->at;
    while (is_atext(*r->at) || *r->at == '.' || *r->at == '"' || *r->at == '(' || is_wsp(*r->at)) {
        bool good = true;
        if (*r->at == '"')
            good = take_quoted(r);
        else if (*r->at == '(' || is_wsp(*r->at))
            good = skip_cfws(r);
        else
            r->at++;
        if (!good)
            return false;
    }
    if (r->at == begin)
        return fail(r, "an address is missing");
    if (!is_harmless_decoded(span_of(begin, (size_t)(r->at - begin))))
        return fail(r, "a display name holds control characters or angle brackets");
    return true;
}

/* ---- addresses ---- */

static bool take_domain_literal(struct reader *r)
{
    const char *end = r->at + strcspn(r->at, "]");
    for (const char *c = r->at + 1; c < end; c++)
        if (!ascii_is_printable(*c) || strchr("[\\ ", *c))
            return false;
    if (!*end)
        return false;
    r->at = end + 1;
    return true;
}

/* addr-spec without white space or comments; false with r->at moved: none. */
static bool take_address(struct reader *r, struct span *address_out)
{
    const char *begin = r->at;
    bool good = *r->at == '"' ? take_quoted(r) : take_dot_atom(r);
    if (!good || *r->at != '@')
        return false;
    r->at++;
    good = *r->at == '[' ? take_domain_literal(r) : take_dot_atom(r);
    *address_out = span_of(begin, (size_t)(r->at - begin));
    return good;
}

static enum status tell(struct reader *r, struct span address, struct error *err)
{
    /* RFC 2047 §5 (3) forbids it, and readers decode it all the same. */
    if (memmem(address.p, address.len, "=?", 2))
        return error_set(err, STATUS_INVALID, "an address holds an encoded-word");
    if (!is_harmless(address))
        return error_set(err, STATUS_INVALID, "an address holds control characters or angle brackets");
    return r->each(r->arg, address, err);
}

static enum status wrong(const struct reader *r, const char *what, struct error *err)
{
    return error_set(err, STATUS_INVALID, "%s", r->wrong ? r->wrong : what);
}

/* Behind "<". */
static enum status read_angle(struct reader *r, struct error *err)
{
    struct span address;
    r->at++;
    if (!take_address(r, &address) || *r->at != '>')
        return wrong(r, "what stands between < and > is no address", err);
    r->at++;
    return tell(r, address, err);
}

/* A mailbox, or the display name of a group: then *GROUP_OUT and at ":". */
static enum status read_one(struct reader *r, bool *group_out, struct error *err)
{
    struct span address;
    *group_out = false;
    if (!skip_cfws(r))
        return wrong(r, "", err);
    const char *begin = r->at;
    if (take_address(r, &address))
        return tell(r, address, err);
    r->at = begin;
    r->wrong = NULL;
    if (*r->at != '<' && !take_phrase(r))
        return wrong(r, "", err);
    if (*r->at == '<')
        return read_angle(r, err);
    *group_out = *r->at == ':';
    return *group_out ? STATUS_OK : wrong(r, "a name stands without an address", err);
}

static enum status read_member(struct reader *r, struct error *err)
{
    bool group;
    enum status st = read_one(r, &group, err);
    if (st == STATUS_OK && group)
        return wrong(r, "a group stands in a group", err);
    if (st == STATUS_OK && !skip_cfws(r))
        return wrong(r, "", err);
    return st;
}

/* The members behind ":", with the ";" (RFC 5322 §3.4); there may be none. */
static enum status read_group(struct reader *r, struct error *err)
{
    r->at++;
    if (!skip_cfws(r))
        return wrong(r, "", err);
    for (bool more = *r->at != ';'; more; r->at += more) {
        enum status st = read_member(r, err);
        if (st != STATUS_OK)
            return st;
        more = *r->at == ',';
    }
    if (*r->at != ';')
        return wrong(r, "a group does not end", err);
    r->at++;
    return STATUS_OK;
}

static enum status read_list(struct reader *r, struct error *err)
{
    for (;;) {
        bool group;
        enum status st = read_one(r, &group, err);
        if (st == STATUS_OK && group)
            st = read_group(r, err);
        if (st == STATUS_OK && !skip_cfws(r))
            st = wrong(r, "", err);
        if (st != STATUS_OK || !*r->at)
            return st;
        if (*r->at != ',')
            return wrong(r, "more stands behind an address", err);
        r->at++;
    }
}

enum status mailboxes_each(struct span value, mailbox_fn *each, void *arg, struct error *err)
{
    if (value.len > MAILBOX_FIELD_MAX)
        return error_set(err, STATUS_INVALID, "it is longer than %d bytes", MAILBOX_FIELD_MAX);
    if (value.len > 0 && memchr(value.p, '\0', value.len))
        return error_set(err, STATUS_INVALID, "it holds a NUL byte");
    char *text = header_text(value);
    struct reader r = {.at = text, .each = each, .arg = arg};
    enum status st = g_utf8_validate(text, -1, NULL)
                         ? read_list(&r, err)
                         : error_set(err, STATUS_INVALID, "it holds bytes that are no UTF-8");
    free(text);
    return st;
}
