#include "keystore/address.h"

#include <idn2.h>
#include <stdio.h>
#include <string.h>

/*
 * RFC 5321 §4.5.3.1.1 asks for 64 octets of a local part and allows more; submission decides what it takes.
 */
#define LOCAL_PART_MAX 256
#define DOMAIN_MAX 255 /* RFC 5321 §4.5.3.1.2 */
#define LABEL_MAX 63   /* RFC 1035 §2.3.4 */

/* ---- characters ---- */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z');
}

/* RFC 5322 §3.2.3 atext, with UTF8-non-ascii (RFC 6531 §3.3). */
static bool is_atext(char c)
{
    return is_alnum(c) || (unsigned char)c >= 0x80 || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

/* RFC 5321 §4.1.2 qtextSMTP and what may follow a backslash, with UTF8-non-ascii. */
static bool is_quotable(char c)
{
    return (c >= ' ' && c <= '~') || (unsigned char)c >= 0x80;
}

/* Bytes of the UTF-8 sequence that LEAD begins; 0: begins none (RFC 3629 §4). */
static size_t sequence_len(unsigned char lead)
{
    return lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
}

/* No overlong form, no surrogate, nothing over U+10FFFF. */
static bool is_utf8(struct span s)
{
    for (size_t i = 0; i < s.len;) {
        unsigned char lead = (unsigned char)s.p[i];
        size_t n = sequence_len(lead);
        if (n == 0 || n > s.len - i)
            return false;
        unsigned char second = n > 1 ? (unsigned char)s.p[i + 1] : 0x80;
        if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) ||
            (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f))
            return false;
        for (size_t k = 1; k < n; k++)
            if (((unsigned char)s.p[i + k] & 0xc0) != 0x80)
                return false;
        i += n;
    }
    return true;
}

/* ---- local part ---- */

static bool is_dot_atom(struct span s)
{
    bool in_word = false;

    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] == '.' ? !in_word : !is_atext(s.p[i]))
            return false;
        in_word = s.p[i] != '.';
    }
    return in_word;
}

/* Reads a quoted-string at *AT without quotes and backslashes. */
static bool read_quoted(struct span *at, struct buf *local)
{
    size_t i = 1;

    for (; i < at->len && at->p[i] != '"'; i++) {
        if (at->p[i] == '\\')
            i++;
        if (i >= at->len || !is_quotable(at->p[i]))
            return false;
        buf_append_char(local, at->p[i]);
    }
    if (i >= at->len)
        return false;
    *at = span_of(at->p + i + 1, at->len - i - 1);
    return true;
}

static bool read_local_part(struct span *at, struct buf *local)
{
    if (at->len > 0 && at->p[0] == '"')
        return read_quoted(at, local);
    const char *end = memchr(at->p, '@', at->len);
    if (!end)
        return false;
    struct span s = span_of(at->p, (size_t)(end - at->p));
    buf_append_span(local, s);
    *at = span_of(end, at->len - s.len);
    return is_dot_atom(s);
}

static void write_local_part(struct span local, struct buf *key)
{
    if (is_dot_atom(local)) {
        buf_append_span(key, local);
        return;
    }
    buf_append_char(key, '"');
    for (size_t i = 0; i < local.len; i++) {
        if (local.p[i] == '"' || local.p[i] == '\\')
            buf_append_char(key, '\\');
        buf_append_char(key, local.p[i]);
    }
    buf_append_char(key, '"');
}

/* ---- domain ---- */

static void append_lower(struct span s, struct buf *out)
{
    for (size_t i = 0; i < s.len; i++)
        buf_append_char(out, lower(s.p[i]));
}

/* Labels of letters, digits, hyphens and, as some real domains have it, underscores. */
static bool is_host_name(struct span s)
{
    size_t label = 0;

    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] == '.' ? label == 0 : !is_alnum(s.p[i]) && s.p[i] != '-' && s.p[i] != '_')
            return false;
        label = s.p[i] == '.' ? 0 : label + 1;
        if (label > LABEL_MAX)
            return false;
    }
    return label > 0 && s.len <= DOMAIN_MAX;
}

/* RFC 5321 §4.1.3 address-literal; not looked into. */
static bool is_literal(struct span s)
{
    if (s.len < 3 || s.len > DOMAIN_MAX || s.p[0] != '[' || s.p[s.len - 1] != ']')
        return false;
    for (size_t i = 1; i < s.len - 1; i++)
        if (!is_alnum(s.p[i]) && s.p[i] != '.' && s.p[i] != ':' && s.p[i] != '-')
            return false;
    return true;
}

