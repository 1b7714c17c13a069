#include "gateway/policy/pattern.h"

#include <glib.h>

#include "gateway/message/text_match.h"
#include "keystore/keystore.h"

#define KEY_MAX 2048

/* GLib's matchers and mappings want valid UTF-8. */
static char *fold(const char *s, GNormalizeMode mode)
{
    char *valid = g_utf8_make_valid(s, -1);
    char *normal = g_utf8_normalize(valid, -1, mode);
    char *folded = g_utf8_casefold(normal, -1);
    /* Folding can undo the normal form (Unicode 3.13, D145): once more. */
    char *result = g_utf8_normalize(folded, -1, mode);
    g_free(valid);
    g_free(normal);
    g_free(folded);
    return result;
}

/* The canonical form of an address; NULL: S is no addr-spec. */
static char *address_key(const char *s)
{
    struct buf key;
    buf_init(&key, KEY_MAX);
    char *copy = NULL;
    if (keystore_address_key(s, false, &key, NULL) == STATUS_OK)
        copy = g_strdup(buf_str(&key));
    buf_free(&key);
    return copy;
}

/* A label to its A-label; one that holds wildcards stays as it is. */
static void append_label(GString *out, const char *label)
{
    char *address = g_strconcat("x@", label, NULL);
    char *key = address_key(address);
    g_string_append(out, key ? key + 2 : label);
    g_free(key);
    g_free(address);
}

/* Label by label, since a pattern with a wildcard is no domain that libidn2 would take as a whole. */
char *pattern_form(const char *pattern)
{
    char *whole = address_key(pattern);
    if (whole)
        return whole;
    const char *at = strrchr(pattern, '@');
    if (!at && pattern[0] != '.')
        return g_strdup(pattern);
    const char *domain = at ? at + 1 : pattern;
    GString *key = g_string_new_len(pattern, domain - pattern);
    char **labels = g_strsplit(domain, ".", -1);
    for (size_t i = 0; labels[i]; i++) {
        if (i > 0)
            g_string_append_c(key, '.');
        append_label(key, labels[i]);
    }
    g_strfreev(labels);
    return g_string_free(key, FALSE);
}

static bool matches_folded(const char *pattern, const char *value)
{
    const char *at = strrchr(value, '@');
    if (pattern[0] == '@')
        return at && g_pattern_match_simple(pattern + 1, at + 1);
    if (pattern[0] != '.')
        return g_pattern_match_simple(pattern, value);
    if (!at)
        return false;
    char *subdomains = g_strconcat("*", pattern, NULL);
    bool found = g_pattern_match_simple(pattern + 1, at + 1) || g_pattern_match_simple(subdomains, at + 1);
    g_free(subdomains);
    return found;
}

bool pattern_matches(const char *pattern, const char *value)
{
    if (!value)
        return false;
    char *pattern_text = pattern_form(pattern);
    char *value_form = address_key(value);
    char *folded_pattern = fold(pattern_text, G_NORMALIZE_NFC);
    char *folded_value = fold(value_form ? value_form : value, G_NORMALIZE_NFC);
    bool found = matches_folded(folded_pattern, folded_value);
    g_free(pattern_text);
    g_free(value_form);
    g_free(folded_pattern);
    g_free(folded_value);
    return found;
}

bool pattern_in_text(const char *needle, const char *text, enum text_match match)
{
    if (!text)
        return false;
    if (match == TEXT_LOOSE && needle[0] != '\0')
        return text_holds(text, needle);
    char *folded_needle = fold(needle, G_NORMALIZE_NFKC);
    char *folded_text = fold(text, G_NORMALIZE_NFKC);
    bool found = strstr(folded_text, folded_needle) != NULL;
    g_free(folded_needle);
    g_free(folded_text);
    return found;
}
