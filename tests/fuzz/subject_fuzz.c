/* Finding and taking out tags of subjects: any header, the tag is the first line. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "gateway/message/decode.h"
#include "gateway/message/inspect.h"
#include "gateway/message/subject_tag.h"
#include "gateway/message/text_match.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* Places stand in the text, in order. */
static void check_places(const char *text, const char *tag)
{
    struct text_place *places;
    size_t n = text_places(text, &tag, 1, &places), at = 0;
    for (size_t i = 0; i < n; i++) {
        must(at <= places[i].start && places[i].start < places[i].end);
        at = places[i].end;
    }
    must(at <= strlen(text));
    must(!text_holds(text, tag) || n > 0);
    free(places);
}

/* No Subject holds TAG any more. */
static void check_gone(struct span header, const char *tag)
{
    struct header_field field;
    while (header_next(&header, &field)) {
        char *text = header_decode(field.value);
        must(!span_is(field.name, "Subject") || !text_holds(text, tag));
        free(text);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span all = span_of(data, size);
    struct span first = message_line(&all);
    char *tag = span_dup(span_trim(first)), *text = span_dup(all);
    message_inspect_start();
    if (tag && text) {
        const char *tags[] = {tag};
        struct buf out;
        struct error err;
        buf_init(&out, SUBJECT_STRIP_GROWTH * size + 4096);
        must(subject_strip_tags(all, tags, 1, &out, &err) == STATUS_OK);
        check_gone(buf_span(&out), tag);
        check_places(text, tag);
        check_places(tag, tag);
        buf_free(&out);
    }
    free(tag);
    free(text);
    return 0;
}