/*
 * U-labels become A-labels (RFC 5890 §2.3.2.1; UTS 46 mapping, non-transitional). Names that only look alike
 * (A13) have different A-labels. IDN2_USE_STD3_ASCII_RULES would silently drop what is forbidden ("ex ample"
 * becomes "example"): without it, it stays and is refused. DOMAIN ends in a NUL.
 */
static bool write_idn(const char *domain, struct buf *key)
{
    char *ascii = NULL;
    int flags = IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL;
    bool good = idn2_to_ascii_8z(domain, &ascii, flags) == IDN2_OK && is_host_name(span_str(ascii));

    if (good)
        append_lower(span_str(ascii), key);
    idn2_free(ascii);
    return good;
}

static bool write_domain(const char *domain, struct buf *key)
{
    struct span s = span_str(domain);

    if (s.len > 4 * DOMAIN_MAX) /* of UTF-8; as A-labels it may yet be short enough */
        return false;
    if (is_host_name(s) || is_literal(s)) {
        append_lower(s, key);
        return true;
    }
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.p[i] >= 0x80)
            return write_idn(domain, key);
    return false;
}

/* ---- the whole ---- */

/* The exact key; false: no addr-spec. */
static bool write_key(const char *address, struct buf *local, struct buf *key)
{
    struct span at = span_str(address);

    if (!is_utf8(at) || !read_local_part(&at, local) || local->failed)
        return false;
    if (at.len == 0 || at.p[0] != '@')
        return false;
    write_local_part(buf_span(local), key);
    buf_append_char(key, '@');
    return write_domain(at.p + 1, key) && !key->failed;
}

enum status address_keys_make(const char *address, struct address_keys *keys_out, struct error *err)
{
    struct buf local, key;

    buf_init(&local, LOCAL_PART_MAX);
    buf_init(&key, ADDRESS_KEY_SIZE - 1);
    /* Want of memory is not to look like something that is no address. */
    if (!buf_reserve(&local, LOCAL_PART_MAX) || !buf_reserve(&key, ADDRESS_KEY_SIZE - 1)) {
        buf_free(&local);
        buf_free(&key);
        return error_set(err, STATUS_TEMPORARY, "out of memory for an address");
    }
    bool good = write_key(address, &local, &key);
    if (good) {
        /* Only ASCII letters are folded (RFC 6530 §10.1 leaves other letters to the receiver). */
        for (size_t i = 0; i <= key.len; i++) {
            keys_out->exact[i] = i < key.len ? (char)key.data[i] : '\0';
            keys_out->folded[i] = lower(keys_out->exact[i]);
        }
    }
    buf_free(&local);
    buf_free(&key);
    return good ? STATUS_OK : error_set(err, STATUS_INVALID, "not an address: %.200s", address);
}

enum status address_domain_key(const char *domain, char key_out[DOMAIN_KEY_SIZE], struct error *err)
{
    const char *name = domain[0] == '@' ? domain + 1 : domain;
    struct buf key;

    buf_init(&key, DOMAIN_KEY_SIZE - 1);
    bool good = is_utf8(span_str(name)) && write_domain(name, &key) && !key.failed;
    if (good)
        snprintf(key_out, DOMAIN_KEY_SIZE, "%.*s", (int)key.len, (const char *)key.data);
    buf_free(&key);
    return good ? STATUS_OK
                : error_set(err, STATUS_INVALID, "not a domain: %.200s; one like partner.example is wanted",
                            domain);
}

const char *address_keys_domain(const struct address_keys *keys)
{
    return strrchr(keys->folded, '@') + 1;
}

static void cut(char *key, size_t from, size_t to)
{
    memmove(key + from, key + to, strlen(key + to) + 1);
}

bool address_keys_drop_tag(struct address_keys *keys)
{
    const char *at = strrchr(keys->exact, '@');
    const char *plus = strchr(keys->exact, '+');

    if (keys->exact[0] == '"' || !plus || plus == keys->exact || plus > at)
        return false;
    size_t from = (size_t)(plus - keys->exact), to = (size_t)(at - keys->exact);
    cut(keys->exact, from, to);
    cut(keys->folded, from, to);
    return true;
}

enum status keystore_address_key(const char *address, bool local_part_case_sensitive, struct buf *key_out,
                                 struct error *err)
{
    struct address_keys keys;
    enum status st = address_keys_make(address, &keys, err);

    if (st != STATUS_OK)
        return st;
    buf_append_str(key_out, local_part_case_sensitive ? keys.exact : keys.folded);
    return buf_check(key_out, "the key of an address", err);
}
