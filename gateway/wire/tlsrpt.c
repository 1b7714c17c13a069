#include "gateway/wire/tlsrpt.h"

#include <string.h>

#include "gateway/wire/ascii.h"
#include "gateway/wire/field.h"

#define VERSION "v=TLSRPTv1"
#define NAME_MAX_LEN 32
#define PORT_HTTPS 443

static struct span behind(struct span s, size_t n)
{
    return span_of(s.p + n, s.len - n);
}

/* ---- the record ---- */

/* The version, and *REST behind its ";". */
static bool take_version(struct span txt, struct span *rest)
{
    size_t len = strlen(VERSION);
    if (txt.len < len || memcmp(txt.p, VERSION, len) != 0)
        return false;
    *rest = behind(txt, len);
    while (rest->len > 0 && field_is_space(rest->p[0]))
        *rest = behind(*rest, 1);
    if (rest->len == 0 || rest->p[0] != ';')
        return false;
    *rest = behind(*rest, 1);
    return true;
}

bool tlsrpt_is_record(struct span txt)
{
    struct span rest;
    return take_version(txt, &rest);
}

static bool is_alnum(char c)
{
    return ascii_is_letter(c) || ascii_is_digit(c);
}

static bool is_extension(struct span name, struct span value)
{
    if (name.len == 0 || name.len > NAME_MAX_LEN || !is_alnum(name.p[0]) || value.len == 0)
        return false;
    for (size_t i = 1; i < name.len; i++)
        if (!is_alnum(name.p[i]) && !strchr("_-.", name.p[i]))
            return false;
    for (size_t i = 0; i < value.len; i++)
        if (!ascii_is_printable(value.p[i]) || value.p[i] == ' ' || value.p[i] == '=')
            return false;
    return true;
}

/* RFC 3986 §2; the record's own "!" and "," must be encoded (RFC 8460 §3). */
static bool is_uri(struct span uri)
{
    if (uri.len == 0 || uri.len > TLSRPT_URI_MAX || !ascii_is_letter(uri.p[0]) ||
        !memchr(uri.p, ':', uri.len))
        return false;
    for (size_t i = 0; i < uri.len; i++)
        if (!is_alnum(uri.p[i]) && (uri.p[i] == '\0' || !strchr("-._~:/?#[]@$&'()*+=%", uri.p[i])))
            return false;
    return true;
}

static bool take_uris(struct span value, struct tlsrpt_record *record)
{
    do {
        struct span uri = field_without_spaces(field_cut(&value, ','));
        if (!is_uri(uri))
            return false;
        if (record->n < TLSRPT_URIS_MAX)
            record->uris[record->n++] = uri;
        /* A "," at the end would be one without an URI behind it. */
    } while (value.len > 0);
    return true;
}

static bool take_field(struct span field, struct tlsrpt_record *record)
{
    struct span value = field, name = field_cut(&value, '=');
    bool is_rua = name.len == 3 && memcmp(name.p, "rua", 3) == 0;
    if (name.len == field.len)
        return false; /* no "=" */
    if (!is_rua)
        return is_extension(name, value);
    return record->n == 0 && (value.len == 0 || value.p[value.len - 1] != ',') && take_uris(value, record);
}

enum status tlsrpt_record_parse(struct span txt, struct tlsrpt_record *record_out, struct error *err)
{
    struct tlsrpt_record record = {0};
    struct span rest;
    if (!take_version(txt, &rest))
        return error_set(err, STATUS_INVALID, "the TLSRPT record does not begin with " VERSION ";");
    while (rest.len > 0) {
        struct span field = field_without_spaces(field_cut(&rest, ';'));
        if (field.len == 0 && field_without_spaces(rest).len == 0)
            break; /* a ";" at the end */
        if (!take_field(field, &record))
            return error_set(err, STATUS_INVALID, "the TLSRPT record has a field that is none");
    }
    if (record.n == 0)
        return error_set(err, STATUS_INVALID, "the TLSRPT record has no rua");
    *record_out = record;
    return STATUS_OK;
}

/* ---- its URIs ---- */

static int hex_value(char c)
{
    return ascii_hex_value(c >= 'a' && c <= 'f' ? (char)(c - 'a' + 'A') : c);
}

