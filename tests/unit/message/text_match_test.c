#include <glib.h>

#include "gateway/message/text_match.h"
#include "tests/unit/message/table.h"

static void texts_are_found_whatever_their_spelling(void **state)
{
    (void)state;
    static const struct {
        const char *text, *needle;
        bool found;
    } rows[] = {
        {"", "x", false},
        {"x", "", false},
        {"x", "\xe2\x80\x8b", false}, /* a needle that shows nothing */
        {"[confidential] x", "[confidential]", true},
        {"x [CONFIDENTIAL]", "[Confidential]", true},
        {"confidential", "[confidential]", false},
        {"[confidentia", "[confidential]", false},
        /* compatibility forms (NFKC) */
        {"\uff3b\uff43\uff4f\uff4e\uff46\uff3d", "[conf]", true},
        {"[\U0001d41c\U0001d428\U0001d427\U0001d41f]", "[conf]", true},
        {"[con\ufb01d]", "[confid]", true},
        {"[\u24d2onf]", "[conf]", true},
        {"[\u2133]", "[m]", true},
        /* what shows nothing */
        {"[c\u200bo\u200cn\u200df\ufeff\u00ad]", "[conf]", true},
        {"\u202e[\u200econf\u200f\u202c]", "[conf]", true},
        {"[c\u034fo\u061cn\u180e\u2060f]", "[conf]", true},
        {"[\U000e0063con\U000e0001f\U000e007f]", "[conf]", true},
        {"[co\u3164n\uffa0f\u115f\u1160]", "[conf]", true},
        {"[co\u2065n\ufff0f\U000e0080]", "[conf]", true}, /* not assigned, and ignorable by default */
        {"[co\ufe0fn\U000e0100f]", "[conf]", true},
        {"[co\x01n\x7f\x66]", "[conf]", true},
        /* marks */
        {"[co\u0301n\u0308\u0336f]", "[conf]", true},
        {"[c\u00f3\u00f1f]", "[conf]", true},
        {"[conf]", "[c\u00f3nf]", true},
        {"[co\u20ddnf]", "[conf]", true},
        /* white space */
        {"[a\u00a0b]", "[a b]", true},
        {"[a \t\r\n b]", "[a b]", true},
        {"[a\u2003\u2028b]", "[a b]", true},
        {"[a\u200bb]", "[a b]", false},
        {"[ab]", "[a b]", false},
        /* letters of other scripts, small and capital */
        {"[\u0441\u043enf]", "[conf]", true},
        {"[\u0421\u041eNF]", "[conf]", true},
        {"[\u03f2onf]", "[conf]", true},
        {"[\u03f9ONF]", "[conf]", true},
        {"[C\u039f\u039dF]", "[conf]", true},
        {"[co\u039df]", "[conf]", true},
        {"[\u0397I]", "[hi]", true},
        {"[\u03a5\u0396]", "[yz]", true},
        {"[pri\u03bdate]", "[private]", true},
        {"[pri\u0475ate]", "[private]", true},
        {"[\u03a1RI\u0474ATE]", "[private]", true},
        {"[ke\u04af]", "[key]", true},
        {"[\u050conf]", "[gonf]", true},
        {"\u3010conf\u3011", "[conf]", true},
        /* the case of those scripts themselves */
        {"\u039d\u0395\u0391", "\u03bd\u03b5\u03b1", true},
        {"\u03bd\u03b5\u03b1", "\u039d\u0395\u0391", true},
        {"\u0425\u041e\u0420\u041e\u0428\u041e", "\u0445\u043e\u0440\u043e\u0448\u043e", true},
        {"\u039f\u0394\u039f\u03a3", "\u03bf\u03b4\u03bf\u03c2", true},
        {"\u03bf\u03b4\u03bf\u03c3", "\u03bf\u03b4\u03bf\u03c2", true},
        {"STRASSE", "stra\u00dfe", true},
        {"stra\u00dfe", "STRASSE", true},
        {"STRA\u1e9eE", "strasse", true},
        {"\u0130stanbul", "istanbul", true},
        {"ISTANBUL", "\u0131stanbul", true},
        /* no UTF-8 */
        {"\xff[conf]\xe2", "[conf]", true},
        {"[co\xffnf]", "[conf]", false},
    };
    for (size_t i = 0; i < N_OF(rows); i++)
        assert_says(text_holds(rows[i].text, rows[i].needle), rows[i].found, rows[i].text);
}

