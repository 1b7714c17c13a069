/* Which names a certificate is for (RFC 9525 §6, RFC 8461 §4.1). */
#include "tests/unit/net/fixture.h"

#include "gateway/delivery/tls.h"

static X509 *certificate(const char *common_name, const char *alternatives)
{
    X509 *cert = X509_new();
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                               (const unsigned char *)common_name, -1, -1, 0);
    if (alternatives) {
        X509_EXTENSION *names = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, alternatives);
        assert_non_null(names);
        X509_add_ext(cert, names, -1);
        X509_EXTENSION_free(names);
    }
    return cert;
}

static void names_of_a_certificate(void **state)
{
    (void)state;
    static const struct {
        const char *alternatives, *name; /* the common name is NAME */
        bool exact, below;
    } rows[] = {
        {"DNS:partner.example", "partner.example", true, false},
        {"DNS:mx.partner.example", "partner.example", false, true},
        {"DNS:MX.a.Partner.example", "partner.example", false, true},
        {"DNS:*.partner.example", "partner.example", false, true},
        {"DNS:*.partner.example", "mx.partner.example", true, false},
        {"DNS:*.partner.example", "a.mx.partner.example", false, false},
        {"DNS:m*.partner.example", "mx.partner.example", false, false},
        {"DNS:notpartner.example", "partner.example", false, false},
        {"DNS:partner.example.evil.example", "partner.example", false, false},
        {"DNS:example", "partner.example", false, false},
        {"IP:192.0.2.1", "192.0.2.1", true, false},
        {"email:mx@partner.example", "partner.example", false, false},
        {NULL, "partner.example", false, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        X509 *cert = certificate(rows[i].name, rows[i].alternatives);
        if (delivery_tls_is_for(cert, rows[i].name) != rows[i].exact ||
            delivery_tls_is_for_below(cert, rows[i].name) != rows[i].below)
            fail_msg("row %zu: %s", i, rows[i].alternatives ? rows[i].alternatives : "(none)");
        X509_free(cert);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(names_of_a_certificate)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
