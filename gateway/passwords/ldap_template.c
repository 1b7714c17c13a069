#include "gateway/passwords/ldap_template.h"

#include <string.h>

#define ADDRESS_MAX 320

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static void append_escaped(struct buf *out, const char *name)
{
    for (const char *p = name; *p; p++) {
        if (is_alnum(*p) || strchr("@._", *p))
            buf_append_char(out, *p);
        else
            buf_printf(out, "\\%02X", (unsigned char)*p);
    }
}

enum status ldap_template_fill(const char *template, const char *name, struct buf *out, struct error *err)
{
    bool found = false;
    for (const char *p = template; *p; p++) {
        if (*p != '%') {
            buf_append_char(out, *p);
            continue;
        }
        if (*++p != 'u')
            return error_set(err, STATUS_INVALID, "\"%s\" has a %% that is not %%u", template);
        append_escaped(out, name);
        found = true;
    }
    return found ? STATUS_OK : error_set(err, STATUS_INVALID, "\"%s\" has no %%u", template);
}

struct span ldap_template_attribute(const char *template)
{
    const char *end = strstr(template, "=%u");
    const char *start = end;
    while (start && start > template && (is_alnum(start[-1]) || start[-1] == '-' || start[-1] == '.'))
        start--;
    /* "uid:caseIgnoreMatch:=%u", "uid~=%u" and the like are left alone. */
    return end && start < end ? span_of(start, (size_t)(end - start)) : (struct span){0};
}

bool ldap_value_address(struct span value, struct span *address_out)
{
    if (span_starts(value, "smtp:"))
        value = span_of(value.p + 5, value.len - 5);
    if (value.len < 3 || value.len > ADDRESS_MAX || value.p[0] == '@')
        return false;
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.p[i];
        if (c <= ' ' || c == 0x7f || c == '*' || c == '?')
            return false;
    }
    const char *at = memrchr(value.p, '@', value.len);
    *address_out = value;
    return at && at + 1 < value.p + value.len;
}
