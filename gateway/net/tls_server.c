#include "gateway/net/tls_server.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "gateway/net/tickets.h"
#include "gateway/net/tls_client_ca.h"
#include "gateway/net/tls_ocsp.h"

struct identity {
    SSL_CTX *ctx; /* a reference; the same for identities that stand side by side */
    X509 *leaf;   /* a reference */
    char *path;   /* of the OCSP response; NULL: none; owned */
    struct tls_ocsp ocsp;
};

struct tls_server {
    struct identity *identities; /* the first is the default */
    size_t n;
};

/* ---- choosing ---- */

/* An exact name goes before a wildcard, wherever they stand. NULL: nobody has this name. */
static SSL_CTX *find_by_name(const struct tls_server *server, const char *name)
{
    static const unsigned passes[] = {X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_WILDCARDS,
                                      X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
                                          X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS};
    for (size_t pass = 0; pass < sizeof passes / sizeof *passes; pass++)
        for (size_t i = 0; i < server->n; i++)
            if (X509_check_host(server->identities[i].leaf, name, strlen(name), passes[pass], NULL) == 1)
                return server->identities[i].ctx;
    return NULL;
}

/* Nobody is turned away for a name: mail programs are set up with all kinds of them. */
static int on_server_name(SSL *ssl, int *alert, void *arg)
{
    (void)alert;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    SSL_CTX *ctx = name ? find_by_name(arg, name) : NULL;
    return ctx && SSL_set_SSL_CTX(ssl, ctx) ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

static int on_status_request(SSL *ssl, void *arg)
{
    const struct tls_server *server = arg;
    const X509 *leaf = SSL_get_certificate(ssl);
    for (size_t i = 0; i < server->n; i++) {
        const struct identity *it = &server->identities[i];
        if (it->leaf != leaf || !it->path || clock_wall_ms() >= it->ocsp.next_wall_ms)
            continue;
        unsigned char *copy = OPENSSL_memdup(it->ocsp.der.data, it->ocsp.der.len);
        if (!copy)
            return SSL_TLSEXT_ERR_NOACK;
        SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)it->ocsp.der.len); /* takes it over */
        return SSL_TLSEXT_ERR_OK;
    }
    return SSL_TLSEXT_ERR_NOACK;
}

/* ---- loading ---- */

static X509 *read_leaf(const char *path)
{
    BIO *bio = BIO_new_file(path, "rb");
    X509 *leaf = bio ? PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL) : NULL;
    BIO_free(bio);
    return leaf;
}

/* Has B every DNS name that A has? */
static bool covers(X509 *b, const X509 *a)
{
    STACK_OF(GENERAL_NAME) *all = X509_get_ext_d2i(a, NID_subject_alt_name, NULL, NULL);
    bool good = sk_GENERAL_NAME_num(all) > 0;
    for (int i = 0; good && i < sk_GENERAL_NAME_num(all); i++) {
        int type;
        const ASN1_STRING *name = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(all, i), &type);
        if (type == GEN_DNS)
            good = X509_check_host(
                       b, (const char *)ASN1_STRING_get0_data(name), (size_t)ASN1_STRING_length(name),
                       X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_WILDCARDS, NULL) == 1;
    }
    sk_GENERAL_NAME_pop_free(all, GENERAL_NAME_free);
    return good;
}

static int key_kind(const X509 *leaf)
{
    return EVP_PKEY_get_base_id(X509_get0_pubkey(leaf));
}

/* The context of an earlier certificate with the same names, if none of its kind of key is there. */
static SSL_CTX *find_companion(const struct tls_server *server, X509 *leaf)
{
    SSL_CTX *found = NULL;
    for (size_t i = 0; leaf && i < server->n; i++) {
        const struct identity *it = &server->identities[i];
        if (!covers(it->leaf, leaf) || !covers(leaf, it->leaf))
            continue;
        if (key_kind(it->leaf) == key_kind(leaf))
            return NULL;
        found = it->ctx;
    }
    return found;
}

