#include "gateway/message/text_match.h"

#include <glib.h>
#include <string.h>

/* Lower-case letters that look like a Latin one, and brackets like "[" and "]", as their capitals are folded
 * too. */
static const struct {
    gunichar from;
    char to;
} lookalikes[] = {
    {0x0430, 'a'}, {0x0435, 'e'}, {0x043e, 'o'}, {0x0440, 'p'}, {0x0441, 'c'}, {0x0443, 'y'}, {0x0445, 'x'},
    {0x0456, 'i'}, {0x0458, 'j'}, {0x0455, 's'}, {0x04bb, 'h'}, {0x0501, 'd'}, {0x051b, 'q'}, {0x051d, 'w'},
    {0x043a, 'k'}, {0x043c, 'm'}, {0x0442, 't'}, {0x0432, 'b'}, {0x043d, 'h'}, {0x04cf, 'l'}, {0x03b1, 'a'},
    {0x03b5, 'e'}, {0x03b9, 'i'}, {0x03ba, 'k'}, {0x03bd, 'v'}, {0x03bf, 'o'}, {0x03c1, 'p'}, {0x03c4, 't'},
    {0x03c5, 'u'}, {0x03c7, 'x'}, {0x03b2, 'b'}, {0x03b7, 'n'}, {0x03bc, 'm'}, {0x0131, 'i'}, {0x0251, 'a'},
    {0x0261, 'g'}, {0x026a, 'i'}, {0x3010, '['}, {0x3011, ']'}, {0x3014, '['}, {0x3015, ']'}, {0x27e6, '['},
    {0x27e7, ']'}, {0x2045, '['}, {0x2046, ']'}, {0x301a, '['}, {0x301b, ']'},
};

static gunichar unmask(gunichar c)
{
    for (size_t i = 0; c > 0x7f && i < G_N_ELEMENTS(lookalikes); i++)
        if (lookalikes[i].from == c)
            return (gunichar)lookalikes[i].to;
    return c;
}

/* Shows nothing, or only changes how its neighbour looks. */
static bool is_ignorable(gunichar c)
{
    switch (g_unichar_type(c)) {
    case G_UNICODE_FORMAT:
    case G_UNICODE_CONTROL:
    case G_UNICODE_NON_SPACING_MARK:
    case G_UNICODE_ENCLOSING_MARK:
        return !g_unichar_isspace(c);
    default:
        /* Hangul fillers are letters that show nothing. */
        return g_unichar_iszerowidth(c) || c == 0x3164 || c == 0xffa0;
    }
}

/* One character of a decomposition, as it is compared; white space of any kind and length is one space. */
static void append(GString *text, GArray *origin, gunichar c, size_t at)
{
    if (is_ignorable(c))
        return;
    c = g_unichar_isspace(c) ? ' ' : unmask(g_unichar_tolower(c));
    if (c == ' ' && text->len > 0 && text->str[text->len - 1] == ' ')
        return;
    size_t before = text->len;
    g_string_append_unichar(text, c);
    for (size_t i = before; i < text->len; i++)
        g_array_append_val(origin, at);
}

void text_fold_make(const char *text, struct text_fold *fold_out)
{
    char *valid = g_utf8_validate(text, -1, NULL) ? NULL : g_utf8_make_valid(text, -1);
    const char *start = valid ? valid : text;
    GString *folded = g_string_new(NULL);
    GArray *origin = g_array_new(FALSE, FALSE, sizeof(size_t));
    for (const char *p = start; *p; p = g_utf8_next_char(p)) {
        gunichar parts[G_UNICHAR_MAX_DECOMPOSITION_LENGTH];
        gunichar c = g_utf8_get_char(p);
        size_t at = (size_t)(p - start), n = 1;
        parts[0] = c;
        if (c > 0x7f)
            n = g_unichar_fully_decompose(c, TRUE, parts, G_N_ELEMENTS(parts));
        for (size_t i = 0; i < n && i < G_N_ELEMENTS(parts); i++)
            append(folded, origin, parts[i], at);
    }
    size_t end = strlen(start);
    g_array_append_val(origin, end);
    fold_out->len = folded->len;
    fold_out->text = g_string_free(folded, FALSE);
    fold_out->origin = (size_t *)(void *)g_array_free(origin, FALSE);
    g_free(valid);
}

void text_fold_free(struct text_fold *fold)
{
    g_free(fold->text);
    g_free(fold->origin);
    *fold = (struct text_fold){0};
}

bool text_fold_find(const struct text_fold *fold, const struct text_fold *needle, size_t *from,
                    size_t *start_out, size_t *end_out)
{
    if (needle->len == 0 || *from >= fold->len)
        return false;
    const char *found = memmem(fold->text + *from, fold->len - *from, needle->text, needle->len);
    if (!found)
        return false;
    size_t index = (size_t)(found - fold->text);
    *from = index + needle->len;
    *start_out = fold->origin[index];
    *end_out = fold->origin[*from];
    return true;
}

bool text_holds(const char *text, const char *needle)
{
    struct text_fold fold, wanted;
    size_t from = 0, start, end;
    text_fold_make(text, &fold);
    text_fold_make(needle, &wanted);
    bool found = text_fold_find(&fold, &wanted, &from, &start, &end);
    text_fold_free(&fold);
    text_fold_free(&wanted);
    return found;
}
