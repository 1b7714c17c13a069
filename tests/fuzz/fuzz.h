/* What every fuzzer needs. An input is a few bytes that say how it is fed, and what is fed. */
#ifndef SEALGATE_FUZZ_FUZZ_H
#define SEALGATE_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/span.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* A promise of the code under test: libFuzzer keeps the input that breaks it. */
static inline void require(bool truth)
{
    if (!truth)
        abort();
}

/* Printable ASCII only: it may stand in a header field, a reply or a log line (A9). */
static inline void require_clean(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        require(s.p[i] >= ' ' && s.p[i] < 0x7f);
}

/* INNER is a part of OUTER. */
static inline void require_within(struct span inner, struct span outer)
{
    require(inner.len == 0 || (inner.p >= outer.p && inner.p + inner.len <= outer.p + outer.len));
}

#endif
