#include "gateway/message/decode.h"

#include <gmime/gmime.h>
#include <stdlib.h>

#include "gateway/message/encoded_word.h"
#include "gateway/message/header.h"

/* encoded_words_join makes no text longer than twice as long and this. */
#define JOINED_EXTRA 16

char *header_text(struct span value)
{
    struct buf text;
    buf_init(&text, value.len + 1);
    header_unfold(value, &text);
    char *copy = malloc(text.len + 1);
    if (text.failed || !copy)
        abort();
    for (size_t i = 0; i < text.len; i++)
        copy[i] = text.data[i] == '\0' ? ' ' : (char)text.data[i];
    copy[text.len] = '\0';
    buf_free(&text);
    return copy;
}

char *header_decode(struct span value)
{
    g_mime_init(); /* counts, and does nothing the second time */
    char *text = header_text(value);
    struct buf joined;
    buf_init(&joined, 2 * value.len + JOINED_EXTRA);
    encoded_words_join(span_str(text), &joined);
    if (joined.failed)
        abort();
    char *decoded = g_mime_utils_header_decode_text(NULL, buf_str(&joined));
    char *valid = g_utf8_make_valid(decoded ? decoded : text, -1);
    char *copy = strdup(valid);
    if (!copy)
        abort();
    g_free(valid);
    g_free(decoded);
    buf_free(&joined);
    free(text);
    return copy;
}
