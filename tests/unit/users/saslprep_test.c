/* SASLprep by libgsasl: the examples of RFC 4013 §3 and what else we rely on. */
#include "gateway/users/saslprep.h"
#include "tests/unit/users/fixture.h"

static void test_rfc4013_examples(void **state)
{
    (void)state;
    static const struct {
        const char *text, *prepared; /* NULL: refused */
        bool stored;
    } cases[] = {
        {"I\xc2\xadX", "IX", true},
        {"user", "user", true},
        {"USER", "USER", true},
        {"\xc2\xaa", "a", true},
        {"\xe2\x85\xa8", "IX", true},
        {"\x07", NULL, true},
        {"\x07", NULL, false},
        {"\xd8\xa7"
         "1",
         NULL, true},             /* RFC 3454 §6: ends unlike it begins */
        {"\xc2\xad", NULL, true}, /* nothing is left */
        {"", NULL, false},
        {"a\xff", NULL, false},
        {"a\xc3", NULL, false},
        /* RFC 3454 §7: not assigned in Unicode 3.2 */
        {"\xf0\x9f\x94\x91", NULL, true},
        {"\xf0\x9f\x94\x91", "\xf0\x9f\x94\x91", false},
        {"\xe2\x82\xbd", NULL, true},
        {"\xe2\x82\xbd", "\xe2\x82\xbd", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = {0};
        char *prepared = NULL;
        enum status st = saslprep("the name", cases[i].text, cases[i].stored, &prepared, &err);
        if (st != (cases[i].prepared ? STATUS_OK : STATUS_INVALID))
            fail_msg("case %zu: %s", i, err.text);
        if (cases[i].prepared)
            assert_string_equal(prepared, cases[i].prepared);
        else
            assert_ptr_equal(strstr(err.text, "the name "), err.text);
        free(prepared);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rfc4013_examples)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
