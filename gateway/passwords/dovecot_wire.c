#include "gateway/passwords/dovecot_wire.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

static const char escaped[] = "\t\n\r\001", letters[] = "tnr1";

void dovecot_escape(struct buf *b, struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        const char *at = text.p[i] ? strchr(escaped, text.p[i]) : NULL;
        if (at) {
            buf_append_char(b, '\001');
            buf_append_char(b, letters[at - escaped]);
        } else {
            buf_append_char(b, text.p[i]);
        }
    }
}

bool dovecot_unescape(struct span field, char *out, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < field.len; i++) {
        char c = field.p[i];
        if (c == '\001') {
            const char *at = ++i < field.len && field.p[i] ? strchr(letters, field.p[i]) : NULL;
            if (!at)
                return false;
            c = escaped[at - letters];
        }
        if (c == '\0' || n + 1 >= size)
            return false;
        out[n++] = c;
    }
    out[n] = '\0';
    return true;
}

/* The next field of *LINE. False: there is none any more. */
static bool next_field(struct span *line, struct span *field_out)
{
    if (!line->p)
        return false;
    const char *tab = line->len ? memchr(line->p, '\t', line->len) : NULL;
    size_t len = tab ? (size_t)(tab - line->p) : line->len;
    *field_out = span_of(line->p, len);
    *line = tab ? span_of(tab + 1, line->len - len - 1) : (struct span){0};
    return true;
}

void dovecot_hello(struct buf *b, uint32_t client_id)
{
    buf_printf(b, "VERSION\t1\t1\nCPID\t%u\n", client_id);
}

bool dovecot_greeting_line(struct dovecot_greeting *greeting, struct span line)
{
    struct span word, value = {0};
    if (!next_field(&line, &word))
        return false;
    (void)next_field(&line, &value);
    if (span_eq(word, span_str("VERSION"))) {
        greeting->version = span_eq(value, span_str("1"));
        return greeting->version;
    }
    if (!greeting->version)
        return false; /* it stands first */
    if (span_eq(word, span_str("MECH")) && span_is(value, "PLAIN"))
        greeting->plain = true;
    if (span_eq(word, span_str("DONE")))
        greeting->done = true;
    return true;
}

/* RFC 4616: no authzid, the user, the password. */
static void append_plain(struct buf *b, const struct password_check *check)
{
    unsigned char text[2 + PASSWORD_USER_MAX + PASSWORD_MAX], base64[4 * ((sizeof text + 2) / 3) + 1];
    int len = snprintf((char *)text, sizeof text, "%c%s%c%s", 0, check->user, 0, check->password);
    int n = EVP_EncodeBlock(base64, text, len);
    buf_append(b, base64, (size_t)n);
    explicit_bzero(text, sizeof text);
    explicit_bzero(base64, sizeof base64);
}

/* "no-penalty": that is for clients who do not slow down guessing themselves. "resp" stands last. */
void dovecot_request(struct buf *b, uint32_t id, const struct password_check *check)
{
    buf_printf(b, "AUTH\t%u\tPLAIN\tservice=smtp\tsecured\tno-penalty", id);
    if (*check->client_address) {
        buf_append_str(b, "\trip=");
        dovecot_escape(b, span_str(check->client_address));
    }
    buf_append_str(b, "\tresp=");
    append_plain(b, check);
    buf_append_char(b, '\n');
}

/* What stands behind "KEY=" in the first field that has it; false: none has. */
static bool find_value(struct span fields, const char *key, struct span *value_out)
{
    size_t len = strlen(key);
    struct span field;
    while (next_field(&fields, &field)) {
        if (field.len <= len || memcmp(field.p, key, len) != 0 || field.p[len] != '=')
            continue;
        *value_out = span_of(field.p + len + 1, field.len - len - 1);
        return true;
    }
    return false;
}

/* A field "KEY", with a value or without. */
static bool has_field(struct span fields, const char *key)
{
    struct span rest = fields, field;
    while (next_field(&rest, &field))
        if (span_eq(field, span_str(key)))
            return true;
    return find_value(fields, key, &field);
}

/*
 * "nologin": the password is right, and the user is to be kept out all the same. "proxy" brings it along and
 * means no more than that the mailbox is on another server.
 */
static enum dovecot_reply read_ok(struct span fields, char user_out[PASSWORD_USER_MAX])
{
    struct span user;
    if (has_field(fields, "nologin") && !has_field(fields, "proxy") && !has_field(fields, "proxy_maybe"))
        return DOVECOT_FAIL;
    /* It is always there. */
    if (!find_value(fields, "user", &user) || user.len == 0)
        return DOVECOT_NONSENSE;
    return dovecot_unescape(user, user_out, PASSWORD_USER_MAX) ? DOVECOT_OK : DOVECOT_NONSENSE;
}

static enum dovecot_reply read_fail(struct span fields)
{
    struct span field;
    while (next_field(&fields, &field))
        if (span_eq(field, span_str("temp")) || span_eq(field, span_str("code=temp_fail")))
            return DOVECOT_TEMPORARY;
    return DOVECOT_FAIL;
}

enum dovecot_reply dovecot_reply_read(struct span line, uint32_t id, char user_out[PASSWORD_USER_MAX])
{
    char wanted[16];
    struct span word, number;
    snprintf(wanted, sizeof wanted, "%u", id);
    *user_out = '\0';
    if (!next_field(&line, &word))
        return DOVECOT_NONSENSE;
    bool ok = span_eq(word, span_str("OK"));
    if (!ok && !span_eq(word, span_str("FAIL")))
        return span_eq(word, span_str("CONT")) ? DOVECOT_NONSENSE : DOVECOT_NONE;
    if (!next_field(&line, &number) || !span_eq(number, span_str(wanted)))
        return DOVECOT_NONSENSE;
    enum dovecot_reply reply = ok ? read_ok(line, user_out) : read_fail(line);
    if (reply != DOVECOT_OK)
        *user_out = '\0';
    return reply;
}
