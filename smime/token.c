#include "smime/token.h"

#include <stdlib.h>
#include <string.h>

#include <libp11.h>
#include <openssl/err.h>
#include <p11-kit/p11-kit.h>
#include <p11-kit/uri.h>

#include "smime/certificate.h"

struct smime_token {
    PKCS11_CTX *ctx;
    bool loaded;
    PKCS11_SLOT *slots;
    unsigned n_slots;
    PKCS11_SLOT *slot; /* the one that was named; points into SLOTS */
};

/* ---- URIs (RFC 7512) ---- */

static enum status parse_uri(const char *text, P11KitUri **uri_out, struct error *err)
{
    P11KitUri *uri = p11_kit_uri_new();
    const char *problem = NULL;
    *uri_out = NULL;
    if (!uri) {
        return error_set(err, STATUS_TEMPORARY, "PKCS#11 URI: no memory");
    }
    int result = p11_kit_uri_parse(text, P11_KIT_URI_FOR_OBJECT_ON_TOKEN, uri);
    if (result != P11_KIT_URI_OK) {
        problem = p11_kit_uri_message(result);
    } else if (p11_kit_uri_any_unrecognized(uri)) {
        problem = "an attribute in it is not known";
    } else if (p11_kit_uri_get_pin_value(uri) || p11_kit_uri_get_pin_source(uri)) {
        problem = "the PIN belongs into the passphrase file, not into the URI";
    }
    if (problem) {
        p11_kit_uri_free(uri);
        return error_set(err, STATUS_INVALID, "PKCS#11 URI: %s", problem);
    }
    *uri_out = uri;
    return STATUS_OK;
}

/* CK_TOKEN_INFO has fields of fixed size that are filled with spaces. */
static void fill(unsigned char *field, size_t size, const char *text)
{
    size_t len = text ? strnlen(text, size) : 0;
    memset(field, ' ', size);
    if (len > 0) {
        memcpy(field, text, len);
    }
}

static bool names_token(P11KitUri *uri, const PKCS11_TOKEN *token)
{
    CK_TOKEN_INFO info = {0};
    fill(info.label, sizeof info.label, token->label);
    fill(info.manufacturerID, sizeof info.manufacturerID, token->manufacturer);
    fill(info.model, sizeof info.model, token->model);
    fill(info.serialNumber, sizeof info.serialNumber, token->serialnr);
    return p11_kit_uri_match_token_info(uri, &info) == 1;
}

static bool names_object(P11KitUri *uri, CK_OBJECT_CLASS class, const unsigned char *id, size_t id_len,
                         const char *label)
{
    CK_ATTRIBUTE attributes[] = {
        {CKA_CLASS, &class, sizeof class},
        {CKA_ID, (void *)id, id_len},
        {CKA_LABEL, (void *)label, label ? strlen(label) : 0},
    };
    /* the class in a URI is only a hint: one "pkcs11:id=…" names both certificate and key */
    p11_kit_uri_clear_attribute(uri, CKA_CLASS);
    return p11_kit_uri_match_attributes(uri, attributes, sizeof attributes / sizeof attributes[0]) == 1;
}

/* ---- open ---- */

static enum status load(const char *module, struct smime_token *token, struct error *err)
{
    if (!module) {
        return error_set(err, STATUS_INVALID, "PKCS#11: no module is configured");
    }
    token->ctx = PKCS11_CTX_new();
    if (!token->ctx) {
        return smime_failure(err, STATUS_TEMPORARY, "PKCS#11");
    }
    if (PKCS11_CTX_load(token->ctx, module) != 0) {
        ERR_clear_error();
        return error_set(err, STATUS_INVALID, "PKCS#11 module %s cannot be loaded", module);
    }
    token->loaded = true;
    return PKCS11_enumerate_slots(token->ctx, &token->slots, &token->n_slots) == 0
               ? STATUS_OK
               : smime_failure(err, STATUS_TEMPORARY, "PKCS#11: the module does not answer");
}

static enum status find_slot(struct smime_token *token, P11KitUri *uri, struct error *err)
{
    for (unsigned i = 0; i < token->n_slots; i++) {
        PKCS11_SLOT *slot = &token->slots[i];
        if (!slot->token || !slot->token->initialized || !names_token(uri, slot->token)) {
            continue;
        }
        if (token->slot) {
            return error_set(err, STATUS_INVALID, "PKCS#11: the URI names several tokens, add \"token=\"");
        }
        token->slot = slot;
    }
    return token->slot ? STATUS_OK
                       : error_set(err, STATUS_TEMPORARY, "PKCS#11: the token of the URI is not there");
}

static enum status log_in(struct smime_token *token, const char *pin, struct error *err)
{
    const PKCS11_TOKEN *info = token->slot->token;
    if (!info->loginRequired) {
        return STATUS_OK;
    }
    if (!pin) {
        return error_set(err, STATUS_INVALID, "PKCS#11: the token wants a PIN and none is configured");
    }
    if (info->userPinLocked) {
        return error_set(err, STATUS_DENIED, "PKCS#11: the PIN of the token is locked");
    }
    if (info->userPinFinalTry) {
        return error_set(
            err, STATUS_DENIED,
            "PKCS#11: one try for the PIN is left and is not used up here: correct the PIN, then "
            "log in once with another program");
    }
    if (PKCS11_login(token->slot, 0, pin) == 0) {
        return STATUS_OK;
    }
    unsigned long code = ERR_peek_last_error();
    CK_RV reason = ERR_GET_LIB(code) == ERR_get_CKR_code() ? (CK_RV)ERR_GET_REASON(code) : CKR_OK;
    ERR_clear_error();
    if (reason == CKR_PIN_INCORRECT || reason == CKR_PIN_INVALID || reason == CKR_PIN_LEN_RANGE) {
        return error_set(err, STATUS_DENIED, "PKCS#11: the PIN is wrong");
    }
    if (reason == CKR_PIN_LOCKED) {
        return error_set(err, STATUS_DENIED, "PKCS#11: the PIN of the token is locked");
    }
    return error_set(err, STATUS_TEMPORARY, "PKCS#11: the token does not let us log in (0x%lx)", reason);
}

