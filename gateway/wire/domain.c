#include "gateway/wire/domain.h"

#include <arpa/inet.h>

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
