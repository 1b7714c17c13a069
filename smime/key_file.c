#include "smime/key_file.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>

#include "smime/certificate.h"

#define CERTIFICATES_MAX 64
#define IDENTIFIER_SEQUENCE 0x30

/* ---- PKCS#12 (RFC 7292) ---- */

/* What OpenSSL names by the function that failed, in words that help. */
static enum status pkcs12_failure(const char *passphrase, struct error *err)
{
    int reason = ERR_GET_REASON(ERR_peek_last_error());
    int first = ERR_GET_REASON(ERR_peek_error());
    ERR_clear_error();
    if (reason == PKCS12_R_MAC_VERIFY_FAILURE) {
        return error_set(err, STATUS_INVALID, "PKCS#12 file: %s",
                         passphrase ? "the passphrase is wrong" : "it needs a passphrase");
    }
    if (reason == ERR_R_UNSUPPORTED || first == ERR_R_UNSUPPORTED) {
        return error_set(
            err, STATUS_INVALID,
            "PKCS#12 file: encrypted in a way that is no longer supported (RC2), convert it with "
            "\"openssl pkcs12 -legacy -in OLD -nodes\" and \"openssl pkcs12 -export\"");
    }
    return error_set(err, STATUS_INVALID, "PKCS#12 file: damaged");
}

static enum status read_pkcs12(struct span file, const char *passphrase, struct smime_key_file *out,
                               struct error *err)
{
    const unsigned char *p = (const unsigned char *)file.p;
    PKCS12 *p12 = d2i_PKCS12(NULL, &p, (long)file.len);
    X509 *cert = NULL;
    STACK_OF(X509) *more = NULL;
    enum status status = STATUS_OK;
    if (!p12) {
        status = smime_failure(err, STATUS_INVALID, "neither PEM nor PKCS#12");
    } else if (PKCS12_parse(p12, passphrase, &out->key, &cert, &more) != 1) {
        status = pkcs12_failure(passphrase, err);
    }
    if (status == STATUS_OK && cert && X509_add_cert(out->certs, cert, X509_ADD_FLAG_UP_REF) != 1) {
        status = smime_failure(err, STATUS_TEMPORARY, "PKCS#12 file");
    }
    if (status == STATUS_OK && more && X509_add_certs(out->certs, more, X509_ADD_FLAG_UP_REF) != 1) {
        status = smime_failure(err, STATUS_TEMPORARY, "PKCS#12 file");
    }
    X509_free(cert);
    sk_X509_pop_free(more, X509_free);
    PKCS12_free(p12);
    return status;
}

/* ---- PEM ---- */

struct passphrase {
    const char *text; /* NULL: none */
    bool asked;
};

/* Without it OpenSSL would ask at the terminal. */
static int give_passphrase(char *to, int size, int writing, void *arg)
{
    struct passphrase *passphrase = arg;
    size_t len = passphrase->text ? strlen(passphrase->text) : 0;
    (void)writing;
    passphrase->asked = true;
    if (!passphrase->text || len > (size_t)size) {
        return -1;
    }
    memcpy(to, passphrase->text, len);
    return (int)len;
}

static enum status read_pem_key(BIO *in, const char *passphrase, EVP_PKEY **key_out, struct error *err)
{
    struct passphrase secret = {.text = passphrase};
    *key_out = PEM_read_bio_PrivateKey(in, NULL, give_passphrase, &secret);
    if (*key_out) {
        return STATUS_OK;
    }
    if (secret.asked) {
        return error_set(err, STATUS_INVALID, "PEM file: %s",
                         passphrase ? "the passphrase of the key is wrong, or the key is damaged"
                                    : "the key is encrypted and needs a passphrase");
    }
    return smime_failure(err, STATUS_INVALID, "PEM file: no private key in it, or a damaged one");
}

static enum status read_pem_certificates(BIO *in, STACK_OF(X509) * certs, struct error *err)
{
    struct passphrase none = {.text = NULL};
    for (;;) {
        X509 *cert = PEM_read_bio_X509(in, NULL, give_passphrase, &none);
        if (!cert) {
            break;
        }
        if (sk_X509_num(certs) >= CERTIFICATES_MAX || sk_X509_push(certs, cert) <= 0) {
            X509_free(cert);
            return error_set(err, STATUS_LIMIT, "PEM file: more than %d certificates", CERTIFICATES_MAX);
        }
    }
    return ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE
               ? STATUS_OK
               : smime_failure(err, STATUS_INVALID, "PEM file: damaged certificate");
}

static enum status read_pem(struct span file, const char *passphrase, bool want_key,
                            struct smime_key_file *out, struct error *err)
{
    BIO *in = BIO_new_mem_buf(file.p, (int)file.len);
    enum status status = in ? STATUS_OK : smime_failure(err, STATUS_TEMPORARY, "PEM file");
    if (status == STATUS_OK && want_key) {
        status = read_pem_key(in, passphrase, &out->key, err);
        (void)BIO_reset(in);
        ERR_clear_error();
    }
    if (status == STATUS_OK) {
        status = read_pem_certificates(in, out->certs, err);
    }
    BIO_free(in);
    return status;
}

enum status smime_key_file_read(struct span file, const char *passphrase, bool want_key,
                                struct smime_key_file *file_out, struct error *err)
{
    *file_out = (struct smime_key_file){.certs = sk_X509_new_null()};
    if (!file_out->certs) {
        return error_set(err, STATUS_TEMPORARY, "key file: no memory");
    }
    if (file.len == 0 || file.len > SMIME_FILE_MAX) {
        return error_set(err, STATUS_INVALID, "key file: %zu bytes", file.len);
    }
    ERR_clear_error();
    enum status status = file.p[0] == IDENTIFIER_SEQUENCE
                             ? read_pkcs12(file, passphrase, file_out, err)
                             : read_pem(file, passphrase, want_key, file_out, err);
    if (status == STATUS_OK && want_key && !file_out->key) {
        status = error_set(err, STATUS_INVALID, "PKCS#12 file: no private key in it");
    }
    ERR_clear_error();
    return status;
}

void smime_key_file_free(struct smime_key_file *file)
{
    EVP_PKEY_free(file->key);
    sk_X509_pop_free(file->certs, X509_free);
    *file = (struct smime_key_file){0};
}