enum status smime_token_open(const char *module, const char *uri, const char *pin,
                             struct smime_token **token_out, struct error *err)
{
    P11KitUri *parsed = NULL;
    struct smime_token *token = calloc(1, sizeof *token);
    *token_out = NULL;
    if (!token) {
        return error_set(err, STATUS_TEMPORARY, "PKCS#11: no memory");
    }
    enum status status = parse_uri(uri, &parsed, err);
    if (status == STATUS_OK) {
        status = load(module, token, err);
    }
    if (status == STATUS_OK) {
        status = find_slot(token, parsed, err);
    }
    if (status == STATUS_OK) {
        status = log_in(token, pin, err);
    }
    p11_kit_uri_free(parsed);
    if (status != STATUS_OK) {
        smime_token_close(token);
        return status;
    }
    *token_out = token;
    return STATUS_OK;
}

void smime_token_close(struct smime_token *token)
{
    if (!token) {
        return;
    }
    if (token->slots) {
        PKCS11_release_all_slots(token->ctx, token->slots, token->n_slots);
    }
    if (token->loaded) {
        PKCS11_CTX_unload(token->ctx);
    }
    if (token->ctx) {
        PKCS11_CTX_free(token->ctx);
    }
    ERR_clear_error();
    free(token);
}

/* ---- objects ---- */

static enum status push(STACK_OF(X509) * certs, X509 *cert, struct error *err)
{
    return X509_add_cert(certs, cert, X509_ADD_FLAG_UP_REF | X509_ADD_FLAG_NO_DUP) == 1
               ? STATUS_OK
               : smime_failure(err, STATUS_TEMPORARY, "PKCS#11 certificate");
}

/* Named ones first (WANTED), then the rest. */
static enum status add_certificates(const PKCS11_CERT *found, unsigned n, P11KitUri *uri, bool wanted,
                                    STACK_OF(X509) * certs, unsigned *added_out, struct error *err)
{
    enum status status = STATUS_OK;
    *added_out = 0;
    for (unsigned i = 0; status == STATUS_OK && i < n; i++) {
        const PKCS11_CERT *c = &found[i];
        if (c->x509 && names_object(uri, CKO_CERTIFICATE, c->id, c->id_len, c->label) == wanted) {
            status = push(certs, c->x509, err);
            ++*added_out;
        }
    }
    return status;
}

enum status smime_token_certificates(struct smime_token *token, const char *uri, STACK_OF(X509) * certs,
                                     struct error *err)
{
    P11KitUri *parsed = NULL;
    PKCS11_CERT *found = NULL;
    unsigned n = 0;
    unsigned added = 0;
    enum status status = parse_uri(uri, &parsed, err);
    if (status == STATUS_OK && PKCS11_enumerate_certs(token->slot->token, &found, &n) != 0) {
        status = smime_failure(err, STATUS_TEMPORARY, "PKCS#11: the token does not list its certificates");
    }
    if (status == STATUS_OK) {
        status = add_certificates(found, n, parsed, true, certs, &added, err);
    }
    if (status == STATUS_OK && added == 0) {
        status = error_set(err, STATUS_INVALID, "PKCS#11: the certificate of the URI is not on the token");
    }
    if (status == STATUS_OK) {
        status = add_certificates(found, n, parsed, false, certs, &added, err);
    }
    p11_kit_uri_free(parsed);
    return status;
}

static enum status find_key(PKCS11_KEY *keys, unsigned n, P11KitUri *uri, PKCS11_KEY **key_out,
                            struct error *err)
{
    *key_out = NULL;
    for (unsigned i = 0; i < n; i++) {
        if (!names_object(uri, CKO_PRIVATE_KEY, keys[i].id, keys[i].id_len, keys[i].label)) {
            continue;
        }
        if (*key_out) {
            return error_set(err, STATUS_INVALID, "PKCS#11: the URI names several keys, add \"id=\"");
        }
        *key_out = &keys[i];
    }
    return *key_out ? STATUS_OK
                    : error_set(err, STATUS_INVALID, "PKCS#11: the key of the URI is not on the token");
}

enum status smime_token_key(struct smime_token *token, const char *uri, EVP_PKEY **key_out, struct error *err)
{
    P11KitUri *parsed = NULL;
    PKCS11_KEY *keys = NULL;
    PKCS11_KEY *key = NULL;
    unsigned n = 0;
    enum status status = parse_uri(uri, &parsed, err);
    *key_out = NULL;
    if (status == STATUS_OK && PKCS11_enumerate_keys(token->slot->token, &keys, &n) != 0) {
        status = smime_failure(err, STATUS_TEMPORARY, "PKCS#11: the token does not list its keys");
    }
    if (status == STATUS_OK) {
        status = find_key(keys, n, parsed, &key, err);
    }
    if (status == STATUS_OK && !(*key_out = PKCS11_get_private_key(key))) {
        status = smime_failure(err, STATUS_INVALID, "PKCS#11: the key cannot be used (RSA or EC is wanted)");
    }
    p11_kit_uri_free(parsed);
    return status;
}
