/* Authorities, certificates and OCSP responses for the tests of TLS. */
#ifndef SEALGATE_TESTS_NET_PKI_H
#define SEALGATE_TESTS_NET_PKI_H

#include <openssl/ocsp.h>
#include <openssl/rsa.h>

#include "tests/unit/net/fixture.h"

struct authority {
    EVP_PKEY *key;
    X509 *certificate;
    long serial;
};

struct wish {
    const char *file;   /* FILE.pem and FILE.key are written */
    const char *name;   /* CN */
    const char *alt;    /* "DNS:a,DNS:b"; NULL: none */
    const char *usage;  /* "clientAuth"; NULL: none */
    bool rsa;           /* else P-256 */
    long from_s, for_s; /* validity, from now; 0, 0: an hour */
};

static inline void pki_add(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    assert_non_null(extension);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

static inline X509 *pki_certificate(EVP_PKEY *key, const char *name, long serial, long from_s, long for_s)
{
    X509 *certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial);
    X509_gmtime_adj(X509_getm_notBefore(certificate), from_s);
    X509_gmtime_adj(X509_getm_notAfter(certificate), from_s + for_s);
    X509_set_pubkey(certificate, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "O", MBSTRING_UTF8,
                               (const unsigned char *)"Example", -1, -1, 0);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                               (const unsigned char *)name, -1, -1, 0);
    return certificate;
}

static inline struct authority authority_make(const char *name)
{
    struct authority a = {.key = EVP_EC_gen("P-256"), .serial = 1};
    a.certificate = pki_certificate(a.key, name, 1, -60, 7200);
    X509_set_issuer_name(a.certificate, X509_get_subject_name(a.certificate));
    pki_add(a.certificate, a.certificate, NID_basic_constraints, "critical,CA:TRUE");
    pki_add(a.certificate, a.certificate, NID_subject_key_identifier, "hash");
    assert_true(X509_sign(a.certificate, a.key, EVP_sha256()) > 0);
    return a;
}

static inline void authority_free(struct authority *a)
{
    EVP_PKEY_free(a->key);
    X509_free(a->certificate);
}

static inline const char *pki_path(const char *dir, const char *file, const char *suffix)
{
    static char path[32][400];
    static int turn;
    turn = (turn + 1) % 32;
    snprintf(path[turn], sizeof path[turn], "%s/%s%s", dir, file, suffix);
    return path[turn];
}

/* The certificate, its issuer behind it; the caller frees what is returned. */
static inline X509 *pki_issue(const char *dir, struct authority *by, struct wish wish)
{
    EVP_PKEY *key = wish.rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
    X509 *certificate = pki_certificate(key, wish.name, ++by->serial, wish.from_s ? wish.from_s : -60,
                                        wish.for_s ? wish.for_s : 3600);
    X509_set_issuer_name(certificate, X509_get_subject_name(by->certificate));
    if (wish.alt)
        pki_add(certificate, by->certificate, NID_subject_alt_name, wish.alt);
    if (wish.usage)
        pki_add(certificate, by->certificate, NID_ext_key_usage, wish.usage);
    assert_true(X509_sign(certificate, by->key, EVP_sha256()) > 0);
    FILE *f = fopen(pki_path(dir, wish.file, ".pem"), "w");
    assert_true(PEM_write_X509(f, certificate) && PEM_write_X509(f, by->certificate));
    fclose(f);
    f = fdopen(open(pki_path(dir, wish.file, ".key"), O_CREAT | O_WRONLY | O_TRUNC, 0600), "w");
    assert_true(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL));
    fclose(f);
    EVP_PKEY_free(key);
    return certificate;
}

/* Writes FILE: what BY says of CERTIFICATE, until NEXT_S seconds from now (0: it does not say). */
static inline void pki_ocsp(const char *path, struct authority *signer, struct authority *issuer,
                            X509 *certificate, int status, long next_s)
{
    OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
    OCSP_CERTID *id = OCSP_cert_to_id(EVP_sha1(), certificate, issuer->certificate);
    ASN1_TIME *now = X509_gmtime_adj(NULL, -7200), *next = next_s ? X509_gmtime_adj(NULL, next_s) : NULL;
    assert_non_null(OCSP_basic_add1_status(basic, id, status, 0,
                                           status == V_OCSP_CERTSTATUS_REVOKED ? now : NULL, now, next));
    assert_int_equal(OCSP_basic_sign(basic, signer->certificate, signer->key, EVP_sha256(), NULL, 0), 1);
    OCSP_RESPONSE *response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
    unsigned char *der = NULL;
    int len = i2d_OCSP_RESPONSE(response, &der);
    FILE *f = fopen(path, "w");
    assert_int_equal(fwrite(der, 1, (size_t)len, f), len);
    fclose(f);
    OPENSSL_free(der);
    OCSP_RESPONSE_free(response);
    OCSP_BASICRESP_free(basic);
    OCSP_CERTID_free(id);
    ASN1_TIME_free(now);
    ASN1_TIME_free(next);
}

#endif
