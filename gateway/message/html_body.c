#include "gateway/message/html_body.h"

enum found { GO_ON, HERE, NOWHERE };

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f';
}

/* Behind the next WORD. False: there is none. */
static bool skip_past(struct span *at, const char *word)
{
    size_t len = strlen(word);
    const char *end = at->len > 0 ? memmem(at->p, at->len, word, len) : NULL;
    if (end)
        span_skip(at, (size_t)(end - at->p) + len);
    return end != NULL;
}

/* Behind "<!" or "<?". "<!-->" and "<!--->" are whole comments, "--!>" ends one too, for some: refused. */
static bool skip_comment(struct span *at)
{
    if (!span_starts(*at, "--"))
        return skip_past(at, ">");
    span_skip(at, 2);
    const char *start = at->p;
    return !span_starts(*at, ">") && !span_starts(*at, "->") && skip_past(at, "-->") &&
           !memmem(start, (size_t)(at->p - start), "--!>", 4);
}

/* Up to a blank or one of ENDS. */
static struct span take_until(struct span *at, const char *ends)
{
    struct span taken = span_of(at->p, 0);
    while (at->len > 0 && !is_blank(at->p[0]) && !strchr(ends, at->p[0])) {
        taken.len++;
        span_skip(at, 1);
    }
    return taken;
}

/* The name of a tag, behind "<" or "</". */
static struct span take_name(struct span *at)
{
    return take_until(at, "/>");
}

static void skip_blanks(struct span *at)
{
    while (at->len > 0 && is_blank(at->p[0]))
        span_skip(at, 1);
}

/* Quotes enclose whole values and stand nowhere else. */
static bool skip_attribute(struct span *at)
{
    if (take_until(at, "=/>\"'`<").len == 0)
        return false;
    skip_blanks(at);
    if (!span_starts(*at, "="))
        return true;
    span_skip(at, 1);
    skip_blanks(at);
    if (span_starts(*at, "\"") || span_starts(*at, "'")) {
        const char quote[] = {at->p[0], '\0'};
        span_skip(at, 1);
        return skip_past(at, quote);
    }
    return take_until(at, ">\"'`<").len > 0;
}

/* The attributes of a tag, and its end. */
static bool skip_attributes(struct span *at)
{
    for (;;) {
        while (at->len > 0 && (is_blank(at->p[0]) || at->p[0] == '/'))
            span_skip(at, 1);
        if (span_starts(*at, ">")) {
            span_skip(at, 1);
            return true;
        }
        if (!skip_attribute(at))
            return false;
    }
}

static bool is_one_of(struct span name, const char *const names[])
{
    for (; *names; names++)
        if (span_is(name, *names))
            return true;
    return false;
}

/* What no tag stands in: behind the end tag of NAME. Within a comment in a script others count. */
static bool skip_raw(struct span *at, struct span name)
{
    const char *start = at->p;
    while (skip_past(at, "</")) {
        struct span end = take_name(at);
        if (end.len == name.len && strncasecmp(end.p, name.p, name.len) == 0)
            return !(span_is(name, "script") && memmem(start, (size_t)(end.p - start), "<!--", 4)) &&
                   skip_attributes(at);
    }
    return false;
}

static enum found skip_start_tag(struct span *at)
{
    static const char *const head[] = {"html", "head", "base", "basefont", "bgsound", "link", "meta", NULL};
    static const char *const raw[] = {"title", "style", "script", NULL};
    static const char *const unclear[] = {"noscript", "template", "noframes", "frameset", NULL};
    struct span tag = *at;
    span_skip(at, 1);
    struct span name = take_name(at);
    if (is_one_of(name, unclear) || !skip_attributes(at))
        return NOWHERE;
    if (is_one_of(name, head))
        return GO_ON;
    if (is_one_of(name, raw))
        return skip_raw(at, name) ? GO_ON : NOWHERE;
    if (!span_is(name, "body"))
        *at = tag;
    return HERE;
}

static enum found skip_end_tag(struct span *at)
{
    static const char *const opening[] = {"body", "html", "br", NULL};
    struct span tag = *at;
    span_skip(at, 2);
    if (is_one_of(take_name(at), opening)) {
        *at = tag;
        return HERE;
    }
    return skip_attributes(at) ? GO_ON : NOWHERE;
}

static bool is_letter(struct span at, size_t i)
{
    return at.len > i && ((at.p[i] >= 'a' && at.p[i] <= 'z') || (at.p[i] >= 'A' && at.p[i] <= 'Z'));
}

static enum found skip_token(struct span *at)
{
    if (span_starts(*at, "<!") || span_starts(*at, "<?")) {
        span_skip(at, 2);
        return skip_comment(at) ? GO_ON : NOWHERE;
    }
    if (at->p[0] == '<' && is_letter(*at, 1))
        return skip_start_tag(at);
    if (span_starts(*at, "</") && is_letter(*at, 2))
        return skip_end_tag(at);
    if (!is_blank(at->p[0]))
        return HERE;
    span_skip(at, 1);
    return GO_ON;
}

bool html_body_find(struct span html, size_t *at_out)
{
    struct span at = html;
    enum found found = GO_ON;
    if (span_starts(at, "\xef\xbb\xbf"))
        span_skip(&at, 3);
    while (found == GO_ON && at.len > 0)
        found = skip_token(&at);
    *at_out = (size_t)(at.p - html.p);
    return found != NOWHERE;
}
