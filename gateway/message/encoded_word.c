#include "gateway/message/encoded_word.h"

#include <glib.h>

#include "gateway/wire/ascii.h"
#include "gateway/wire/base64.h"

struct word {
    struct span charset; /* without a language (RFC 2231 §5) */
    char encoding;       /* 'b' or 'q' */
    struct span data;
    size_t len; /* of all of it */
};

static struct span behind(struct span text, size_t n)
{
    return span_of(text.p + n, text.len - n);
}

/* Length of "=?charset?Q?" at the front of TEXT; 0: no encoded-word begins there. */
static size_t begin_length(struct span text)
{
    size_t i = 2;
    if (text.len < 2 || text.p[0] != '=' || text.p[1] != '?')
        return 0;
    while (i < text.len && ascii_is_printable(text.p[i]) && !strchr(" ?=", text.p[i]))
        i++;
    bool begins = i + 2 < text.len && text.p[i] == '?' && text.p[i + 2] == '?';
    return begins ? i + 3 : 0;
}

size_t encoded_word_length(struct span text)
{
    size_t begin = begin_length(text);
    const char *end = begin > 0 ? memmem(text.p + begin, text.len - begin, "?=", 2) : NULL;
    return end ? (size_t)(end - text.p) + 2 : 0;
}

static bool read_word(struct span text, struct word *word_out)
{
    size_t len = encoded_word_length(text), begin = len > 0 ? begin_length(text) : 0;
    if (len == 0)
        return false;
    struct span charset = span_of(text.p + 2, begin - 5);
    const char *language = memchr(charset.p, '*', charset.len);
    if (language)
        charset.len = (size_t)(language - charset.p);
    *word_out = (struct word){.charset = charset,
                              .encoding = g_ascii_tolower(text.p[begin - 2]),
                              .data = span_of(text.p + begin, len - begin - 2),
                              .len = len};
    return word_out->encoding == 'b' || word_out->encoding == 'q';
}

/* ---- RFC 2047 §4 ---- */

static void decode_base64(struct span data, struct buf *out)
{
    gint state = 0;
    guint save = 0;
    uint8_t *to = buf_reserve(out, data.len / 4 * 3 + 6);
    if (!to)
        return;
    size_t n = g_base64_decode_step(data.p, data.len, to, &state, &save);
    /* The padding that is missing; where none is, it changes nothing. */
    n += g_base64_decode_step("==", 2, to + n, &state, &save);
    buf_commit(out, n);
}

static void decode_quoted(struct span data, struct buf *out)
{
    for (size_t i = 0; i < data.len; i++) {
        bool hex = data.p[i] == '=' && i + 2 < data.len && g_ascii_isxdigit(data.p[i + 1]) &&
                   g_ascii_isxdigit(data.p[i + 2]);
        char c = data.p[i] == '_' ? ' ' : data.p[i];
        if (hex) {
            c = (char)(g_ascii_xdigit_value(data.p[i + 1]) << 4 | g_ascii_xdigit_value(data.p[i + 2]));
            i += 2;
        }
        buf_append_char(out, c);
    }
}

static void decode(const struct word *word, struct buf *out)
{
    if (word->encoding == 'b')
        decode_base64(word->data, out);
    else
        decode_quoted(word->data, out);
}

/* ---- joining ---- */

static struct span without_blanks(struct span text)
{
    while (text.len > 0 && (text.p[0] == ' ' || text.p[0] == '\t'))
        text = behind(text, 1);
    return text;
}

static bool has_charset(const struct word *word, struct span charset)
{
    return word->charset.len == charset.len && strncasecmp(word->charset.p, charset.p, charset.len) == 0;
}

/* Takes the words of one charset at the front of TEXT; returns what they are long together, 0: none. */
static size_t take_words(struct span text, struct buf *out)
{
    struct word word;
    struct buf bytes;
    struct span at = text;
    if (!read_word(at, &word))
        return 0;
    struct span charset = word.charset;
    buf_init(&bytes, text.len + 6);
    do {
        decode(&word, &bytes);
        text = behind(at, word.len);
        at = without_blanks(text);
    } while (read_word(at, &word) && has_charset(&word, charset));
    buf_append_str(out, "=?");
    buf_append_span(out, charset);
    buf_append_str(out, "?B?");
    base64_encode(buf_span(&bytes), out);
    buf_append_str(out, "?=");
    buf_free(&bytes);
    return (size_t)(text.p - charset.p) + 2;
}

/* Where no "?=" follows there is no word, and looking for one at each "=?" would take square time. */
static size_t last_end(struct span text)
{
    size_t i = text.len;
    while (i >= 2 && (text.p[i - 2] != '?' || text.p[i - 1] != '='))
        i--;
    return i >= 2 ? i : 0;
}

void encoded_words_join(struct span text, struct buf *out)
{
    const char *end = text.p + last_end(text);
    while (text.len > 0) {
        size_t n = text.p < end ? take_words(text, out) : 0;
        if (n == 0) {
            buf_append_char(out, text.p[0]);
            n = 1;
        }
        text = behind(text, n);
    }
}
