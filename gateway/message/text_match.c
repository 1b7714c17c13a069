#include "gateway/message/text_match.h"

#include <glib.h>
#include <stdlib.h>
#include <string.h>

/* Lower-case letters that look like a Latin one, and brackets like "[" and "]", as their capitals are folded
 * too. */
static const struct lookalike {
    gunichar from;
    char to;
} lookalikes[] = {
    {0x0430, 'a'}, {0x0435, 'e'}, {0x043e, 'o'}, {0x0440, 'p'}, {0x0441, 'c'}, {0x0443, 'y'}, {0x0445, 'x'},
    {0x0456, 'i'}, {0x0458, 'j'}, {0x0455, 's'}, {0x04bb, 'h'}, {0x0501, 'd'}, {0x051b, 'q'}, {0x051d, 'w'},
    {0x043a, 'k'}, {0x043c, 'm'}, {0x0442, 't'}, {0x0432, 'b'}, {0x043d, 'h'}, {0x04cf, 'l'}, {0x0475, 'v'},
    {0x04af, 'y'}, {0x050d, 'g'}, {0x03b1, 'a'}, {0x03b5, 'e'}, {0x03b9, 'i'}, {0x03ba, 'k'}, {0x03bd, 'v'},
    {0x03bf, 'o'}, {0x03c1, 'p'}, {0x03c4, 't'}, {0x03c5, 'u'}, {0x03c7, 'x'}, {0x03b2, 'b'}, {0x03b6, 'z'},
    {0x03b7, 'n'}, {0x03bc, 'm'}, {0x03f2, 'c'}, {0x0131, 'i'}, {0x0251, 'a'}, {0x0261, 'g'}, {0x026a, 'i'},
    {0x3010, '['}, {0x3011, ']'}, {0x3014, '['}, {0x3015, ']'}, {0x27e6, '['}, {0x27e7, ']'}, {0x2045, '['},
    {0x2046, ']'}, {0x301a, '['}, {0x301b, ']'},
};

/* Capitals that look like another letter than their lower case does. */
static const struct lookalike capitals[] = {{0x0397, 'h'}, {0x039d, 'n'}, {0x03a5, 'y'}};

static gunichar unmask(gunichar c, const struct lookalike *table, size_t n)
{
    for (size_t i = 0; c > 0x7f && i < n; i++)
        if (table[i].from == c)
            return (gunichar)table[i].to;
    return c;
}

/* ---- folding ---- */

/* A text as it is compared: as its letters are, and as they look. */
struct fold {
    GString *text;
    GString *seen;  /* as long as TEXT; differs for CAPITALS alone */
    GArray *origin; /* of each byte, where its character stands in the original; one more: its end */
};

/* Shows nothing, or only changes how its neighbour looks. What is not assigned is ignorable by default where
 * it shows nothing. */
static bool is_ignorable(gunichar c)
{
    switch (g_unichar_type(c)) {
    case G_UNICODE_FORMAT:
    case G_UNICODE_CONTROL:
    case G_UNICODE_UNASSIGNED:
    case G_UNICODE_NON_SPACING_MARK:
    case G_UNICODE_ENCLOSING_MARK:
        return !g_unichar_isspace(c);
    default:
        /* Hangul fillers are letters that show nothing. */
        return c == 0x115f || c == 0x1160;
    }
}

static void append_letter(struct fold *fold, gunichar c, gunichar seen, size_t at)
{
    size_t before = fold->text->len;
    g_string_append_unichar(fold->text, c);
    g_string_append_unichar(fold->seen, seen);
    for (size_t i = before; i < fold->text->len; i++)
        g_array_append_val(fold->origin, at);
}

/* One character of a decomposition; white space of any kind and length is one space. */
static void append(struct fold *fold, gunichar c, size_t at)
{
    const GString *text = fold->text;
    if (is_ignorable(c))
        return;
    if (g_unichar_isspace(c)) {
        if (text->len == 0 || text->str[text->len - 1] != ' ')
            append_letter(fold, ' ', ' ', at);
        return;
    }
    /* Some letters are small twice: the final sigma. */
    gunichar small = unmask(g_unichar_tolower(g_unichar_toupper(c)), lookalikes, G_N_ELEMENTS(lookalikes));
    gunichar seen = unmask(c, capitals, G_N_ELEMENTS(capitals));
    if (small == 0xdf) { /* "ß" is "SS" in capitals */
        append_letter(fold, 's', 's', at);
        append_letter(fold, 's', 's', at);
    } else {
        append_letter(fold, small, seen == c ? small : seen, at);
    }
}

static void append_decomposed(struct fold *fold, gunichar c, size_t at)
{
    gunichar parts[G_UNICHAR_MAX_DECOMPOSITION_LENGTH] = {c};
    size_t n = 1;
    /* The lunate sigma decomposes into one that does not look like it. */
    if (c == 0x03f9)
        parts[0] = 0x03f2;
    else if (c > 0x7f && c != 0x03f2)
        n = g_unichar_fully_decompose(c, TRUE, parts, G_N_ELEMENTS(parts));
    for (size_t i = 0; i < n && i < G_N_ELEMENTS(parts); i++)
        append(fold, parts[i], at);
}

