/* Text for people. What came from outside may hold escape sequences for the terminal: only printable
 * characters get there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/ctl/ctl.h"

#define CELL_MAX 4096

/* Bytes of the control character that TEXT begins with, 0: none. UTF-8 passes, but for the C1 controls
 * (U+0080 to U+009F). */
static int control_len(const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    if (*p == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f)
        return 2;
    return *p < ' ' || *p == 0x7f;
}

static void append_text(struct buf *out, const char *text)
{
    while (*text) {
        int control = control_len(text);
        buf_append_char(out, control ? '?' : *text);
        text += control ? control : 1;
    }
}

void ctl_put(FILE *stream, const char *text)
{
    for (const char *p = text ? text : "-"; *p;) {
        int control = control_len(p);
        fputc(control ? '?' : *p, stream);
        p += control ? control : 1;
    }
}

static void append_value(struct buf *out, json_t *value)
{
    size_t i;
    json_t *item;
    switch (value ? json_typeof(value) : JSON_NULL) {
    case JSON_STRING:
        append_text(out, json_string_length(value) ? json_string_value(value) : "-");
        break;
    case JSON_INTEGER:
        buf_printf(out, "%lld", (long long)json_integer_value(value));
        break;
    case JSON_REAL:
        buf_printf(out, "%g", json_real_value(value));
        break;
    case JSON_TRUE:
        buf_append_str(out, "yes");
        break;
    case JSON_FALSE:
        buf_append_str(out, "no");
        break;
    case JSON_ARRAY:
        json_array_foreach(value, i, item)
        {
            buf_append_str(out, i ? ", " : "");
            append_value(out, item);
        }
        break;
    default:
        buf_append_char(out, '-');
    }
}

static char *cell(json_t *row, const char *key)
{
    struct buf b;
    buf_init(&b, CELL_MAX);
    append_value(&b, json_object_get(row, key));
    const char *text = buf_str(&b);
    char *copy = strdup(text ? text : "…");
    buf_free(&b);
    return copy;
}

/* Characters, not bytes: UTF-8 continuation bytes take no column. */
static int width_of(const char *text)
{
    int n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static void put_cell(const char *text, int width, bool last)
{
    fputs(text, stdout);
    if (last)
        putchar('\n');
    else
        printf("%*s", width - width_of(text) + 2, "");
}

void ctl_table(json_t *rows, const struct ctl_column *columns, size_t n_columns, const char *empty)
{
    size_t n = json_array_size(rows);
    int *widths = calloc(n_columns, sizeof *widths);
    char **cells = calloc(n * n_columns + 1, sizeof *cells);
    if (n == 0 || !widths || !cells) {
        puts(n == 0 ? empty : "out of memory");
        free(widths);
        free(cells);
        return;
    }
    for (size_t c = 0; c < n_columns; c++) {
        widths[c] = width_of(columns[c].title);
        for (size_t r = 0; r < n; r++) {
            char *text = cell(json_array_get(rows, r), columns[c].key);
            cells[r * n_columns + c] = text;
            if (text && width_of(text) > widths[c])
                widths[c] = width_of(text);
        }
    }
    for (size_t c = 0; c < n_columns; c++)
        put_cell(columns[c].title, widths[c], c + 1 == n_columns);
    for (size_t i = 0; i < n * n_columns; i++) {
        put_cell(cells[i] ? cells[i] : "", widths[i % n_columns], (i + 1) % n_columns == 0);
        free(cells[i]);
    }
    free(cells);
    free(widths);
}

static void put_fields(json_t *object, int indent)
{
    const char *key;
    json_t *value, *item;
    size_t i;
    json_object_foreach(object, key, value)
    {
        if (strcmp(key, "ok") == 0)
            continue;
        if (json_is_array(value) && json_is_object(json_array_get(value, 0))) {
            json_array_foreach(value, i, item)
            {
                printf("%*s%s %zu:\n", indent, "", key, i + 1);
                put_fields(item, indent + 2);
            }
        } else if (json_is_object(value)) {
            printf("%*s%s:\n", indent, "", key);
            put_fields(value, indent + 2);
        } else {
            char *text = cell(object, key);
            printf("%*s%s: %s\n", indent, "", key, text ? text : "");
            free(text);
        }
    }
}

void ctl_fields(json_t *object)
{
    put_fields(object, 0);
}
