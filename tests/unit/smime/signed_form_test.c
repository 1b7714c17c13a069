/* smime_signed_form_check: what openssl signs, and what only looks like a signature (A12). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/cms.h>
#include <openssl/err.h>

#include "smime/signed_form.h"
#include "tests/unit/smime/made.h"
#include "tests/unit/smime/people.h"

#define SIGN "-sign -binary -outform DER -in text "
#define BY_BOB "-signer bob.pem -inkey bob.key "
#define BY_ALICE "-signer alice.pem -inkey alice.key "

static const struct row {
    const char *arguments; /* of openssl cms */
    bool detached;
    const char *micalg;
    const char *problem; /* NULL: it is a signature */
} rows[] = {
    {SIGN BY_BOB "-md sha256", true, "sha-256", NULL},
    {SIGN BY_BOB "-md sha256", true, "SHA256", NULL},
    {SIGN BY_BOB "-md sha256", true, "2.16.840.1.101.3.4.2.1", NULL},
    {SIGN BY_BOB "-md sha256", true, "sha-1, sha-256", NULL},
    {SIGN BY_BOB "-md sha1", true, "sha1", NULL},
    {SIGN BY_BOB "-md sha512", true, "sha-512", NULL},
    {SIGN BY_BOB "-md sha256 -noattr", true, "sha-256", NULL},
    {SIGN BY_BOB "-md sha256 -nocerts -keyid", true, "sha-256", NULL},
    {SIGN BY_BOB BY_ALICE "-md sha384", true, "sha-384", NULL},
    {SIGN BY_BOB "-md sha256 -nodetach", false, "", NULL},
    {SIGN BY_ALICE "-md sha256 -nodetach -stream", false, "", NULL},
    {SIGN BY_BOB "-md sha256", true, "sha-512", "micalg"},
    {SIGN BY_BOB "-md sha256", true, "", "micalg"},
    {SIGN BY_BOB "-md sha256", true, ",,", "micalg"},
    {SIGN BY_BOB "-md sha256", true, "sha-256xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "micalg"},
    {SIGN BY_BOB "-md sha256", false, "", "no content"},
    {SIGN BY_BOB "-md sha256 -nodetach", true, "sha-256", "beside it"},
    {"-encrypt -binary -outform DER -in text bob.pem", true, "sha-256", "no SignedData"},
    {"-data_create -binary -outform DER -in text", false, "", ""},
};

static void try_row(const struct row *row, struct span message, const char *problem)
{
    struct error err = {0};
    enum status status = smime_signed_form_check(message, row->detached, span_str(row->micalg), &err);
    if (status != (problem ? STATUS_INVALID : STATUS_OK) || (problem && !strstr(err.text, problem))) {
        fail_msg("%s, %s: %s %s", row->arguments, row->micalg, status_word(status), err.text);
    }
    assert_int_equal(ERR_peek_error(), 0);
}

static void test_a12_what_openssl_made(void **state)
{
    struct state *s = *state;
    char folder[] = "/tmp/signed.XXXXXX";
    made_folder(folder, &s->people[BOB], &s->people[ALICE]);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        made_by_openssl(folder, rows[i].arguments, &s->out);
        try_row(&rows[i], buf_span(&s->out), rows[i].problem);
        for (size_t len = 0; len < s->out.len; len++) {
            try_row(&rows[i], span_of(s->out.data, len), "");
        }
        buf_append(&s->out, "", 1);
        try_row(&rows[i], buf_span(&s->out), "");
    }
    made_free(folder);
}

/* RFC 5652 §5.1: certificates alone are a SignedData too, by nobody. */
static void test_a12_nobody_signed_it(void **state)
{
    struct state *s = *state;
    CMS_ContentInfo *cms = CMS_sign(NULL, NULL, NULL, NULL, CMS_PARTIAL | CMS_DETACHED);
    unsigned char *der = NULL;
    const struct row row = {"certificates", true, "sha-256", "nobody signed it"};
    forge_must(cms && CMS_add1_cert(cms, s->people[BOB].cert) == 1);
    int len = i2d_CMS_ContentInfo(cms, &der);
    forge_must(len > 0);
    try_row(&row, span_of(der, (size_t)len), row.problem);
    OPENSSL_free(der);
    CMS_ContentInfo_free(cms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a12_what_openssl_made),
                                       cmocka_unit_test(test_a12_nobody_signed_it)};
    return cmocka_run_group_tests(tests, make_people, free_people);
}