static void fold_make(const char *text, struct fold *fold_out)
{
    *fold_out = (struct fold){.text = g_string_new(NULL),
                              .seen = g_string_new(NULL),
                              .origin = g_array_new(FALSE, FALSE, sizeof(size_t))};
    const char *p = text;
    while (*p) {
        size_t at = (size_t)(p - text);
        gunichar c = g_utf8_get_char_validated(p, -1);
        bool valid = c != (gunichar)-1 && c != (gunichar)-2;
        append_decomposed(fold_out, valid ? c : 0xfffd, at);
        p = valid ? g_utf8_next_char(p) : p + 1;
    }
    size_t end = (size_t)(p - text);
    g_array_append_val(fold_out->origin, end);
}

static void fold_free(struct fold *fold)
{
    g_string_free(fold->text, TRUE);
    g_string_free(fold->seen, TRUE);
    g_array_free(fold->origin, TRUE);
}

bool text_holds(const char *text, const char *needle)
{
    struct fold fold, wanted;
    fold_make(text, &fold);
    fold_make(needle, &wanted);
    bool found =
        wanted.text->len > 0 && (memmem(fold.text->str, fold.text->len, wanted.text->str, wanted.text->len) ||
                                 memmem(fold.seen->str, fold.seen->len, wanted.seen->str, wanted.seen->len));
    fold_free(&fold);
    fold_free(&wanted);
    return found;
}

/* ---- places ---- */

/* What is left of a fold while needles are taken out, as a stack: another needle can only end at its top. */
struct rest {
    GString *text, *seen;
    GArray *from; /* index in the fold of each byte */
};

static void push(struct rest *rest, const struct fold *fold, size_t i)
{
    char c = fold->text->str[i];
    /* As a fold has it: one space. */
    if (c == ' ' && rest->text->len > 0 && rest->text->str[rest->text->len - 1] == ' ')
        return;
    g_string_append_c(rest->text, c);
    g_string_append_c(rest->seen, fold->seen->str[i]);
    g_array_append_val(rest->from, i);
}

static bool ends_with(const GString *text, const GString *needle)
{
    return text->len >= needle->len && needle->len > 0 &&
           memcmp(text->str + text->len - needle->len, needle->str, needle->len) == 0;
}

/* Takes NEEDLE off the top; *FIRST_OUT is the index of its first byte. */
static bool pop(struct rest *rest, const struct fold *needle, size_t *first_out)
{
    if (!ends_with(rest->text, needle->text) && !ends_with(rest->seen, needle->seen))
        return false;
    size_t left = rest->text->len - needle->text->len;
    *first_out = g_array_index(rest->from, size_t, left);
    g_string_truncate(rest->text, left);
    g_string_truncate(rest->seen, left);
    g_array_set_size(rest->from, (guint)left);
    return true;
}

/* From byte FIRST of FOLD to byte LAST, whole characters, with those within and those that it meets. */
static void add_place(GArray *places, const struct fold *fold, size_t first, size_t last)
{
    const size_t *origin = (const size_t *)(void *)fold->origin->data;
    struct text_place place = {.start = origin[first]};
    size_t behind = last + 1;
    while (behind < fold->text->len && origin[behind] == origin[last])
        behind++;
    place.end = origin[behind];
    while (places->len > 0) {
        const struct text_place *before = &g_array_index(places, struct text_place, places->len - 1);
        if (before->end <= place.start)
            break;
        place.start = before->start < place.start ? before->start : place.start;
        g_array_set_size(places, places->len - 1);
    }
    g_array_append_val(places, place);
}

size_t text_places(const char *text, const char *const *needles, size_t n, struct text_place **places_out)
{
    struct fold fold, *wanted = g_new0(struct fold, n);
    struct rest rest = {g_string_new(NULL), g_string_new(NULL), g_array_new(FALSE, FALSE, sizeof(size_t))};
    GArray *places = g_array_new(FALSE, FALSE, sizeof(struct text_place));
    fold_make(text, &fold);
    for (size_t k = 0; k < n; k++)
        fold_make(needles[k], &wanted[k]);
    for (size_t i = 0; i < fold.text->len; i++) {
        size_t first;
        push(&rest, &fold, i);
        for (size_t k = 0; k < n; k++)
            if (pop(&rest, &wanted[k], &first))
                add_place(places, &fold, first, i);
    }
    for (size_t k = 0; k < n; k++)
        fold_free(&wanted[k]);
    g_free(wanted);
    fold_free(&fold);
    g_string_free(rest.text, TRUE);
    g_string_free(rest.seen, TRUE);
    g_array_free(rest.from, TRUE);
    size_t found = places->len;
    *places_out = (struct text_place *)(void *)g_array_free(places, FALSE);
    return found;
}
