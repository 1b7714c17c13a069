#include "gateway/message/inspect.h"
#include "gateway/message/plain_text.h"
#include "tests/unit/message/table.h"

static void text_alone_is_found(void **state)
{
    (void)state;
    static const struct {
        const char *message, *charset, *text;
    } rows[] = {
        {"", "us-ascii", ""},
        {"To: a\r\n", "us-ascii", ""},
        {"\r\nbody", "us-ascii", "body"},
        {"Content-Type: text/plain\r\n\r\na\r\n", "us-ascii", "a\r\n"},
        {"Content-Type: TEXT/PLAIN; charset=\"UTF-8\"; format=flowed\r\n\r\n\xc3\xbc \r\n", "UTF-8",
         "\xc3\xbc \r\n"},
        {"Content-Type: text/plain;\r\n charset=iso-8859-15\r\n\r\n\xa4", "iso-8859-15", "\xa4"},
        {"Content-Type: text/plain; charset=windows-1252\r\n\r\nx", "windows-1252", "x"},
        {"Content-Type: text/plain; charset=gb18030\r\n\r\nx", "gb18030", "x"},
        {"Content-Transfer-Encoding: 8bit\r\n\r\nx", "us-ascii", "x"},
        {"Content-Transfer-Encoding: Base64\r\n\r\nR3LDvMOf\r\nZQ==\r\n", "us-ascii",
         "Gr\xc3\xbc\xc3\x9f\x65"},
        {"Content-Transfer-Encoding: base64\r\n\r\n", "us-ascii", ""},
        {"Content-Transfer-Encoding: base64\r\n\r\n QU\r\nJD \r\n\r\n", "us-ascii", "ABC"},
        {"Content-Transfer-Encoding: quoted-printable\r\n\r\na=3Db=\r\nc \r\n", "us-ascii", "a=bc \r\n"},
        {"Content-Transfer-Encoding: quoted-printable\r\n\r\na=ZZ=\r\n", "us-ascii", "a=ZZ"},
        {"Content-Disposition: inline\r\n\r\nx", "us-ascii", "x"},
    };
    for (size_t i = 0; i < N_OF(rows); i++) {
        struct message_parts parts;
        struct plain_text text;
        message_split(span_str(rows[i].message), &parts);
        assert_says(plain_text_find(&parts, &text), true, rows[i].message);
        assert_string_equal(text.charset, rows[i].charset);
        assert_span_is(text.text, rows[i].text, rows[i].message);
        plain_text_free(&text);
    }
}

/* All else is sealed with MIME, and loses nothing. */
static void what_is_more_or_not_clear_is_not_found(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "Content-Type: text/html\r\n\r\n",
        "Content-Type: text/plainer\r\n\r\n",
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n",
        "Content-Type:\r\n\r\n",
        "Content-Type: text\r\n\r\n",
        "Content-Type: text/plain garbage\r\n\r\n",
        "Content-Type: text/plain; charset\r\n\r\n",
        "Content-Type: text/plain; charset=utf-8; charset=latin1\r\n\r\n",
        "Content-Type: text/plain; charset*0=utf; charset*1=-8\r\n\r\n",
        "Content-Type: text/plain\r\nContent-Type: text/plain\r\n\r\n",
        "Content-Type: text/plain\r\nContent-type : text/html\r\n\r\n",
        /* charsets whose bytes are not those of ASCII, or that nobody knows */
        "Content-Type: text/plain; charset=utf-16\r\n\r\n",
        "Content-Type: text/plain; charset=UTF-16LE\r\n\r\n",
        "Content-Type: text/plain; charset=utf16\r\n\r\n",
        "Content-Type: text/plain; charset=utf-32\r\n\r\n",
        "Content-Type: text/plain; charset=iso-10646-ucs-2\r\n\r\n",
        "Content-Type: text/plain; charset=csUnicode\r\n\r\n",
        "Content-Type: text/plain; charset=ebcdic-us\r\n\r\n",
        "Content-Type: text/plain; charset=ibm1047\r\n\r\n",
        "Content-Type: text/plain; charset=x-unknown\r\n\r\n",
        "Content-Type: text/plain; charset=\"\"\r\n\r\n",
        "Content-Type: text/plain; charset=\"iso-8859-1;x=y\"\r\n\r\n",
        "Content-Type: text/plain; charset=\"iso-8859-1 \"\r\n\r\n",
        "Content-Type: text/plain; charset=\"iso-8859-1\\\"\"\r\n\r\n",
        "Content-Type: text/plain; charset=iso-8859-111111111111111111111111111111111111\r\n\r\n",
        /* encodings */
        "Content-Transfer-Encoding: binary\r\n\r\n",
        "Content-Transfer-Encoding: x-uuencode\r\n\r\n",
        "Content-Transfer-Encoding: 7bit (plain)\r\n\r\n",
        "Content-Transfer-Encoding: 7bit\r\nContent-Transfer-Encoding: 8bit\r\n\r\n",
        /* base64 of which one reader would take less than another */
        "Content-Transfer-Encoding: base64\r\n\r\nQQ==QQ==\r\n",
        "Content-Transfer-Encoding: base64\r\n\r\nQQ==\r\nQQ==\r\n",
        "Content-Transfer-Encoding: base64\r\n\r\nQUJDRA\r\n",
        "Content-Transfer-Encoding: base64\r\n\r\nQUJD\r\nCLEAR!\r\n",
        "Content-Transfer-Encoding: base64\r\n\r\nQUJD====\r\n",
        "Content-Transfer-Encoding: base64\r\n\r\n====\r\n",
        /* attachments */
        "Content-Disposition: attachment\r\n\r\n",
        "Content-Disposition: inline; filename=x.txt\r\n\r\n",
        "Content-Disposition: inlined\r\n\r\n",
        "Content-Disposition: inline\r\nContent-Disposition: attachment\r\n\r\n",
        "Content-Type: text/plain; name=\"x.txt\"\r\n\r\n",
    };
    for (size_t i = 0; i < N_OF(rows); i++) {
        struct message_parts parts;
        struct plain_text text;
        message_split(span_str(rows[i]), &parts);
        assert_says(plain_text_find(&parts, &text), false, rows[i]);
    }
}

static int begin(void **state)
{
    (void)state;
    message_inspect_start();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_alone_is_found),
        cmocka_unit_test(what_is_more_or_not_clear_is_not_found),
    };
    return cmocka_run_group_tests(tests, begin, NULL);
}
