#include "smime/signer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/clock.h"
#include "smime/certificate.h"
#include "smime/chain.h"
#include "smime/fitness.h"
#include "smime/key_file.h"
#include "smime/token.h"

/* ---- algorithms ---- */

/* RFC 8551 §3.5.3.2 for the names; RFC 5753 §7.1.3 for digests that fit the curve. */
static enum status choose_digest(struct smime_signer *signer, struct error *err)
{
    struct smime_key key;
    smime_key_read(signer->cert, &key);
    if (key.problem) {
        return error_set(err, STATUS_INVALID, "key cannot be used for signing: %s (%s)",
                         key.type == SMIME_KEY_OTHER ? "only RSA and NIST or brainpool curves are supported"
                                                     : key.problem,
                         key.name);
    }
    int bits = key.type == SMIME_KEY_EC ? EVP_PKEY_get_bits(X509_get0_pubkey(signer->cert)) : 0;
    signer->digest = bits > 384 ? EVP_sha512() : bits > 256 ? EVP_sha384() : EVP_sha256();
    signer->micalg = bits > 384 ? "sha-512" : bits > 256 ? "sha-384" : "sha-256";
    return STATUS_OK;
}

static enum status set_fingerprint(struct smime_signer *signer, struct error *err)
{
    unsigned char md[EVP_MAX_MD_SIZE];
    unsigned int len = 0;
    if (X509_digest(signer->cert, EVP_sha256(), md, &len) != 1) {
        return smime_failure(err, STATUS_TEMPORARY, "no fingerprint");
    }
    for (unsigned int i = 0; i < len; i++) {
        snprintf(signer->fingerprint + 2 * i, 3, "%02X", md[i]);
    }
    return STATUS_OK;
}

/* ---- where they come from ---- */

static enum status add_certificates(const struct smime_key_file *file, STACK_OF(X509) * certs,
                                    struct error *err)
{
    return X509_add_certs(certs, file->certs, X509_ADD_FLAG_UP_REF) == 1
               ? STATUS_OK
               : smime_failure(err, STATUS_TEMPORARY, "certificates");
}

static enum status read_files(const struct smime_signer_settings *settings, struct smime_signer *signer,
                              STACK_OF(X509) * certs, struct error *err)
{
    struct smime_key_file file = {0};
    bool key_inside = settings->key.len == 0 && !settings->key_uri;
    enum status status = STATUS_OK;
    if (settings->certificate.len > 0) {
        status = smime_key_file_read(settings->certificate, settings->passphrase, key_inside, &file, err);
        if (status == STATUS_OK) {
            status = add_certificates(&file, certs, err);
        }
        if (status == STATUS_OK && key_inside) {
            signer->key = file.key;
            file.key = NULL;
        }
        smime_key_file_free(&file);
    }
    if (status == STATUS_OK && settings->key.len > 0) {
        status = smime_key_file_read(settings->key, settings->passphrase, true, &file, err);
        if (status == STATUS_OK) {
            status = add_certificates(&file, certs, err);
            signer->key = file.key;
            file.key = NULL;
        }
        smime_key_file_free(&file);
    }
    return status;
}

static char *copy_of(const char *text, bool *failed)
{
    char *copy = text ? strdup(text) : NULL;
    *failed = *failed || (text && !copy);
    return copy;
}

static enum status read_token(const struct smime_signer_settings *settings, struct smime_signer *signer,
                              STACK_OF(X509) * certs, struct error *err)
{
    const char *uri = settings->key_uri ? settings->key_uri : settings->certificate_uri;
    bool no_memory = false;
    if (!uri) {
        return STATUS_OK;
    }
    enum status status =
        smime_token_open(settings->pkcs11_module, uri, settings->passphrase, &signer->token, err);
    if (status == STATUS_OK && settings->certificate_uri) {
        status = smime_token_certificates(signer->token, settings->certificate_uri, certs, err);
    }
    if (status == STATUS_OK && !signer->key) {
        status = smime_token_key(signer->token, uri, &signer->key, err);
        signer->key_uri = copy_of(uri, &no_memory);
        signer->module = copy_of(settings->pkcs11_module, &no_memory);
        signer->pin = copy_of(settings->passphrase, &no_memory);
    }
    return status == STATUS_OK && no_memory ? error_set(err, STATUS_TEMPORARY, "no memory") : status;
}

static void drop_key(struct smime_signer *signer)
{
    EVP_PKEY_free(signer->key); /* before its token */
    smime_token_close(signer->token);
    signer->key = NULL;
    signer->token = NULL;
}

enum status smime_signer_reopen(struct smime_signer *signer, struct error *err)
{
    struct error why = {.status = STATUS_OK};
    drop_key(signer);
    ERR_clear_error();
    enum status status = smime_token_open(signer->module, signer->key_uri, signer->pin, &signer->token, &why);
    if (status == STATUS_OK) {
        status = smime_token_key(signer->token, signer->key_uri, &signer->key, &why);
    }
    if (status == STATUS_OK && X509_check_private_key(signer->cert, signer->key) != 1) {
        status = error_set(&why, STATUS_INVALID, "PKCS#11: the key of the URI is another one now");
    }
    ERR_clear_error();
    if (status != STATUS_OK) {
        drop_key(signer);
        /* it worked when the signer was opened */
        status = error_set(err, status == STATUS_DENIED ? STATUS_DENIED : STATUS_TEMPORARY,
                           "S/MIME signing with %s: %s", signer->name, why.text);
    }
    return status;
}

