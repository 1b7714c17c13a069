/* Finding and taking out tags of subjects: any header, the tag is the first line. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "gateway/message/inspect.h"
#include "gateway/message/subject_tag.h"
#include "gateway/message/text_match.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* What a fold holds stands in its original, in order. */
static void check_fold(const char *text)
{
    struct text_fold fold;
    text_fold_make(text, &fold);
    for (size_t i = 0; i < fold.len; i++)
        must(fold.origin[i] <= fold.origin[i + 1]);
    text_fold_free(&fold);
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
        buf_init(&out, 64 * size + 4096);
        must(subject_strip_tags(all, tags, 1, &out, &err) == STATUS_OK);
        check_fold(text);
        check_fold(tag);
        (void)text_holds(text, tag);
        buf_free(&out);
    }
    free(tag);
    free(text);
    return 0;
}
