#include "gateway/net/tls_peer.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <string.h>

#include "base/hex.h"

/* X509_V_OK, or what is wrong. A ticket brings a certificate back that may have expired since. */
static long verdict(SSL *ssl, const X509 *certificate)
{
    long result = SSL_get_verify_result(ssl);
    if (result != X509_V_OK)
        return result;
    /* Without SSL_VERIFY_PEER nothing was verified, whatever the result says. */
    if (!(SSL_get_verify_mode(ssl) & SSL_VERIFY_PEER))
        return X509_V_ERR_APPLICATION_VERIFICATION;
    if (X509_cmp_current_time(X509_get0_notBefore(certificate)) >= 0)
        return X509_V_ERR_CERT_NOT_YET_VALID;
    return X509_cmp_current_time(X509_get0_notAfter(certificate)) > 0 ? X509_V_OK
                                                                      : X509_V_ERR_CERT_HAS_EXPIRED;
}

static bool take_fingerprint(const X509 *certificate, char out[TLS_PEER_FINGERPRINT_SIZE])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    if (X509_digest(certificate, EVP_sha256(), digest, &len) != 1 || len * 2 + 1 != TLS_PEER_FINGERPRINT_SIZE)
        return false;
    hex_encode(digest, len, out);
    return true;
}

static void take_subject(const X509 *certificate, char out[TLS_PEER_SUBJECT_SIZE])
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    if (bio && X509_NAME_print_ex(bio, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253) >= 0) {
        long len = BIO_get_mem_data(bio, &text);
        if (len > 0 && len < TLS_PEER_SUBJECT_SIZE && !memchr(text, '\0', (size_t)len)) {
            memcpy(out, text, (size_t)len);
            out[len] = '\0';
        }
    }
    BIO_free(bio);
}

bool tls_peer_get(const struct conn *conn, struct tls_peer *peer_out)
{
    SSL *ssl = conn_ssl(conn);
    *peer_out = (struct tls_peer){0};
    X509 *certificate = ssl ? SSL_get0_peer_certificate(ssl) : NULL;
    if (!certificate || verdict(ssl, certificate) != X509_V_OK ||
        !take_fingerprint(certificate, peer_out->fingerprint))
        return false;
    take_subject(certificate, peer_out->subject);
    return true;
}

const char *tls_peer_refused(const struct conn *conn)
{
    SSL *ssl = conn_ssl(conn);
    X509 *certificate = ssl ? SSL_get0_peer_certificate(ssl) : NULL;
    long result = certificate ? verdict(ssl, certificate) : X509_V_OK;
    return result == X509_V_OK ? NULL : X509_verify_cert_error_string(result);
}
