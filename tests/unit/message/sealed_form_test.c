#include "gateway/message/sealed_form.h"
#include "tests/unit/message/table.h"

#define MULTIPART "Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=b\r\n"
#define CONTROL "--b\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n"
#define DATA "--b\r\nContent-Type: application/octet-stream\r\n\r\nSEALED\r\n"
#define END "--b--\r\n"
#define ARMOR "-----BEGIN PGP MESSAGE-----\r\n\r\nx\r\n-----END PGP MESSAGE-----"
#define CMS "Content-Type: application/pkcs7-mime\r\nContent-Transfer-Encoding: base64\r\n\r\n"

#define SIGNED "Content-Type: multipart/signed; protocol=\"application/"
#define TEXT_PART "--b\r\n\r\ntext\r\n"
#define P7S                                                                                                  \
    "--b\r\nContent-Type: application/pkcs7-signature\r\nContent-Transfer-Encoding: base64\r\n\r\nQUJD\r\n"

static void claims_are_found(void **state)
{
    (void)state;
    static const struct {
        const char *message;
        enum sealed_form form;
        const char *content; /* NULL: none is given */
    } rows[] = {
        /* PGP/MIME */
        {MULTIPART "\r\n" CONTROL DATA END, SEALED_FORM_PGP_MIME, "SEALED"},
        {MULTIPART "\r\n\r\n" CONTROL "\r\n" DATA "\r\n" END " \r\n", SEALED_FORM_PGP_MIME, "SEALED\r\n"},
        {"Content-Type: Multipart/Encrypted; boundary=\"b\";\r\n "
         "Protocol=\"Application/PGP-Encrypted\"\r\n\r\n" CONTROL
         "--b \t\r\nContent-Type: application/octet-stream; name=x.asc\r\nContent-Description: y\r\n"
         "Content-Transfer-Encoding: 7bit\r\n\r\n\xc1\xff\r\n" END,
         SEALED_FORM_PGP_MIME, "\xc1\xff"},
        {MULTIPART "\r\n" CONTROL
                   "--b\r\nContent-Type: application/octet-stream\r\n\r\n--bb\r\n--b-\r\n -" END "\r\n" END,
         SEALED_FORM_PGP_MIME, "--bb\r\n--b-\r\n -" END},
        /* inline */
        {"\r\n" ARMOR, SEALED_FORM_PGP_INLINE, ARMOR},
        {"Content-Type: text/plain; charset=x\r\n\r\n\r\n " ARMOR "\r\n\r\n", SEALED_FORM_PGP_INLINE, ARMOR},
        {"Content-Transfer-Encoding: 8bit\r\n\r\n" ARMOR, SEALED_FORM_PGP_INLINE, ARMOR},
        /* S/MIME */
        {CMS "QUJD\r\n", SEALED_FORM_SMIME, "ABC"},
        {CMS "QUI=\r\n\r\n", SEALED_FORM_SMIME, "AB"},
        {CMS "\r\nQ U\tI\r\n=\r\n", SEALED_FORM_SMIME, "AB"},
        {"Content-Type: application/x-pkcs7-mime; smime-type=\"Enveloped-Data\"; name=x.p7m\r\n"
         "content-transfer-encoding : BASE64\r\n\r\nQUJD",
         SEALED_FORM_SMIME, "ABC"},
        {"Content-Type: application/pkcs7-mime; smime-type=authEnveloped-data\r\n"
         "Content-Transfer-Encoding: base64\r\n\r\nQUJD",
         SEALED_FORM_SMIME, "ABC"},
        /* signed */
        {SIGNED "pgp-signature\"; micalg=pgp-sha256; boundary=b\r\n\r\nFor old readers\r\n" TEXT_PART
                "--b\r\nContent-Type: application/pgp-signature; name=x.asc\r\n\r\nSIG\r\n" END,
         SEALED_FORM_SIGNED_PGP, "SIG"},
        {SIGNED "pkcs7-signature\"; boundary=b\r\n\r\n" TEXT_PART P7S END, SEALED_FORM_SIGNED_SMIME, "ABC"},
        {SIGNED "x-pkcs7-signature\"; boundary=b\r\n\r\n" TEXT_PART P7S END, SEALED_FORM_SIGNED_SMIME, "ABC"},
        {"Content-Type: application/pkcs7-mime; smime-type=signed-data\r\nContent-Transfer-Encoding: "
         "base64\r\n\r\nQUJD",
         SEALED_FORM_SIGNED_OPAQUE, "ABC"},
    };
    for (size_t i = 0; i < N_OF(rows); i++) {
        struct message_parts parts;
        struct sealed_content content;
        struct error err;
        message_split(span_str(rows[i].message), &parts);
        assert_int_equal(sealed_form_find(&parts, &content, &err), STATUS_OK);
        assert_says(content.form == rows[i].form, true, rows[i].message);
        if (rows[i].content)
            assert_span_is(content.content, rows[i].content, rows[i].message);
        sealed_content_free(&content);
    }
}

