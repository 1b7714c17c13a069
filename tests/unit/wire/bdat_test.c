/* The arguments of BDAT. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/wire/bdat.h"

static void test_arguments(void **state)
{
    (void)state;
    static const struct {
        const char *args;
        bool ok;
        uint64_t size;
        bool last;
    } cases[] = {
        {"86 LAST", true, 86, true},
        {"86", true, 86, false},
        {"0 LAST", true, 0, true},
        {"0", true, 0, false},
        {"100000 last", true, 100000, true},
        {"007", true, 7, false},
        {"18446744073709551615", true, UINT64_MAX, false},
        {"18446744073709551616", true, UINT64_MAX, false},
        {"99999999999999999999999999999999999999 LAST", true, UINT64_MAX, true},
        {"", false, 0, false},
        {"LAST", false, 0, false},
        {"-1", false, 0, false},
        {"+1", false, 0, false},
        {"1.5", false, 0, false},
        {"0x10", false, 0, false},
        {"1e3", false, 0, false},
        {"86LAST", false, 0, false},
        {"86 FIRST", false, 0, false},
        {"86 LASTS", false, 0, false},
        {"86 LAST LAST", false, 0, false},
        {"86 LAST 86", false, 0, false},
        {"8 6", false, 0, false},
        {"\xd9\xa8", false, 0, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bdat bdat;
        if (bdat_parse(span_str(cases[i].args), &bdat) != cases[i].ok)
            fail_msg("%s", cases[i].args);
        if (!cases[i].ok)
            continue;
        assert_int_equal(bdat.size, cases[i].size);
        assert_int_equal(bdat.last, cases[i].last);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_arguments)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
