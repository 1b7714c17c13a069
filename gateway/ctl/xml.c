#include "gateway/ctl/xml.h"

#include <stdio.h>

#define DOCUMENT_MAX (64u << 10)

static void indent(struct xml *xml)
{
    for (int i = 0; i < xml->depth; i++)
        buf_append_str(&xml->out, "  ");
}

static void append_escaped(struct buf *out, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '&':
            buf_append_str(out, "&amp;");
            break;
        case '<':
            buf_append_str(out, "&lt;");
            break;
        case '>':
            buf_append_str(out, "&gt;");
            break;
        case '"':
            buf_append_str(out, "&quot;");
            break;
        case '\'':
            buf_append_str(out, "&#39;");
            break;
        default:
            buf_append_char(out, *text);
        }
    }
}

void xml_init(struct xml *xml, const char *doctype)
{
    buf_init(&xml->out, DOCUMENT_MAX);
    xml->depth = 0;
    buf_append_str(&xml->out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    if (doctype)
        buf_printf(&xml->out, "<!DOCTYPE %s>\n", doctype);
}

void xml_open(struct xml *xml, const char *name, const char *attribute, const char *value)
{
    indent(xml);
    buf_printf(&xml->out, "<%s", name);
    if (attribute) {
        buf_printf(&xml->out, " %s=\"", attribute);
        append_escaped(&xml->out, value);
        buf_append_char(&xml->out, '"');
    }
    buf_append_str(&xml->out, ">\n");
    xml->depth++;
}

void xml_close(struct xml *xml, const char *name)
{
    xml->depth--;
    indent(xml);
    buf_printf(&xml->out, "</%s>\n", name);
}

void xml_text(struct xml *xml, const char *name, const char *text)
{
    indent(xml);
    buf_printf(&xml->out, "<%s>", name);
    append_escaped(&xml->out, text);
    buf_printf(&xml->out, "</%s>\n", name);
}

void xml_number(struct xml *xml, const char *name, unsigned number)
{
    char text[16];
    snprintf(text, sizeof text, "%u", number);
    xml_text(xml, name, text);
}

void xml_empty(struct xml *xml, const char *name)
{
    indent(xml);
    buf_printf(&xml->out, "<%s/>\n", name);
}