/* A12: whatever a lenient reader could see beside the sealed content. */
static void test_a12_what_has_more_beside_it_is_none(void **state)
{
    (void)state;
    static const struct span rows[] = {
        SPAN(""),
        SPAN("To: a\r\n"),
        SPAN("\r\n"),
        /* signed */
        SPAN("Content-Type: multipart/signed\r\n\r\n"),
        SPAN("Content-Type: application/pkcs7-mime; smime-type=signed-data\r\n\r\n"),
        SPAN("Content-Type: multipart/signed; boundary=b\r\n\r\n" TEXT_PART P7S END),
        SPAN(SIGNED "pgp-signature\"; boundary=b\r\n\r\n" TEXT_PART P7S END),
        SPAN(SIGNED "pkcs7-signature\"; boundary=b\r\n\r\n" P7S END),
        SPAN(SIGNED "pkcs7-signature\"; boundary=b\r\n\r\n" TEXT_PART P7S),
        SPAN(SIGNED "pkcs7-signature\"; boundary=b\r\n\r\n" P7S TEXT_PART END),
        SPAN(SIGNED "pkcs7-signature\"; boundary=b\r\n\r\n" TEXT_PART P7S P7S END),
        SPAN(SIGNED "pkcs7-signature\"; boundary=b\r\n\r\n" TEXT_PART P7S END "more"),
        SPAN(SIGNED "pkcs7-signature\"; boundary=b\r\n\r\n" TEXT_PART
                    "--b\r\nContent-Type: application/pkcs7-signature\r\n\r\nQUJD\r\n" END),
        SPAN(SIGNED "pgp-signature\"; boundary=b\r\n\r\n" TEXT_PART
                    "--b\r\nContent-Type: application/pgp-signature\r\nContent-Transfer-Encoding: "
                    "base64\r\n\r\nQUJD\r\n" END),
        SPAN(SIGNED "pgp-signature\"; boundary=b\r\n\r\n" TEXT_PART "--b\r\n\r\nSIG\r\n" END),
        /* the header */
        SPAN("Content-Type: multipart/encrypted; boundary=b\r\n\r\n" CONTROL DATA END),
        SPAN("Content-Type: multipart/mixed; protocol=\"application/pgp-encrypted\"; "
             "boundary=b\r\n\r\n" CONTROL DATA END),
        SPAN("Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"\r\n\r\n" CONTROL DATA
                 END),
        SPAN("Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"; "
             "boundary=\"\"\r\n\r\n" CONTROL DATA END),
        SPAN("Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"; "
             "boundary=\"\\b\"\r\n\r\n" CONTROL DATA END),
        SPAN("Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=\"b "
             "\"\r\n\r\n" CONTROL DATA END),
        SPAN(MULTIPART "Content-Type: text/plain\r\n\r\n" CONTROL DATA END),
        SPAN(MULTIPART "CLEAR\r\n\r\n" CONTROL DATA END),
        SPAN("CLEAR\r\n" MULTIPART "\r\n" CONTROL DATA END),
        SPAN("To: a\r\nCLEAR\r\n\r\n" ARMOR),
        SPAN("CLEAR text\r\n" CMS "QUJD\r\n"),
        /* before, between and behind the parts */
        SPAN(MULTIPART "\r\nCLEAR\r\n" CONTROL DATA END),
        SPAN(MULTIPART "\r\n" CONTROL "CLEAR\r\n" DATA END),
        SPAN(MULTIPART "\r\n" CONTROL DATA END "CLEAR\r\n"),
        SPAN(MULTIPART "\r\n" CONTROL DATA END DATA END),
        SPAN(MULTIPART "\r\n" CONTROL DATA DATA END),
        SPAN(MULTIPART "\r\n" CONTROL END DATA END),
        SPAN(MULTIPART "\r\n" CONTROL END),
        SPAN(MULTIPART "\r\n" DATA END),
        SPAN(MULTIPART "\r\n" CONTROL DATA),
        SPAN(MULTIPART "\r\n" CONTROL DATA "--b-\r\n"),
        SPAN(MULTIPART "\r\n" DATA CONTROL END),
        SPAN(MULTIPART "\r\n" CONTROL CONTROL END),
        SPAN(MULTIPART "\r\n --b" CONTROL DATA END),
        SPAN(MULTIPART "\r\n"),
        SPAN(MULTIPART),
        /* the parts */
        SPAN(MULTIPART "\r\n--b\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 2\r\n" DATA END),
        SPAN(MULTIPART
             "\r\n--b\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\nCLEAR\r\n" DATA END),
        SPAN(MULTIPART
             "\r\n--b\r\nSubject: CLEAR\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n" DATA
                 END),
        SPAN(MULTIPART "\r\n--b\r\nContent-Type: application/pgp-encrypted\r\nVersion: 1\r\n" DATA END),
        SPAN(MULTIPART "\r\n" CONTROL "--b\r\nContent-Type: text/plain\r\n\r\nSEALED\r\n" END),
        SPAN(MULTIPART "\r\n" CONTROL "--b\r\n\r\nSEALED\r\n" END),
        SPAN(MULTIPART
             "\r\n" CONTROL
             "--b\r\nSubject: CLEAR\r\nContent-Type: application/octet-stream\r\n\r\nSEALED\r\n" END),
        SPAN(MULTIPART "\r\n" CONTROL
                       "--b\r\nContent-Type: application/octet-stream\r\nCLEAR\r\n\r\nSEALED\r\n" END),
        SPAN(MULTIPART "\r\n" CONTROL
                       "--b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: "
                       "base64\r\n\r\nSEALED\r\n" END),
        /* inline */
        SPAN("\r\nCLEAR\r\n" ARMOR),
        SPAN("\r\n- " ARMOR),
        SPAN("Content-Type: text/html\r\n\r\n" ARMOR),
        SPAN("Content-Type: text/plain; charset=a; charset=b\r\n\r\n" ARMOR),
        SPAN("Content-Transfer-Encoding: quoted-printable\r\n\r\n" ARMOR),
        SPAN("Content-Transfer-Encoding: 7bit\r\nContent-Transfer-Encoding: base64\r\n\r\n" ARMOR),
        /* S/MIME */
        SPAN(CMS "CLEAR text\r\nQUJD\r\n-"),
        SPAN(CMS "QUJD\r\nCLEAR!\r\n"),
        SPAN(CMS "QUI=\r\nCLEA\r\n"),
        SPAN(CMS "QUI=QUI=\r\n"),
        SPAN(CMS "QUJDR\r\n"),
        SPAN(CMS "QUJDRA\r\n"),
        SPAN(CMS "QU\0JD\r\n"),
        SPAN("Content-Type: application/pkcs7-mime\r\n\r\nQUJD\r\n"),
        SPAN("Content-Type: application/pkcs7-mime\r\nContent-Transfer-Encoding: 7bit\r\n\r\nQUJD\r\n"),
        SPAN("Content-Type: application/pkcs7-mime; smime-type=compressed-data\r\nContent-Transfer-Encoding: "
             "base64\r\n\r\nQUJD\r\n"),
        SPAN(
            "Content-Type: application/pkcs7-signature\r\nContent-Transfer-Encoding: base64\r\n\r\nQUJD\r\n"),
    };
    for (size_t i = 0; i < N_OF(rows); i++) {
        struct message_parts parts;
        struct sealed_content content;
        struct error err;
        message_split(rows[i], &parts);
        assert_int_equal(sealed_form_find(&parts, &content, &err), STATUS_OK);
        assert_says(content.form != SEALED_FORM_NONE, false, rows[i].p);
        sealed_content_free(&content);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(claims_are_found),
        cmocka_unit_test(test_a12_what_has_more_beside_it_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
