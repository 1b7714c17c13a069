#include "gateway/message/html_body.h"
#include "tests/unit/message/table.h"

/* "|" stands where the body is found. */
static void where_the_body_begins(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "<body>|",
        "<html><head></head><body>|<p>",
        "<BODY>|",
        "<body\r\nbgcolor = '>' text=\">\" link=a/b>|<p>",
        "<body/>|",
        "<body onload=\"a('>')\">|",
        "<body a b =c>|",
        /* what only looks like it */
        "<!-- <body> --><body>|",
        "<!DOCTYPE html \"<body\"><body>|",
        "<title><body></title><body>|",
        "<TITLE></titles></Title ><body>|",
        "<style><!-- </body> <body> --></style><body>|",
        "<script>\"<body>\"</script><body>|",
        "<meta content=\"<body>\"><body>|",
        "<?xml version='1.0'?><body>|",
        "<!--[if mso]><body><![endif]--><body>|",
        "<![if !mso]><body>|",
        "\xef\xbb\xbf<html><body>|",
        "<html xmlns:v=\"urn:x\"><link href=a><base href='b'><body>|",
        /* opened without its tag */
        "|",
        "|Hi <body>",
        " \r\n\t|Hi",
        "<html>|Hi",
        "<head><title>x</title></head>\r\n|<p>",
        "|<bodyguard>",
        "|<p><body>",
        "<!DOCTYPE html>\r\n|<div>",
        "|<",
        "|< body>",
        "|<3",
        "|</",
        "</p>|Hi",
        "|</body>",
        "<html></head>|</html>",
        "|</br>",
        "|\xef\xbb<body>",
    };
    for (size_t i = 0; i < N_OF(rows); i++) {
        char html[200];
        size_t at, expected = strcspn(rows[i], "|");
        snprintf(html, sizeof html, "%.*s%s", (int)expected, rows[i], rows[i] + expected + 1);
        assert_says(html_body_find(span_str(html), &at), true, rows[i]);
        assert_says(at == expected, true, rows[i]);
    }
}

/* Not closed, or for each reader somewhere else. */
static void where_it_cannot_be_said(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "<body",
        "<body ",
        "<body a",
        "<body a=",
        "<body a=\"",
        "<body a='>",
        "<!--",
        "<!-- ->",
        "<!",
        "<title>",
        "<title></title",
        "<style></styles>",
        "<body \"a>",
        "<body a'=b>",
        "<body a=b\"c\">",
        "<body <p>",
        "<body a=<p>",
        "<body =a>",
        "<!--><body>",
        "<!---><body>",
        "<!-- --!><body> -->",
        "<script><!--<script></script>--></script>",
        "<noscript>",
        "<template>",
        "<frameset>",
        "<noframes>",
        "</p",
        "<body a=>",
    };
    for (size_t i = 0; i < N_OF(rows); i++) {
        size_t at;
        assert_says(html_body_find(span_str(rows[i]), &at), false, rows[i]);
    }
}

/* Every beginning of a text, in memory of just that size, ends. */
static void every_beginning_is_read(void **state)
{
    (void)state;
    static const char html[] =
        "\xef\xbb\xbf<!DOCTYPE html><!-- x --><?y?><html a='b'><head><title>c</title><style>d</style>"
        "<script>e</script><meta f=g></head></p><body h=\"i\" j>";
    for (size_t len = 0; len < sizeof html; len++) {
        char *copy = malloc(len + (len == 0));
        size_t at;
        assert_non_null(copy);
        memcpy(copy, html, len);
        if (html_body_find(span_of(copy, len), &at))
            assert_in_range(at, 0, len);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(where_the_body_begins),
        cmocka_unit_test(where_it_cannot_be_said),
        cmocka_unit_test(every_beginning_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
