#include "gateway/net/tls_client_ca.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <stdbool.h>

#include "gateway/net/tls.h"

/* Certificates between the client's and the authority's. */
#define DEPTH_MAX 4
/* Bytes of a client's whole chain. */
#define CHAIN_SIZE_MAX 32768

/* The result stays in the session for tls_peer_get; a certificate that does not verify is as good as none. */
static int verify(X509_STORE_CTX *store, void *arg)
{
    (void)arg;
    if (X509_verify_cert(store) != 1 && X509_STORE_CTX_get_error(store) == X509_V_OK)
        X509_STORE_CTX_set_error(store, X509_V_ERR_UNSPECIFIED);
    ERR_clear_error();
    return 1;
}

/* A ticket from before a change of the authorities must not bring a certificate of the old ones back. */
static bool set_session_context(SSL_CTX *ctx)
{
    unsigned char digest[EVP_MAX_MD_SIZE], one[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    STACK_OF(X509_OBJECT) *anchors = X509_STORE_get0_objects(SSL_CTX_get_cert_store(ctx));
    bool good = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1;
    for (int i = 0; good && i < sk_X509_OBJECT_num(anchors); i++) {
        const X509 *anchor = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(anchors, i));
        /* A CRL in the file: none is looked at, so it changes nothing either. */
        if (!anchor)
            continue;
        good = X509_digest(anchor, EVP_sha256(), one, &len) == 1 && EVP_DigestUpdate(md, one, len) == 1;
    }
    good = good && EVP_DigestFinal_ex(md, digest, &len) == 1 &&
           SSL_CTX_set_session_id_context(ctx, digest, len) == 1;
    EVP_MD_CTX_free(md);
    return good;
}

enum status tls_client_ca_set(SSL_CTX *ctx, const char *path, struct error *err)
{
    if (path) {
        STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(path);
        if (!names || SSL_CTX_load_verify_file(ctx, path) != 1) {
            sk_X509_NAME_pop_free(names, X509_NAME_free);
            return tls_failed(err, STATUS_INVALID, "cannot read the authorities of client certificates from",
                              path);
        }
        SSL_CTX_set_client_CA_list(ctx, names); /* takes them over */
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
        SSL_CTX_set_verify_depth(ctx, DEPTH_MAX);
        /* An issuing authority in the file is enough, its root need not be there. */
        X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx), X509_V_FLAG_PARTIAL_CHAIN);
        SSL_CTX_set_max_cert_list(ctx, CHAIN_SIZE_MAX);
        SSL_CTX_set_cert_verify_callback(ctx, verify, NULL);
    }
    if (!set_session_context(ctx))
        return tls_failed(err, STATUS_TEMPORARY, "cannot set up TLS sessions", NULL);
    return STATUS_OK;
}
