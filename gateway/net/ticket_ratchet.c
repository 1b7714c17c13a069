#include "gateway/net/ticket_ratchet.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <string.h>

/* HKDF-Expand: the secret is uniformly random, there is nothing to extract. */
static enum status expand(const uint8_t secret[TICKET_SECRET_SIZE], const char *info, void *out, size_t len,
                          struct error *err)
{
    int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)(uintptr_t) "SHA256", 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)secret, TICKET_SECRET_SIZE),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)info, strlen(info)),
        OSSL_PARAM_construct_end(),
    };
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    bool good = ctx && EVP_KDF_derive(ctx, out, len, params) == 1;
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    return good ? STATUS_OK : error_set(err, STATUS_TEMPORARY, "cannot derive the keys of session tickets");
}

enum status ticket_ratchet_start(struct ticket_ratchet *ratchet_out, int64_t epoch, struct error *err)
{
    ratchet_out->epoch = epoch;
    if (RAND_priv_bytes(ratchet_out->secret, sizeof ratchet_out->secret) != 1)
        return error_set(err, STATUS_TEMPORARY, "no random bytes for session tickets");
    return STATUS_OK;
}

enum status ticket_ratchet_advance(struct ticket_ratchet *ratchet, int64_t epoch, struct error *err)
{
    uint8_t next[TICKET_SECRET_SIZE];
    enum status st = STATUS_OK;
    while (st == STATUS_OK && ratchet->epoch < epoch) {
        st = expand(ratchet->secret, "sealgate session tickets: next secret", next, sizeof next, err);
        if (st != STATUS_OK)
            break;
        memcpy(ratchet->secret, next, sizeof next);
        ratchet->epoch++;
    }
    OPENSSL_cleanse(next, sizeof next);
    return st;
}

enum status ticket_ratchet_key(const struct ticket_ratchet *ratchet, struct ticket_key *key_out,
                               struct error *err)
{
    return expand(ratchet->secret, "sealgate session tickets: key", key_out, sizeof *key_out, err);
}
