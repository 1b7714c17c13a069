#include "gateway/wire/bdat.h"

#include "gateway/wire/ascii.h"
#include "gateway/wire/command.h"

static bool parse_size(struct span word, uint64_t *size_out)
{
    uint64_t size = 0;
    for (size_t i = 0; i < word.len; i++) {
        if (!ascii_is_digit(word.p[i]))
            return false;
        if (__builtin_mul_overflow(size, 10u, &size) ||
            __builtin_add_overflow(size, (uint64_t)(word.p[i] - '0'), &size))
            size = UINT64_MAX;
    }
    *size_out = size;
    return word.len > 0;
}

bool bdat_parse(struct span args, struct bdat *bdat_out)
{
    struct span size = command_word(&args);
    struct span marker = command_word(&args);
    *bdat_out = (struct bdat){.last = marker.len > 0};
    return parse_size(size, &bdat_out->size) && (marker.len == 0 || span_is(marker, "LAST")) &&
           command_word(&args).len == 0;
}