static enum status load_context(const struct tls_server *server, const struct tls_server_settings *files,
                                struct identity *it, struct error *err)
{
    X509 *leaf = read_leaf(files->certificate_path);
    SSL_CTX *companion = find_companion(server, leaf);
    X509_free(leaf);
    enum status st;
    if (companion) {
        SSL_CTX_up_ref(companion);
        it->ctx = companion;
        st = tls_add_certificate(companion, files, err);
    } else {
        st = tls_server_context(files, &it->ctx, err);
    }
    if (st != STATUS_OK)
        return st;
    /* The one that was loaded last. */
    it->leaf = SSL_CTX_get0_certificate(it->ctx);
    X509_up_ref(it->leaf);
    return STATUS_OK;
}

static enum status load_ocsp(struct identity *it, const char *path, struct error *err)
{
    STACK_OF(X509) *chain = NULL;
    it->path = strdup(path);
    if (!it->path)
        return error_set(err, STATUS_TEMPORARY, "out of memory for OCSP");
    SSL_CTX_get0_chain_certs(it->ctx, &chain);
    return tls_ocsp_read(path, it->leaf, chain, &it->ocsp, err);
}

static enum status set_up(struct tls_server *server, const struct tls_server_options *options, SSL_CTX *ctx,
                          struct error *err)
{
    SSL_CTX_set_tlsext_servername_callback(ctx, on_server_name);
    SSL_CTX_set_tlsext_servername_arg(ctx, server);
    SSL_CTX_set_tlsext_status_cb(ctx, on_status_request);
    SSL_CTX_set_tlsext_status_arg(ctx, server);
    enum status st = tls_client_ca_set(ctx, options->client_ca_path, err);
    return st == STATUS_OK && options->tickets ? tickets_attach(options->tickets, ctx, err) : st;
}

static enum status load(struct tls_server *server, const struct tls_server_options *options,
                        struct error *err)
{
    for (size_t i = 0; i < options->n_certificates; i++) {
        const struct tls_certificate *certificate = &options->certificates[i];
        struct identity *it = &server->identities[i];
        enum status st = load_context(server, &certificate->files, it, err);
        if (st == STATUS_OK && certificate->ocsp_path)
            st = load_ocsp(it, certificate->ocsp_path, err);
        if (st == STATUS_OK)
            st = set_up(server, options, it->ctx, err);
        server->n = i + 1;
        if (st != STATUS_OK)
            return st;
    }
    return STATUS_OK;
}

enum status tls_server_open(const struct tls_server_options *options, struct tls_server **server_out,
                            struct error *err)
{
    struct tls_server *server = calloc(1, sizeof *server);
    if (server)
        server->identities = calloc(options->n_certificates, sizeof *server->identities);
    if (!server || !server->identities) {
        free(server);
        return error_set(err, STATUS_TEMPORARY, "out of memory for TLS");
    }
    enum status st = load(server, options, err);
    if (st != STATUS_OK) {
        tls_server_close(server);
        return st;
    }
    *server_out = server;
    return STATUS_OK;
}

void tls_server_close(struct tls_server *server)
{
    for (size_t i = 0; i < server->n; i++) {
        SSL_CTX_free(server->identities[i].ctx);
        X509_free(server->identities[i].leaf);
        tls_ocsp_free(&server->identities[i].ocsp);
        free(server->identities[i].path);
    }
    free(server->identities);
    free(server);
}

SSL_CTX *tls_server_first(const struct tls_server *server)
{
    return server->identities[0].ctx;
}

void tls_server_stale_ocsp(const struct tls_server *server, void (*each)(void *arg, const char *path),
                           void *arg)
{
    for (size_t i = 0; i < server->n; i++)
        if (server->identities[i].path && clock_wall_ms() >= server->identities[i].ocsp.next_wall_ms)
            each(arg, server->identities[i].path);
}
