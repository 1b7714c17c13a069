#include "gateway/message/inspect.h"

#include <gmime/gmime.h>
#include <stdlib.h>

#include "gateway/message/decode.h"
#include "gateway/message/header.h"

void message_inspect_start(void)
{
    g_mime_init();
}

/* ---- header fields: found by our own split, so that they are the ones that go out; read by GMime ---- */

static void add_address(struct address_list *list, const char *address)
{
    if (!address || address[0] == '\0')
        return;
    /* Grows when the count reaches a power of two. */
    if ((list->n & (list->n - 1)) == 0)
        list->items = g_realloc_n(list->items, list->n == 0 ? 1 : 2 * list->n, sizeof *list->items);
    list->items[list->n++] = g_strdup(address);
}

/* Mailboxes, those in groups as well (groups do not nest: RFC 5322 §3.4). */
static void add_addresses(struct address_list *list, InternetAddressList *parsed)
{
    int n = internet_address_list_length(parsed);
    for (int i = 0; i < n; i++) {
        InternetAddress *one = internet_address_list_get_address(parsed, i);
        if (INTERNET_ADDRESS_IS_MAILBOX(one))
            add_address(list, internet_address_mailbox_get_addr(INTERNET_ADDRESS_MAILBOX(one)));
        else if (INTERNET_ADDRESS_IS_GROUP(one))
            add_addresses(list, internet_address_group_get_members(INTERNET_ADDRESS_GROUP(one)));
    }
}

static void read_addresses(struct span header, const char *name, struct address_list *list)
{
    struct header_field field;
    while (header_next(&header, &field)) {
        if (!span_is(field.name, name))
            continue;
        char *text = header_text(field.value);
        InternetAddressList *parsed = internet_address_list_parse(NULL, text);
        if (parsed) {
            add_addresses(list, parsed);
            g_object_unref(parsed);
        }
        free(text);
    }
}

static char *read_subject(struct span header)
{
    GString *subject = g_string_new(NULL);
    struct header_field field;
    for (size_t nth = 0; header_next(&header, &field);) {
        if (!span_is(field.name, "Subject"))
            continue;
        char *text = header_decode(field.value);
        if (nth++ > 0)
            g_string_append_c(subject, '\n');
        g_string_append(subject, text);
        free(text);
    }
    return g_string_free(subject, FALSE);
}

static char *read_message_id(struct span header)
{
    struct header_field field;
    if (!header_find(header, "Message-ID", 0, &field))
        return NULL;
    char *text = header_text(field.value);
    char *id = g_mime_utils_decode_message_id(text);
    free(text);
    return id;
}

/* ---- structure ---- */

/*
 * The memory of the message is lent to GMime, which only reads it: no copy of it, nor of its parts, which
 * stay references into the stream.
 */
static GMimeMessage *parse(GByteArray *bytes)
{
    GMimeStream *stream = g_mime_stream_mem_new();
    g_mime_stream_mem_set_byte_array(GMIME_STREAM_MEM(stream), bytes);
    g_mime_stream_mem_set_owner(GMIME_STREAM_MEM(stream), FALSE);
    GMimeParser *parser = g_mime_parser_new_with_stream(stream);
    g_mime_parser_set_persist_stream(parser, TRUE);
    GMimeMessage *message = g_mime_parser_construct_message(parser, NULL);
    g_object_unref(parser);
    g_object_unref(stream);
    return message;
}

static bool is_attachment(GMimeObject *object)
{
    GMimeContentDisposition *disposition = g_mime_object_get_content_disposition(object);
    if (disposition && g_mime_content_disposition_is_attachment(disposition))
        return true;
    return GMIME_IS_PART(object) && g_mime_part_get_filename(GMIME_PART(object));
}

/* Parts of messages inside the message count as well. */
static bool find_attachment(GMimeObject *root)
{
    bool found = is_attachment(root);
    GMimePartIter *at = g_mime_part_iter_new(root);
    while (!found && g_mime_part_iter_is_valid(at)) {
        found = is_attachment(g_mime_part_iter_get_current(at));
        if (!g_mime_part_iter_next(at))
            break;
    }
    g_mime_part_iter_free(at);
    return found;
}

static char *type_of(GMimeContentType *type)
{
    char *name = g_mime_content_type_get_mime_type(type);
    char *lower = g_ascii_strdown(name, -1);
    g_free(name);
    return lower;
}

static void read_structure(GMimeMessage *message, struct message_facts *facts)
{
    GMimeObject *root = message ? g_mime_message_get_mime_part(message) : NULL;
    if (!root) {
        /* RFC 2045 §5.2: what says nothing is text/plain. */
        facts->content_type = g_strdup("text/plain");
        return;
    }
    facts->content_type = type_of(g_mime_object_get_content_type(root));
    facts->has_attachment = find_attachment(root);
}

enum status message_inspect(struct span message, struct message_facts *facts_out, struct error *err)
{
    *facts_out = (struct message_facts){0};
    if (message.len > G_MAXUINT)
        return error_set(err, STATUS_LIMIT, "a message of %zu bytes is too large to be read", message.len);
    struct message_parts parts;
    message_split(message, &parts);
    facts_out->subject = read_subject(parts.header);
    facts_out->message_id = read_message_id(parts.header);
    read_addresses(parts.header, "From", &facts_out->from);
    read_addresses(parts.header, "Sender", &facts_out->sender);
    read_addresses(parts.header, "To", &facts_out->named);
    read_addresses(parts.header, "Cc", &facts_out->named);
    read_addresses(parts.header, "Resent-To", &facts_out->named);
    read_addresses(parts.header, "Resent-Cc", &facts_out->named);

    GByteArray *bytes = g_byte_array_new_take((guint8 *)(uintptr_t)message.p, message.len);
    GMimeMessage *parsed = parse(bytes);
    read_structure(parsed, facts_out);
    g_clear_object(&parsed);
    g_byte_array_steal(bytes, NULL);
    g_byte_array_free(bytes, TRUE);
    return STATUS_OK;
}

static void address_list_free(struct address_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        g_free(list->items[i]);
    g_free(list->items);
}

void message_facts_free(struct message_facts *facts)
{
    g_free(facts->subject);
    g_free(facts->message_id);
    g_free(facts->content_type);
    address_list_free(&facts->from);
    address_list_free(&facts->sender);
    address_list_free(&facts->named);
    *facts = (struct message_facts){0};
}
