#include "gateway/wire/domain.h"

#include <arpa/inet.h>
#include <idn2.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"
#include "gateway/wire/ascii.h"

/* One label, from letters, digits, hyphens and what ALSO holds; a hyphen neither first nor last. */
static bool label_is_valid(struct span label, const char *also)
{
    if (label.len == 0 || label.len > DOMAIN_LABEL_MAX)
        return false;
    for (size_t i = 0; i < label.len; i++) {
        char c = label.p[i];
        bool edge = i == 0 || i == label.len - 1;
        if (!ascii_is_letter(c) && !ascii_is_digit(c) && !(c == '-' && !edge) &&
            !(c != '\0' && strchr(also, c)))
            return false;
    }
    return true;
}

static bool labels_are_valid(struct span domain, const char *also)
{
    if (domain.len == 0 || domain.len > DOMAIN_MAX)
        return false;
    size_t start = 0;
    for (size_t i = 0; i <= domain.len; i++) {
        if (i < domain.len && domain.p[i] != '.')
            continue;
        if (!label_is_valid(span_of(domain.p + start, i - start), also))
            return false;
        start = i + 1;
    }
    return true;
}

bool domain_is_valid(struct span domain)
{
    return labels_are_valid(domain, "");
}

/* Letters, digits, hyphens, dots and what is beyond ASCII, but no other kind of dot. */
static bool is_domain_text(struct span text)
{
    uint32_t c;
    while (text.len > 0) {
        if (!utf8_next(&text, &c) || utf8_is_control(c) || c == 0x3002 || c == 0xff0e || c == 0xff61)
            return false;
        if (c < 0x80 && !ascii_is_letter((char)c) && !ascii_is_digit((char)c) && c != '-' && c != '.')
            return false;
    }
    return true;
}

bool domain_is_valid_utf8(struct span domain)
{
    if (domain.len > DOMAIN_MAX || !is_domain_text(domain))
        return false;
    char *copy = span_dup(domain);
    char *ascii = copy ? domain_to_a_labels(copy) : NULL;
    bool valid = ascii;
    free(ascii);
    free(copy);
    return valid;
}

/* As keystore and delivery do it, so that what they could not use is refused before. */
char *domain_to_a_labels(const char *domain)
{
    char *ascii = NULL;
    if (idn2_to_ascii_8z(domain, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
        return NULL;
    char *copy = domain_is_valid(span_str(ascii)) ? strdup(ascii) : NULL;
    idn2_free(ascii);
    /* What is ASCII already may have kept its case. */
    for (char *c = copy; c && *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    return copy;
}

char *domain_from_text(const char *text)
{
    size_t len = strlen(text);
    char *undotted = span_dup(span_of(text, len > 1 && text[len - 1] == '.' ? len - 1 : len));
    char *domain = undotted ? domain_to_a_labels(undotted) : NULL;
    free(undotted);
    return domain;
}

bool domain_is_address_literal(struct span literal)
{
    static const char tag[] = "IPv6:";
    char text[INET6_ADDRSTRLEN];
    unsigned char address[sizeof(struct in6_addr)];
    if (literal.len < 2 || literal.p[0] != '[' || literal.p[literal.len - 1] != ']')
        return false;
    struct span inner = span_of(literal.p + 1, literal.len - 2);
    int family = AF_INET;
    if (span_starts(inner, tag)) {
        family = AF_INET6;
        inner = span_of(inner.p + sizeof tag - 1, inner.len - (sizeof tag - 1));
    }
    if (inner.len >= sizeof text || memchr(inner.p, '\0', inner.len))
        return false;
    memcpy(text, inner.p, inner.len);
    text[inner.len] = '\0';
    return inet_pton(family, text, address) == 1;
}

bool domain_is_client_name(struct span name)
{
    if (domain_is_address_literal(name))
        return true;
    if (name.len > 1 && name.p[name.len - 1] == '.')
        name.len--;
    return labels_are_valid(name, "_");
}

size_t domain_fit(const char *pattern, const char *domain)
{
    size_t pattern_len = strlen(pattern);
    size_t len = strlen(domain);
    if (pattern[0] != '.')
        return strcasecmp(pattern, domain) == 0 ? pattern_len + 2 : 0;
    if (strcasecmp(pattern + 1, domain) == 0)
        return pattern_len;
    return len > pattern_len && strcasecmp(domain + len - pattern_len, pattern) == 0 ? pattern_len : 0;
}
