#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SIZE 256

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.max = max};
}

void buf_free(struct buf *b)
{
    if (b->data) {
        explicit_bzero(b->data, b->size);
        free(b->data);
    }
    buf_init(b, b->max);
}

void buf_reset(struct buf *b)
{
    if (b->data)
        explicit_bzero(b->data, b->len);
    b->len = 0;
    b->failed = false;
}

/* realloc() would leave the old bytes behind: allocate, copy, wipe. */
static bool grow(struct buf *b, size_t size)
{
    uint8_t *data = malloc(size);
    if (!data)
        return false;
    if (b->data) {
        memcpy(data, b->data, b->len);
        explicit_bzero(b->data, b->size);
        free(b->data);
    }
    b->data = data;
    b->size = size;
    return true;
}

uint8_t *buf_reserve(struct buf *b, size_t len)
{
    if (b->failed || len > b->max - b->len) {
        b->failed = true;
        return NULL;
    }
    /* One byte more than the content, so that buf_str can always end it. */
    size_t need = b->len + len + 1;
    if (need > b->size) {
        size_t size = b->size ? b->size : FIRST_SIZE;
        while (size < need)
            size *= 2;
        if (size > b->max + 1)
            size = b->max + 1;
        if (!grow(b, size)) {
            b->failed = true;
            return NULL;
        }
    }
    return b->data + b->len;
}

void buf_commit(struct buf *b, size_t len)
{
    b->len += len;
}

void buf_append(struct buf *b, const void *bytes, size_t len)
{
    uint8_t *room = buf_reserve(b, len);
    if (!room)
        return;
    if (len > 0)
        memcpy(room, bytes, len);
    buf_commit(b, len);
}

void buf_append_span(struct buf *b, struct span s)
{
    buf_append(b, s.p, s.len);
}

void buf_append_str(struct buf *b, const char *s)
{
    buf_append(b, s, strlen(s));
}

void buf_append_char(struct buf *b, char c)
{
    buf_append(b, &c, 1);
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    int need = vsnprintf(NULL, 0, format, ap);
    va_end(ap);
    if (need < 0) {
        b->failed = true;
        return;
    }
    /* vsnprintf ends the text with a NUL, for which buf_reserve always leaves a byte. */
    uint8_t *room = buf_reserve(b, (size_t)need);
    if (!room)
        return;
    va_start(ap, format);
    vsnprintf((char *)room, (size_t)need + 1, format, ap);
    va_end(ap);
    buf_commit(b, (size_t)need);
}

void buf_consume(struct buf *b, size_t len)
{
    if (len > b->len)
        len = b->len;
    if (len == 0)
        return;
    memmove(b->data, b->data + len, b->len - len);
    explicit_bzero(b->data + b->len - len, len);
    b->len -= len;
}

const char *buf_str(struct buf *b)
{
    if (b->failed || !buf_reserve(b, 0))
        return NULL;
    b->data[b->len] = '\0';
    return (const char *)b->data;
}

struct span buf_span(const struct buf *b)
{
    return span_of(b->data, b->len);
}

enum status buf_check(const struct buf *b, const char *what, struct error *err)
{
    if (b->failed)
        return error_set(err, STATUS_LIMIT, "%s: larger than %zu bytes, or out of memory", what, b->max);
    return STATUS_OK;
}
