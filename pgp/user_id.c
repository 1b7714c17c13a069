#include "pgp/user_id.h"

#include <stdlib.h>

#define LOCAL_PART_MAX 64 /* RFC 5321 §4.5.3.1.1 */
#define DOMAIN_MAX 255    /* RFC 5321 §4.5.3.1.2 */
#define LABEL_MAX 63      /* RFC 1035 §2.3.4 */

static bool is_alnum(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Bytes of the UTF-8 character at P (RFC 3629 §4), or 0 when it is none or a control character. */
static size_t character_len(const char *p, size_t len)
{
    const unsigned char *u = (const unsigned char *)p;
    size_t n = u[0] < 0x80 ? 1 : u[0] < 0xc2 ? 0 : u[0] < 0xe0 ? 2 : u[0] < 0xf0 ? 3 : u[0] < 0xf5 ? 4 : 0;

    if (n == 0 || n > len)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((u[i] & 0xc0) != 0x80)
            return 0;
    if (n == 1)
        return u[0] >= 0x20 && u[0] != 0x7f ? 1 : 0;
    if ((n == 2 && u[0] == 0xc2 && u[1] < 0xa0) || (u[0] == 0xe0 && u[1] < 0xa0) ||
        (u[0] == 0xed && u[1] > 0x9f) || (u[0] == 0xf0 && u[1] < 0x90) || (u[0] == 0xf4 && u[1] > 0x8f))
        return 0;
    return n;
}

static bool is_utf8(struct span s)
{
    size_t n;

    for (size_t i = 0; i < s.len; i += n) {
        n = character_len(s.p + i, s.len - i);
        if (n == 0)
            return false;
    }
    return true;
}

/* Dot-separated words of ALSO, letters, digits and characters beyond ASCII; none empty or over MAX bytes. */
static bool is_dotted(struct span s, const char *also, size_t max)
{
    size_t word = 0;

    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (c == '.') {
            if (word == 0)
                return false;
            word = 0;
            continue;
        }
        if (c < 0x80 && !is_alnum(c) && (c == '\0' || !strchr(also, c)))
            return false;
        if (++word > max)
            return false;
    }
    return word > 0;
}

/* No label of a host name begins or ends with a hyphen. */
static bool hyphens_are_inside(struct span domain)
{
    for (size_t i = 0; i < domain.len; i++)
        if (domain.p[i] == '-' &&
            (i == 0 || i + 1 == domain.len || domain.p[i - 1] == '.' || domain.p[i + 1] == '.'))
            return false;
    return true;
}

static bool is_addr_spec(struct span s)
{
    const char *at = s.len ? memchr(s.p, '@', s.len) : NULL;
    struct span local, domain;

    if (!at)
        return false;
    local = span_of(s.p, (size_t)(at - s.p));
    domain = span_of(at + 1, s.len - local.len - 1);
    return local.len <= LOCAL_PART_MAX && domain.len <= DOMAIN_MAX &&
           is_dotted(local, "!#$%&'*+-/=?^_`{|}~", LOCAL_PART_MAX) && is_dotted(domain, "-", LABEL_MAX) &&
           hyphens_are_inside(domain) && is_utf8(s);
}

/* Is this a name, perhaps with comments, in which no bracket and no comment stays open? */
static bool is_name(struct span s)
{
    size_t depth = 0;

    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] == '<' || s.p[i] == '>')
            return false;
        if (s.p[i] == '(')
            depth++;
        else if (s.p[i] == ')' && depth-- == 0)
            return false;
    }
    return depth == 0;
}

bool pgp_user_id_address(struct span user_id, struct span *address_out)
{
    const char *open;
    struct span inner;

    if (is_addr_spec(user_id)) {
        *address_out = user_id;
        return true;
    }
    open = user_id.len ? memchr(user_id.p, '<', user_id.len) : NULL;
    if (!open || user_id.p[user_id.len - 1] != '>')
        return false;
    inner = span_of(open + 1, user_id.len - (size_t)(open - user_id.p) - 2);
    if (!is_name(span_of(user_id.p, (size_t)(open - user_id.p))) || !is_addr_spec(inner))
        return false;
    *address_out = inner;
    return true;
}

char *pgp_user_id_text(struct span user_id)
{
    char *text = malloc(user_id.len + 1);
    size_t n;

    if (!text)
        return NULL;
    for (size_t i = 0; i < user_id.len; i += n) {
        n = character_len(user_id.p + i, user_id.len - i);
        if (n > 0) {
            memcpy(text + i, user_id.p + i, n);
            continue;
        }
        text[i] = '?';
        n = 1;
    }
    text[user_id.len] = '\0';
    return text;
}
