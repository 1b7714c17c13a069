#include "gateway/policy/sender.h"

#include <glib.h>
#include <idn2.h>
#include <stdio.h>
#include <string.h>

#include "gateway/policy/pattern.h"
#include "keystore/keystore.h"

#define KEY_MAX 2048

/* An address in comparable form. */
struct address {
    char *local;  /* lower case, NFC, without needless quotes */
    char *domain; /* lower case, A-labels, or an address literal */
};

static void address_free(struct address *address)
{
    g_free(address->local);
    g_free(address->domain);
}

static char *lower(const char *s)
{
    char *normal = g_utf8_normalize(s, -1, G_NORMALIZE_NFC);
    char *result = g_utf8_strdown(normal, -1);
    g_free(normal);
    return result;
}

/* Some characters are canonically ASCII ones (U+212A is K): NFC would make them so. */
static bool hides_ascii(const char *s)
{
    bool hides = false;
    for (; *s && !hides; s = g_utf8_next_char(s)) {
        if ((unsigned char)*s < 0x80)
            continue;
        char *normal = g_utf8_normalize(s, g_utf8_next_char(s) - s, G_NORMALIZE_NFC);
        hides = (unsigned char)normal[0] < 0x80;
        g_free(normal);
    }
    return hides;
}

/*
 * UTS 46 maps many spellings to one domain, and drops what is invisible. That is the same domain where it is
 * looked up, but not where it is read: only the spelling that the A-label gives back counts.
 */
static bool is_as_written(const char *written, const char *a_labels)
{
    char *unicode = NULL;
    if (idn2_to_unicode_8z8z(a_labels, &unicode, 0) != IDN2_OK)
        return false;
    char *plain = lower(written);
    bool same = strcmp(plain, unicode) == 0;
    g_free(plain);
    idn2_free(unicode);
    return same;
}

/* False: S is no address, or pretends to be another. */
static bool address_read(const char *s, struct address *address_out)
{
    struct buf key;
    if (!g_utf8_validate(s, -1, NULL) || hides_ascii(s))
        return false;
    buf_init(&key, KEY_MAX);
    enum status status = keystore_address_key(s, true, &key, NULL);
    char *copy = g_strdup(status == STATUS_OK ? buf_str(&key) : NULL);
    buf_free(&key);
    if (!copy)
        return false;
    /* No "@" in a domain: the last one is the one that counts, in S as in its key. */
    const char *written = strrchr(s, '@') + 1;
    char *domain = strrchr(copy, '@') + 1;
    bool good = g_str_is_ascii(written) || is_as_written(written, domain);
    if (good) {
        domain[-1] = '\0';
        *address_out = (struct address){.local = lower(copy), .domain = g_strdup(domain)};
    }
    g_free(copy);
    return good;
}

static bool domain_matches(const char *pattern, const char *domain)
{
    if (pattern[0] != '.')
        return g_pattern_match_simple(pattern, domain);
    char *below = g_strconcat("*", pattern, NULL);
    bool match = g_pattern_match_simple(pattern + 1, domain) || g_pattern_match_simple(below, domain);
    g_free(below);
    return match;
}

static bool matches(const char *pattern, const struct address *address)
{
    char *form = pattern_form(pattern);
    char *valid = g_utf8_make_valid(form, -1);
    char *folded = lower(valid);
    char *at = strrchr(folded, '@');
    bool match = false;
    if (at) {
        *at = '\0';
        match = domain_matches(at + 1, address->domain) &&
                (at == folded || g_pattern_match_simple(folded, address->local));
    } else if (folded[0] == '.') {
        match = domain_matches(folded, address->domain);
    }
    g_free(form);
    g_free(valid);
    g_free(folded);
    return match;
}

bool sender_is_anybody(char *const *patterns, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(patterns[i], "*") == 0)
            return true;
    return false;
}

bool sender_owns(char *const *patterns, size_t n, const char *address)
{
    struct address parts;
    if (sender_is_anybody(patterns, n))
        return true;
    if (!address_read(address, &parts))
        return false;
    bool owned = false;
    for (size_t i = 0; i < n && !owned; i++)
        owned = matches(patterns[i], &parts);
    address_free(&parts);
    return owned;
}

void sender_refusal(const char *address, const char *user, const char *client, char *text_out, size_t size)
{
    if (client && client[0])
        snprintf(text_out, size,
                 "<%s> is not an address of relay client %s: ask the administrator for send-as in its client "
                 "section",
                 address, client);
    else
        snprintf(text_out, size,
                 "<%s> is not an address of user %s: send as one that is, or ask the administrator for an "
                 "account section with send-as",
                 address, user);
}
