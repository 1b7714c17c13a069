/* Certificates made for tests, with OpenSSL's own API. A failure ends the test program. */
#ifndef SEALGATE_TESTS_SMIME_FORGE_H
#define SEALGATE_TESTS_SMIME_FORGE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/span.h"

#define FORGE_NOW 1790000000 /* 2026-09-21: the time tests judge at */
#define FORGE_DAY 86400
#define FORGE_EXTENSIONS_MAX 6

struct forge_extension {
    int nid;           /* 0: end of the list */
    const char *value; /* as in openssl.cnf */
};

struct forge_order {
    const char *key;     /* "rsa2048", "P-256", "X25519", …; NULL: use GIVEN */
    EVP_PKEY *given;     /* stays the caller's */
    const char *digest;  /* NULL: SHA-256 */
    const char *subject; /* common name; NULL: "Test" */
    const char *email;   /* emailAddress of the subject; NULL: none */
    int days_from;       /* validity relative to FORGE_NOW; both 0: -10 to 365 */
    int days_to;
    long serial; /* 0: 4711 */
    struct forge_extension extensions[FORGE_EXTENSIONS_MAX];
};

struct forged {
    X509 *cert;
    EVP_PKEY *key;
    struct span der; /* owned */
};

#define FORGE_SAN_ALICE                                                                                      \
    {                                                                                                        \
        NID_subject_alt_name, "email:alice@example.org"                                                      \
    }

static inline void forge_must(bool good)
{
    if (!good) {
        abort();
    }
}

static inline EVP_PKEY *forge_key(const char *kind)
{
    EVP_PKEY *key = NULL;
    if (strncmp(kind, "rsa", 3) == 0) {
        key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", strtoul(kind + 3, NULL, 10));
    } else if (strncmp(kind, "X", 1) == 0 || strncmp(kind, "ED", 2) == 0) {
        EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, kind, NULL);
        forge_must(EVP_PKEY_keygen_init(ctx) == 1 && EVP_PKEY_generate(ctx, &key) == 1);
        EVP_PKEY_CTX_free(ctx);
    } else {
        key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", kind);
    }
    forge_must(key != NULL);
    return key;
}

static inline void forge_dates(X509 *cert, const struct forge_order *order)
{
    bool usual = order->days_from == 0 && order->days_to == 0;
    time_t from = FORGE_NOW + (time_t)(usual ? -10 : order->days_from) * FORGE_DAY;
    time_t to = FORGE_NOW + (time_t)(usual ? 365 : order->days_to) * FORGE_DAY;
    forge_must(X509_time_adj(X509_getm_notBefore(cert), 0, &from) != NULL);
    forge_must(X509_time_adj(X509_getm_notAfter(cert), 0, &to) != NULL);
}

static inline void forge_subject(X509 *cert, const struct forge_order *order)
{
    X509_NAME *name = X509_get_subject_name(cert);
    const char *common = order->subject ? order->subject : "Test";
    forge_must(X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8, (const unsigned char *)common,
                                          -1, -1, 0) == 1);
    if (order->email) {
        forge_must(X509_NAME_add_entry_by_NID(name, NID_pkcs9_emailAddress, MBSTRING_ASC,
                                              (const unsigned char *)order->email, -1, -1, 0) == 1);
    }
}

static inline void forge_extend(X509 *cert, X509 *issuer, const struct forge_order *order)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509V3_set_ctx_nodb(&ctx);
    for (size_t i = 0; i < FORGE_EXTENSIONS_MAX && order->extensions[i].nid; i++) {
        X509_EXTENSION *ext =
            X509V3_EXT_conf_nid(NULL, &ctx, order->extensions[i].nid, order->extensions[i].value);
        forge_must(ext && X509_add_ext(cert, ext, -1) == 1);
        X509_EXTENSION_free(ext);
    }
}

/* ISSUER NULL: signed with its own key. Free with forged_free. */
static inline struct forged forge(const struct forge_order *order, const struct forged *issuer)
{
    struct forged made = {.cert = X509_new(), .key = order->given};
    if (order->key) {
        made.key = forge_key(order->key);
    } else {
        forge_must(EVP_PKEY_up_ref(made.key) == 1);
    }
    forge_must(made.cert != NULL && X509_set_version(made.cert, X509_VERSION_3) == 1);
    forge_must(ASN1_INTEGER_set(X509_get_serialNumber(made.cert), order->serial ? order->serial : 4711) == 1);
    forge_dates(made.cert, order);
    forge_subject(made.cert, order);
    forge_must(X509_set_pubkey(made.cert, made.key) == 1);
    const X509 *by = issuer ? issuer->cert : made.cert;
    forge_must(X509_set_issuer_name(made.cert, X509_get_subject_name(by)) == 1);
    forge_extend(made.cert, issuer ? issuer->cert : made.cert, order);

    EVP_PKEY *signer = issuer ? issuer->key : made.key;
    const EVP_MD *digest = EVP_get_digestbyname(order->digest ? order->digest : "SHA256");
    forge_must(X509_sign(made.cert, signer, EVP_PKEY_is_a(signer, "ED25519") ? NULL : digest) > 0);
    unsigned char *der = NULL;
    int len = i2d_X509(made.cert, &der);
    forge_must(len > 0);
    made.der = span_of(der, (size_t)len);
    return made;
}

static inline void forged_free(struct forged *made)
{
    X509_free(made->cert);
    EVP_PKEY_free(made->key);
    OPENSSL_free((void *)made->der.p);
    *made = (struct forged){0};
}

/* A certificate of alice@example.org with KIND of key, signed by ISSUER (NULL: an Ed25519 key of its own
 * name). */
static inline struct forged forge_alice(const char *kind, long serial)
{
    const struct forge_order ca = {.key = "ED25519", .subject = "Test CA"};
    const struct forge_order order = {.key = kind, .serial = serial, .extensions = {FORGE_SAN_ALICE}};
    struct forged issuer = forge(&ca, NULL);
    struct forged made = forge(&order, &issuer);
    forged_free(&issuer);
    return made;
}

#endif
