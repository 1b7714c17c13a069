#include "gateway/net/tls_ocsp.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "gateway/net/tls.h"

/* A response has one certificate or a few with it. */
#define OCSP_SIZE_MAX (64u << 10)

static enum status read_file(const char *path, struct buf *out, struct error *err)
{
    BIO *bio = BIO_new_file(path, "rb");
    if (!bio)
        return tls_failed(err, STATUS_INVALID, "cannot read the OCSP response", path);
    buf_init(out, OCSP_SIZE_MAX);
    char chunk[4096];
    int n;
    while ((n = BIO_read(bio, chunk, sizeof chunk)) > 0)
        buf_append(out, chunk, (size_t)n);
    BIO_free(bio);
    if (n == 0 && !out->failed && out->len > 0)
        return STATUS_OK;
    return error_set(err, STATUS_INVALID, "the OCSP response %s is empty or longer than %u bytes", path,
                     OCSP_SIZE_MAX);
}

/* The issuer of LEAF among CHAIN; NULL: not there. */
static X509 *find_issuer(X509 *leaf, STACK_OF(X509) * chain)
{
    for (int i = 0; i < sk_X509_num(chain); i++)
        if (X509_check_issued(sk_X509_value(chain, i), leaf) == X509_V_OK)
            return sk_X509_value(chain, i);
    return NULL;
}

/* Does ID name LEAF? By issuer name and serial number; by the issuer's key too when ISSUER is known. */
static bool names(const OCSP_CERTID *id, X509 *leaf, const X509 *issuer)
{
    ASN1_OBJECT *algorithm;
    ASN1_OCTET_STRING *name_hash;
    ASN1_INTEGER *serial;
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    if (OCSP_id_get0_info(&name_hash, &algorithm, NULL, &serial, (OCSP_CERTID *)(uintptr_t)id) != 1)
        return false;
    const EVP_MD *md = EVP_get_digestbyobj(algorithm);
    if (!md)
        return false;
    if (issuer) {
        OCSP_CERTID *want = OCSP_cert_to_id(md, leaf, issuer);
        bool same = want && OCSP_id_cmp(want, id) == 0;
        OCSP_CERTID_free(want);
        return same;
    }
    return X509_NAME_digest(X509_get_issuer_name(leaf), md, digest, &len) == 1 &&
           len == (unsigned)ASN1_STRING_length(name_hash) &&
           memcmp(digest, ASN1_STRING_get0_data(name_hash), len) == 0 &&
           ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(leaf)) == 0;
}

/* Signed by ISSUER, or by one whom it appointed (RFC 6960 §4.2.2.2). */
static bool is_signed(OCSP_BASICRESP *basic, X509 *issuer)
{
    X509_STORE *store = X509_STORE_new();
    STACK_OF(X509) *known = sk_X509_new_null();
    bool good = store && known && sk_X509_push(known, issuer) > 0 &&
                X509_STORE_add_cert(store, issuer) == 1 &&
                X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN) == 1 &&
                OCSP_basic_verify(basic, known, store, 0) == 1;
    sk_X509_free(known);
    X509_STORE_free(store);
    return good;
}

static bool take_next_update(const ASN1_GENERALIZEDTIME *next, int64_t *wall_ms_out)
{
    struct tm tm = {0};
    if (!next || ASN1_TIME_to_tm(next, &tm) != 1)
        return false;
    *wall_ms_out = (int64_t)timegm(&tm) * 1000;
    return true;
}

/* What is wrong with it; NULL: nothing. */
static const char *judge(OCSP_BASICRESP *basic, X509 *leaf, X509 *issuer, int64_t *next_out)
{
    for (int i = 0; i < OCSP_resp_count(basic); i++) {
        OCSP_SINGLERESP *one = OCSP_resp_get0(basic, i);
        ASN1_GENERALIZEDTIME *next = NULL;
        if (!names(OCSP_SINGLERESP_get0_id(one), leaf, issuer))
            continue;
        if (OCSP_single_get0_status(one, NULL, NULL, NULL, &next) != V_OCSP_CERTSTATUS_GOOD)
            return "does not say \"good\" for the certificate";
        if (!take_next_update(next, next_out))
            return "does not say how long it holds (nextUpdate)";
        return !issuer || is_signed(basic, issuer) ? NULL : "is not signed for the issuer of the certificate";
    }
    return "is for another certificate";
}

enum status tls_ocsp_read(const char *path, X509 *leaf, STACK_OF(X509) * chain, struct tls_ocsp *ocsp_out,
                          struct error *err)
{
    *ocsp_out = (struct tls_ocsp){0};
    enum status st = read_file(path, &ocsp_out->der, err);
    if (st != STATUS_OK) {
        tls_ocsp_free(ocsp_out);
        return st;
    }
    const unsigned char *at = ocsp_out->der.data;
    OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &at, (long)ocsp_out->der.len);
    OCSP_BASICRESP *basic = NULL;
    const char *wrong = "is no OCSP response in DER";
    if (response && at == ocsp_out->der.data + ocsp_out->der.len)
        wrong =
            OCSP_response_status(response) == OCSP_RESPONSE_STATUS_SUCCESSFUL ? NULL : "is an error message";
    if (!wrong) {
        basic = OCSP_response_get1_basic(response);
        wrong = basic ? judge(basic, leaf, find_issuer(leaf, chain), &ocsp_out->next_wall_ms)
                      : "is of an unknown kind";
    }
    OCSP_BASICRESP_free(basic);
    OCSP_RESPONSE_free(response);
    ERR_clear_error();
    if (!wrong)
        return STATUS_OK;
    tls_ocsp_free(ocsp_out);
    return error_set(err, STATUS_INVALID, "%s %s", path, wrong);
}

void tls_ocsp_free(struct tls_ocsp *ocsp)
{
    buf_free(&ocsp->der);
}