/* The byte that "%41" at AT stands for, or -1. */
static int escaped(struct span s, size_t at)
{
    int high = at + 2 < s.len ? hex_value(s.p[at + 1]) : -1;
    int low = at + 2 < s.len ? hex_value(s.p[at + 2]) : -1;
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

static bool take_address(struct span to, char *out, size_t size)
{
    struct path path;
    size_t n = 0;
    for (size_t i = 0; i < to.len; i++) {
        int c = to.p[i] == '%' ? escaped(to, i) : to.p[i];
        if (c <= ' ' || c >= 0x7f || n + 1 >= size)
            return false;
        if (to.p[i] == '%')
            i += 2;
        out[n++] = (char)c;
    }
    out[n] = '\0';
    return path_parse_mailbox(span_of(out, n), &path) == PATH_OK && path.domain.len > 0 &&
           path.domain.p[0] != '[';
}

static bool parse_mailto(struct span rest, struct tlsrpt_uri *uri)
{
    uri->scheme = TLSRPT_MAILTO;
    /* What "?" begins would be the header fields of somebody else. */
    return !memchr(rest.p, '?', rest.len) && !memchr(rest.p, '#', rest.len) &&
           take_address(rest, uri->address, sizeof uri->address);
}

/* An address has digits alone in its last label (RFC 3696 §2). */
static bool is_host_name(struct span host)
{
    size_t dot = host.len;
    if (!domain_is_valid(host))
        return false;
    while (dot > 0 && host.p[dot - 1] != '.')
        dot--;
    for (size_t i = dot; i < host.len; i++)
        if (!ascii_is_digit(host.p[i]))
            return true;
    return false;
}

static bool take_port(struct span text, uint16_t *port_out)
{
    unsigned port = 0;
    if (text.len == 0 || text.len > 5)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (!ascii_is_digit(text.p[i]))
            return false;
        port = port * 10 + (unsigned)(text.p[i] - '0');
    }
    *port_out = (uint16_t)port;
    return port > 0 && port <= UINT16_MAX;
}

static bool take_authority(struct span authority, struct tlsrpt_uri *uri)
{
    struct span port = authority, host = field_cut(&port, ':');
    if (!is_host_name(host) || host.len >= sizeof uri->host)
        return false;
    memcpy(uri->host, host.p, host.len);
    uri->host[host.len] = '\0';
    uri->port = PORT_HTTPS;
    return host.len == authority.len || take_port(port, &uri->port);
}

static bool take_path(struct span path, struct tlsrpt_uri *uri)
{
    size_t n = 0;
    if (path.len == 0 || path.p[0] != '/')
        uri->path[n++] = '/';
    if (n + path.len > TLSRPT_PATH_MAX)
        return false;
    for (size_t i = 0; i < path.len; i++) {
        char c = path.p[i];
        if (c == '#' || c == '[' || c == ']' || (c == '%' && escaped(path, i) < 0))
            return false;
        uri->path[n++] = c;
    }
    uri->path[n] = '\0';
    return true;
}

static bool parse_https(struct span rest, struct tlsrpt_uri *uri)
{
    size_t len = 0;
    uri->scheme = TLSRPT_HTTPS;
    while (len < rest.len && rest.p[len] != '/' && rest.p[len] != '?')
        len++;
    return take_authority(span_of(rest.p, len), uri) && take_path(behind(rest, len), uri);
}

enum status tlsrpt_uri_parse(struct span uri, struct tlsrpt_uri *uri_out, struct error *err)
{
    bool good = false;
    *uri_out = (struct tlsrpt_uri){0};
    if (!is_uri(uri))
        return error_set(err, STATUS_INVALID, "it is no URI");
    if (span_starts(uri, "mailto:"))
        good = parse_mailto(behind(uri, strlen("mailto:")), uri_out);
    else if (span_starts(uri, "https://"))
        good = parse_https(behind(uri, strlen("https://")), uri_out);
    return good ? STATUS_OK
                : error_set(err, STATUS_INVALID,
                            "\"%.*s\" is neither mailto: with one mailbox nor https: with a host name",
                            (int)(uri.len < 200 ? uri.len : 200), uri.p);
}
