/* What the table-driven tests of this folder share. */
#ifndef TESTS_MESSAGE_TABLE_H
#define TESTS_MESSAGE_TABLE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/span.h"

#define N_OF(rows) (sizeof(rows) / sizeof *(rows))
/* A string literal whose bytes may be NUL. */
#define SPAN(literal)                                                                                        \
    {                                                                                                        \
        literal, sizeof(literal) - 1                                                                         \
    }

/* ROW is printed with what is wrong. */
static inline void assert_span_is(struct span found, const char *expected, const char *row)
{
    if (!span_eq(found, span_str(expected)))
        fail_msg("%s: \"%.*s\" instead of \"%s\"", row, (int)found.len, found.p ? found.p : "", expected);
}

static inline void assert_says(bool found, bool expected, const char *row)
{
    if (found != expected)
        fail_msg("%s: %s", row, found ? "yes instead of no" : "no instead of yes");
}

#endif
