/* TLS contexts for both sides. */
#include "gateway/net/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509err.h>
#include <stdbool.h>
#include <unistd.h>

/* Where Debian's ca-certificates keeps all anchors in one file: read at once, as the role may lose its view
 * of the file system later. */
#define SYSTEM_CA_FILE "/etc/ssl/certs/ca-certificates.crt"

/* Forward secrecy and AEAD only, as Mozilla's "intermediate" (without finite-field DH). */
#define TLS12_CIPHERS                                                                                        \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"                                             \
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"                                             \
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
#define TLS13_CIPHERS "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define TLS_GROUPS "X25519:P-256:P-384"

enum status tls_failed(struct error *err, enum status status, const char *doing, const char *path)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = ERR_reason_error_string(code);
    error_set(err, status, "%s%s%s: %s", doing, path ? " " : "", path ? path : "",
              reason ? reason : "unknown error");
    ERR_clear_error();
    return status;
}

/* A key file with a passphrase must fail, not ask on the terminal. */
static int no_passphrase(char *buf, int size, int rwflag, void *arg)
{
    (void)buf, (void)size, (void)rwflag, (void)arg;
    return -1;
}

/* An ALPN offer is left without answer: no mail client means "h2" by it, and refusing would lose clients. */
static enum status set_common(SSL_CTX *ctx, struct error *err)
{
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
    if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set1_groups_list(ctx, TLS_GROUPS) != 1)
        return tls_failed(err, STATUS_INTERNAL, "cannot set up TLS", NULL);
    return STATUS_OK;
}

enum status tls_add_certificate(SSL_CTX *ctx, const struct tls_server_settings *settings, struct error *err)
{
    if (SSL_CTX_use_certificate_chain_file(ctx, settings->certificate_path) != 1)
        return tls_failed(err, STATUS_INVALID, "cannot read the TLS certificate", settings->certificate_path);
    enum status st = secret_file_check(settings->key_path, err);
    if (st != STATUS_OK)
        return st;
    if (SSL_CTX_use_PrivateKey_file(ctx, settings->key_path, SSL_FILETYPE_PEM) == 1)
        return STATUS_OK;
    if (ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH)
        return tls_failed(err, STATUS_INVALID, "the TLS private key does not belong to the certificate",
                          settings->certificate_path);
    return tls_failed(err, STATUS_INVALID, "cannot read the TLS private key (PEM, no passphrase)",
                      settings->key_path);
}

static enum status set_server(SSL_CTX *ctx, struct error *err)
{
    SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_TICKET);
    /* A cache would grow with the clients. */
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    /* The chain is what stands in the file, never guessed from the anchors for clients. */
    SSL_CTX_set_mode(ctx, SSL_MODE_NO_AUTO_CHAIN);
    if (SSL_CTX_set_num_tickets(ctx, 0) != 1 || SSL_CTX_set_max_early_data(ctx, 0) != 1 ||
        SSL_CTX_set_cipher_list(ctx, TLS12_CIPHERS) != 1 || SSL_CTX_set_ciphersuites(ctx, TLS13_CIPHERS) != 1)
        return tls_failed(err, STATUS_INTERNAL, "cannot set the TLS ciphers", NULL);
    return STATUS_OK;
}

enum status tls_server_context(const struct tls_server_settings *settings, SSL_CTX **ctx_out,
                               struct error *err)
{
    ERR_clear_error();
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (!ctx)
        return tls_failed(err, STATUS_TEMPORARY, "cannot make a TLS context", NULL);
    enum status st = set_common(ctx, err);
    if (st == STATUS_OK)
        st = set_server(ctx, err);
    if (st == STATUS_OK)
        st = tls_add_certificate(ctx, settings, err);
    if (st != STATUS_OK) {
        SSL_CTX_free(ctx);
        return st;
    }
    *ctx_out = ctx;
    return STATUS_OK;
}

enum status tls_client_context(const struct tls_client_settings *settings, SSL_CTX **ctx_out,
                               struct error *err)
{
    ERR_clear_error();
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    if (!ctx)
        return tls_failed(err, STATUS_TEMPORARY, "cannot make a TLS context", NULL);
    const char *path = settings->ca_path ? settings->ca_path : SYSTEM_CA_FILE;
    /* Without the system's anchors nothing verifies, which is safe; a file that was asked for must be there.
     */
    bool wanted = settings->ca_path || access(path, R_OK) == 0;
    enum status st = set_common(ctx, err);
    if (st == STATUS_OK && SSL_CTX_dane_enable(ctx) != 1)
        st = tls_failed(err, STATUS_TEMPORARY, "cannot set up DANE", NULL);
    if (st == STATUS_OK && wanted && SSL_CTX_load_verify_file(ctx, path) != 1)
        st = tls_failed(err, STATUS_INVALID, "cannot read trust anchors from", path);
    if (st != STATUS_OK) {
        SSL_CTX_free(ctx);
        return st;
    }
    *ctx_out = ctx;
    return STATUS_OK;
}
