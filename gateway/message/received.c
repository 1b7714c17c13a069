#include <ctype.h>

#include "base/clock.h"
#include "gateway/message/outer.h"

#define LINE_MAX_NATURAL 76 /* RFC 5322 §2.1.1 recommends at most 78 */
#define FOREIGN_MAX 255     /* bytes of one value from outside: a line stays far below 998 */
#define WORD_MAX (3 * FOREIGN_MAX)

/*
 * Only what a domain, an address literal or a cipher name is made of; everything else becomes "?", so that
 * nothing can end a comment, the field or the line (A9).
 */
static void append_foreign(struct buf *word, const char *value)
{
    if (!value || value[0] == '\0')
        value = "unknown";
    for (size_t i = 0; value[i] != '\0' && i < FOREIGN_MAX; i++) {
        unsigned char c = (unsigned char)value[i];
        bool plain = c < 128 && (isalnum(c) || strchr(".-_:[]", c));
        buf_append_char(word, plain ? (char)c : '?');
    }
}

/* Puts WORD behind what stands in OUT, on a new line when it would not fit; empties WORD. */
static void append_word(struct buf *out, size_t *column, struct buf *word)
{
    if (*column + 1 + word->len > LINE_MAX_NATURAL) {
        buf_append_str(out, "\r\n\t");
        *column = 8;
    } else {
        buf_append_char(out, ' ');
        *column += 1;
    }
    buf_append_span(out, buf_span(word));
    *column += word->len;
    out->failed = out->failed || word->failed;
    buf_reset(word);
}

/* RFC 5321 §4.1.3: IPv6 addresses are tagged. */
static void append_client(struct buf *word, const char *address)
{
    buf_append_str(word, "([");
    if (address && strchr(address, ':'))
        buf_append_str(word, "IPv6:");
    append_foreign(word, address);
    buf_append_str(word, "])");
}

/*
 * The transmission types of RFC 3848 and RFC 6531 §4.3: all mail comes over TLS ("S", also for TLS from the
 * start, RFC 8314 §7.4), that of a user with AUTH ("A"). There is none for HELO over TLS: it is plain SMTP,
 * and the comment behind it tells of TLS. AUTH belongs to ESMTP, whatever the client called itself later.
 */
static const char *protocol(const struct envelope *e)
{
    bool authenticated = e->user && e->user[0] != '\0';
    if (e->smtputf8)
        return authenticated ? "UTF8SMTPSA" : "UTF8SMTPS";
    if (authenticated)
        return "ESMTPSA";
    return e->plain_smtp ? "SMTP" : "ESMTPS";
}

void received_field(const struct envelope *e, const char *hostname, struct buf *out)
{
    struct buf word;
    buf_init(&word, WORD_MAX);
    size_t column = sizeof "Received:" - 1;
    buf_append_str(out, "Received:");

    buf_append_str(&word, "from ");
    append_foreign(&word, e->helo);
    append_word(out, &column, &word);
    append_client(&word, e->client_address);
    append_word(out, &column, &word);
    buf_append_str(&word, "by ");
    append_foreign(&word, hostname);
    append_word(out, &column, &word);
    buf_append_str(&word, "with ");
    buf_append_str(&word, protocol(e));
    append_word(out, &column, &word);
    buf_append_char(&word, '(');
    append_foreign(&word, e->tls_version);
    buf_append_char(&word, ' ');
    append_foreign(&word, e->tls_cipher);
    buf_append_char(&word, ')');
    append_word(out, &column, &word);
    buf_append_str(&word, "id ");
    append_foreign(&word, e->id);
    buf_append_char(&word, ';');
    append_word(out, &column, &word);
    char date[CLOCK_RFC5322_SIZE];
    clock_rfc5322(e->received_ms, date);
    buf_append_str(&word, date);
    append_word(out, &column, &word);

    buf_append_str(out, "\r\n");
    buf_free(&word);
}
