#include "gateway/message/legacy_display.h"

#include <gmime/gmime.h>
#include <stdlib.h>

#include "gateway/message/decode.h"
#include "gateway/message/html_body.h"
#include "gateway/message/insertion.h"
#include "gateway/message/protect_outer.h"
#include "gateway/message/protect_type.h"

#define TEXT_MAX (1u << 20)
/* Of an HTML text, encoded, to look for its body in. */
#define HTML_HEAD_MAX (1u << 20)

/* ---- what it shows ---- */

/* RFC 9788 §5.2.2: a line "Subject: …" for each field that the outside does not show as it is. In UTF-8. */
static GString *collect(const struct protect_order *order)
{
    GString *lines = g_string_new(NULL);
    struct span at = order->parts->header;
    struct header_field field;
    while (header_next(&at, &field)) {
        if (!protect_outer_hides(order, &field))
            continue;
        char *text = header_decode(field.value);
        g_strdelimit(text, "\r\n", ' ');
        g_string_append_printf(lines, "%.*s: %s\r\n", (int)field.name.len, field.name.p, text);
        free(text);
    }
    return lines;
}

static bool is_ascii(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text > 0x7e)
            return false;
    return true;
}

/* Any charset that extends ASCII has all characters, as references. */
static void append_escaped(GString *out, const char *lines)
{
    for (; *lines; lines = g_utf8_next_char(lines)) {
        gunichar c = g_utf8_get_char(lines);
        bool control = c < 0x20 && c != '\r' && c != '\n' && c != '\t';
        if (strchr("&<>\"'", (int)c) || control || c > 0x7e)
            g_string_append_printf(out, "&#%u;", c);
        else
            g_string_append_c(out, (char)c);
    }
}

/* ---- in which part, and where in it ---- */

static bool is_html(const struct main_body_part *part)
{
    return part->typed && content_type_is(&part->type, "text", "html");
}

static struct span charset_of(const struct main_body_part *part)
{
    return part->typed ? content_type_parameter(&part->type, "charset") : span_of(NULL, 0);
}

static bool make_plain(const struct main_body_part *part, const char *lines, struct insertion *insertion,
                       GString *shown)
{
    struct span charset = charset_of(part);
    g_string_append_printf(shown, "%s\r\n", lines);
    insertion->at = 0;
    insertion->fill_at = (size_t)(strchr(lines, ':') + 1 - lines);
    return is_ascii(lines) ? entity_extends_ascii(charset)
                           : span_is(charset, "utf-8") || span_is(charset, "utf8");
}

static bool find_html_body(const struct main_body_part *part, enum entity_encoding encoding, size_t *at_out)
{
    struct buf decoded;
    struct span html;
    bool whole;
    bool good = insertion_decode(part->body, encoding, HTML_HEAD_MAX, &decoded, &html, &whole) &&
                html_body_find(html, at_out) && (whole || *at_out < html.len);
    buf_free(&decoded);
    return good;
}

/* As in RFC 9788 Appendix E.2. */
static bool make_html(const struct main_body_part *part, enum entity_encoding encoding, const char *lines,
                      struct insertion *insertion, GString *shown)
{
    if (!entity_extends_ascii(charset_of(part)) || !find_html_body(part, encoding, &insertion->at))
        return false;
    if (insertion->at > 0)
        g_string_append(shown, "\r\n");
    g_string_append(shown, "<div class=\"header-protection-legacy-display\">\r\n<pre>");
    append_escaped(shown, lines);
    g_string_truncate(shown, shown->len - 2);
    g_string_append(shown, "</pre>\r\n</div>");
    if (insertion->at == 0)
        g_string_append(shown, "\r\n");
    insertion->fill_at = 0;
    return true;
}

/* ---- edits ---- */

static void add_edit(struct legacy_display *display, struct span cut, const struct buf *text)
{
    display->edits[display->n++] = (struct legacy_edit){.cut = cut, .len = text->len};
    buf_append_span(&display->text, buf_span(text));
}

static void add_parameter(struct legacy_display *display, const struct main_body_part *part)
{
    struct buf type;
    buf_init(&type, part->type_field.raw.len + 64);
    protect_type_append(&part->type_field, &part->type, &type);
    buf_append_str(&type, ";\r\n hp-legacy-display=\"1\"\r\n");
    add_edit(display, part->type_field.raw, &type);
    buf_free(&type);
}

static void show(const struct main_body_part *part, const char *lines, struct legacy_display *display)
{
    struct insertion insertion;
    struct span cut;
    struct buf text;
    enum entity_encoding encoding;
    if (!entity_encoding(part->header, &encoding))
        return;
    GString *shown = g_string_new(NULL);
    buf_init(&text, TEXT_MAX);
    bool good = is_html(part) ? make_html(part, encoding, lines, &insertion, shown)
                              : make_plain(part, lines, &insertion, shown);
    insertion.text = span_of(shown->str, shown->len);
    if (good && insertion_make(part->body, encoding, &insertion, &text, &cut)) {
        display->at_root = part->at_root;
        if (!part->at_root)
            add_parameter(display, part);
        add_edit(display, cut, &text);
    }
    buf_free(&text);
    g_string_free(shown, TRUE);
}

void legacy_display_find(const struct protect_order *order, struct legacy_display *display_out)
{
    struct main_body body;
    *display_out = (struct legacy_display){0};
    buf_init(&display_out->text, MAIN_BODY_PARTS_MAX * (TEXT_MAX + order->parts->body.len));
    if (order->policy == PROTECT_HCP_NONE)
        return;
    GString *lines = collect(order);
    main_body_find(order->parts, &body);
    for (size_t i = 0; lines->len > 0 && i < body.n; i++)
        show(&body.parts[i], lines->str, display_out);
    if (display_out->text.failed)
        display_out->n = 0;
    g_string_free(lines, TRUE);
}

void legacy_display_free(struct legacy_display *display)
{
    buf_free(&display->text);
}
