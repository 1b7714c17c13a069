#include "gateway/message/decode.h"

#include <gmime/gmime.h>
#include <stdlib.h>

#include "gateway/message/header.h"

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
    char *decoded = g_mime_utils_header_decode_text(NULL, text);
    char *valid = g_utf8_make_valid(decoded ? decoded : text, -1);
    char *copy = strdup(valid);
    if (!copy)
        abort();
    g_free(valid);
    g_free(decoded);
    free(text);
    return copy;
}
