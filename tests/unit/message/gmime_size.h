/* How much GMime makes of a message: what prescan's limits are there to bound. */
#ifndef TESTS_GMIME_SIZE_H
#define TESTS_GMIME_SIZE_H

#include <gmime/gmime.h>

#include "base/span.h"

struct gmime_size {
    unsigned parts; /* objects below the outermost, messages in messages counted too */
    unsigned depth; /* nesting of multipart and message */
};

static inline void gmime_size_of_object(GMimeObject *object, unsigned depth, struct gmime_size *size)
{
    if (depth > size->depth)
        size->depth = depth;
    if (GMIME_IS_MULTIPART(object)) {
        int n = g_mime_multipart_get_count(GMIME_MULTIPART(object));
        /* A multipart without parts is a level all the same. */
        if (depth + 1 > size->depth)
            size->depth = depth + 1;
        for (int i = 0; i < n; i++) {
            size->parts++;
            gmime_size_of_object(g_mime_multipart_get_part(GMIME_MULTIPART(object), i), depth + 1, size);
        }
    } else if (GMIME_IS_MESSAGE_PART(object)) {
        GMimeMessage *message = g_mime_message_part_get_message(GMIME_MESSAGE_PART(object));
        GMimeObject *root = message ? g_mime_message_get_mime_part(message) : NULL;
        if (depth + 1 > size->depth)
            size->depth = depth + 1;
        if (root) {
            size->parts++;
            gmime_size_of_object(root, depth + 1, size);
        }
    }
}

static inline struct gmime_size gmime_size_of(struct span message)
{
    struct gmime_size size = {0};
    GMimeStream *stream = g_mime_stream_mem_new_with_buffer(message.p, message.len);
    GMimeParser *parser = g_mime_parser_new_with_stream(stream);
    GMimeMessage *parsed = g_mime_parser_construct_message(parser, NULL);
    GMimeObject *root = parsed ? g_mime_message_get_mime_part(parsed) : NULL;
    if (root)
        gmime_size_of_object(root, 0, &size);
    g_clear_object(&parsed);
    g_object_unref(parser);
    g_object_unref(stream);
    return size;
}

#endif