/* Whatever differs in nothing but case is found: a strict match is never more than a loose one. */
static void every_character_is_found_in_its_other_cases(void **state)
{
    (void)state;
    for (gunichar c = 1; c < 0x20000; c++) {
        char text[8] = "";
        /* A iota below is a mark; others decompose into marks alone. */
        gunichar parts[G_UNICHAR_MAX_DECOMPOSITION_LENGTH] = {0};
        size_t n = g_unichar_validate(c) ? g_unichar_fully_decompose(c, TRUE, parts, N_OF(parts)) : 0;
        if (!g_unichar_isalpha(c) || parts[0] == 0x115f || parts[0] == 0x1160 || parts[n - 1] == 0x345 ||
            g_unichar_ismark(parts[0]))
            continue;
        g_unichar_to_utf8(c, text);
        char *cases[] = {g_utf8_casefold(text, -1), g_utf8_strup(text, -1), g_utf8_strdown(text, -1)};
        for (size_t i = 0; i < N_OF(cases); i++) {
            if (!text_holds(cases[i], text) || !text_holds(text, cases[i]))
                fail_msg("U+%04X is not found as %s", c, cases[i]);
            g_free(cases[i]);
        }
    }
}

/* What is left when the places are taken out. */
static void places_are_found(void **state)
{
    (void)state;
    static const struct {
        const char *text, *needles[2], *left;
    } rows[] = {
        {"", {"[x]"}, ""},
        {"abc", {"[x]"}, "abc"},
        {"[x]", {"[x]"}, ""},
        {"a[x]b[X]c", {"[x]"}, "abc"},
        {"[x][x]", {"[x]"}, ""},
        {"[\u200bx\u0301]\u200b!", {"[x]"}, "!"},
        /* what stands there only when another is gone */
        {"a[[x]x]b", {"[x]"}, "ab"},
        {"a[[[x]x]x]b", {"[x]"}, "ab"},
        {"[x[x]", {"[x]"}, "[x"},
        {"[x]]", {"[x]"}, "]"},
        {"a[[y]x]b", {"[x]", "[y]"}, "ab"},
        {"a[[y]x]b", {"[y]", "[x]"}, "ab"},
        {"[a [x] b]", {"[x]", "[a b]"}, ""},
        /* a capital that looks like one letter and is another */
        {"a[\u039d]b", {"[n]"}, "ab"},
        {"a[\u039d]b", {"[\u03bd]"}, "ab"},
        {"a[[\u039d]n]b", {"[n]"}, "ab"},
        /* Korean vowels are no marks */
        {"[\uae30\ubc00]", {"[\uadf8\ubb3c]"}, "[\uae30\ubc00]"},
        {"[\uae30\ubc00]", {"[\uae30\ubc00]"}, ""},
        /* a part of a character takes all of it */
        {"a\ufb01b", {"f"}, "ab"},
        {"a\ufb01b", {"af", "ib"}, ""},
        {"\xff[x]\xe2\x82", {"[x]"}, "\xff\xe2\x82"},
    };
    for (size_t i = 0; i < N_OF(rows); i++) {
        struct text_place *places;
        size_t n_needles = rows[i].needles[1] ? 2 : 1, at = 0;
        size_t n = text_places(rows[i].text, rows[i].needles, n_needles, &places);
        GString *left = g_string_new(NULL);
        for (size_t p = 0; p < n; p++) {
            assert_true(at <= places[p].start && places[p].start < places[p].end);
            g_string_append_len(left, rows[i].text + at, (gssize)(places[p].start - at));
            at = places[p].end;
        }
        g_string_append(left, rows[i].text + at);
        assert_span_is(span_str(left->str), rows[i].left, rows[i].text);
        g_string_free(left, TRUE);
        free(places);
    }
}

static void long_texts_are_searched_in_linear_time(void **state)
{
    (void)state;
    static const char *const pieces[] = {"[", "[confidentia", "\u0301", "\ufdfa", " "};
    for (size_t i = 0; i < N_OF(pieces); i++) {
        GString *text = g_string_new(NULL);
        while (text->len < 500000)
            g_string_append(text, pieces[i]);
        const char *needles[] = {"[confidential]"};
        struct text_place *places;
        assert_int_equal(text_places(text->str, needles, 1, &places), 0);
        free(places);
        assert_false(text_holds(text->str, needles[0]));
        g_string_free(text, TRUE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_found_whatever_their_spelling),
        cmocka_unit_test(every_character_is_found_in_its_other_cases),
        cmocka_unit_test(places_are_found),
        cmocka_unit_test(long_texts_are_searched_in_linear_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