static enum status read_all(const struct smime_signer_settings *settings, struct smime_signer *signer,
                            struct error *err)
{
    STACK_OF(X509) *certs = sk_X509_new_null();
    enum status status = certs ? STATUS_OK : error_set(err, STATUS_TEMPORARY, "no memory");
    if (status == STATUS_OK) {
        status = read_files(settings, signer, certs, err);
    }
    if (status == STATUS_OK) {
        status = read_token(settings, signer, certs, err);
    }
    if (status == STATUS_OK && !signer->key) {
        status = error_set(err, STATUS_INVALID, "no key is given");
    }
    if (status == STATUS_OK) {
        status = smime_chain_find_own(signer, certs, err);
    }
    if (status == STATUS_OK) {
        status = smime_chain_find_issuers(signer, certs, err);
    }
    sk_X509_pop_free(certs, X509_free);
    return status;
}

enum status smime_signer_open(const struct smime_signer_settings *settings, struct smime_signer **signer_out,
                              struct error *err)
{
    *signer_out = NULL;
    struct smime_signer *signer = calloc(1, sizeof *signer);
    if (!signer || !(signer->name = strdup(settings->name))) {
        free(signer);
        return error_set(err, STATUS_TEMPORARY, "S/MIME signing: no memory");
    }
    ERR_clear_error();
    signer->capabilities = settings->capabilities;
    enum status status = read_all(settings, signer, err);
    if (status == STATUS_OK) {
        status = choose_digest(signer, err);
    }
    if (status == STATUS_OK) {
        status = set_fingerprint(signer, err);
    }
    ERR_clear_error();
    if (status != STATUS_OK) {
        smime_signer_close(signer);
        return error_prefix(err, "S/MIME signing with %s", settings->name);
    }
    *signer_out = signer;
    return STATUS_OK;
}

void smime_signer_close(struct smime_signer *signer)
{
    if (signer) {
        drop_key(signer);
        if (signer->pin) {
            explicit_bzero(signer->pin, strlen(signer->pin));
        }
        free(signer->pin);
        free(signer->key_uri);
        free(signer->module);
        X509_free(signer->cert);
        sk_X509_pop_free(signer->chain, X509_free);
        free(signer->name);
        free(signer);
    }
}

const char *smime_signer_fingerprint(const struct smime_signer *signer)
{
    return signer->fingerprint;
}

/* ---- may it sign? ---- */

static bool seconds(const ASN1_TIME *time, int64_t *out)
{
    struct tm tm = {0};
    bool good = time && ASN1_TIME_to_tm(time, &tm) == 1;
    *out = good ? (int64_t)timegm(&tm) : 0;
    return good;
}

int64_t smime_signer_expires(const struct smime_signer *signer)
{
    int64_t first = 0;
    int64_t to = 0;
    if (!seconds(X509_get0_notAfter(signer->cert), &first)) {
        return 0;
    }
    for (int i = 0; i < sk_X509_num(signer->chain); i++) {
        if (seconds(X509_get0_notAfter(sk_X509_value(signer->chain, i)), &to) && to < first) {
            first = to;
        }
    }
    return first;
}

static const char *usage_problem(X509 *cert)
{
    if (X509_get_extension_flags(cert) & (EXFLAG_INVALID | EXFLAG_CRITICAL)) {
        return "an extension of its certificate is damaged or not known here";
    }
    if (X509_get_extension_flags(cert) & EXFLAG_CA) {
        return "its certificate is a certificate authority's";
    }
    if (!(X509_get_key_usage(cert) & (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION))) {
        return "key usage does not allow signatures (digitalSignature)"; /* RFC 8550 §4.4.2 */
    }
    if (!smime_fitness_eku_allows_mail(cert)) {
        return "extended key usage does not allow mail (emailProtection)";
    }
    return NULL;
}

enum status smime_signer_check(const struct smime_signer *signer, int64_t now, struct error *err)
{
    int64_t from = 0;
    int64_t to = 0;
    char day[CLOCK_ISO_SIZE] = "";
    const char *problem = usage_problem(signer->cert);
    if (!problem && (!seconds(X509_get0_notBefore(signer->cert), &from) ||
                     !seconds(X509_get0_notAfter(signer->cert), &to))) {
        problem = "the dates of its certificate are damaged";
    } else if (!problem && now < from) {
        clock_iso(from * 1000, day);
        problem = "its certificate is not valid before ";
    } else if (!problem && now > to) {
        clock_iso(to * 1000, day);
        problem = "its certificate expired on ";
    }
    ERR_clear_error();
    return problem
               ? error_set(err, STATUS_DENIED, "S/MIME signing with %s: %s%.10s", signer->name, problem, day)
               : STATUS_OK;
}
