#include "keystore/inspect.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Addresses of one certificate that are looked at. */
#define ADDRESSES_MAX 1000

static enum status no_memory(struct error *err)
{
    return error_set(err, STATUS_TEMPORARY, "out of memory for a certificate");
}

static bool knows(const struct finding *f, const struct address_keys *keys)
{
    for (size_t i = 0; i < f->n_keys; i++)
        if (strcmp(f->keys[i].exact, keys->exact) == 0)
            return true;
    return false;
}

/* Addresses as keys for the machine, and as written, joined by ", ", for people. */
static enum status take_addresses(struct finding *f, char *const *addresses, size_t n, struct error *err)
{
    struct buf text;

    if (n > ADDRESSES_MAX)
        return error_set(err, STATUS_LIMIT, "certificate %s names %zu addresses; at most %d are taken",
                         f->certificate.fingerprint, n, ADDRESSES_MAX);
    f->keys = calloc(n ? n : 1, sizeof *f->keys);
    if (!f->keys)
        return no_memory(err);
    buf_init(&text, ADDRESSES_MAX * ADDRESS_KEY_SIZE);
    for (size_t i = 0; i < n; i++) {
        struct address_keys keys;
        if (address_keys_make(addresses[i], &keys, NULL) != STATUS_OK || knows(f, &keys))
            continue;
        f->keys[f->n_keys++] = keys;
        buf_append_str(&text, text.len ? ", " : "");
        buf_append_str(&text, addresses[i]);
    }
    const char *joined = buf_str(&text);
    f->certificate.addresses = joined ? strdup(joined) : NULL;
    buf_free(&text);
    return f->certificate.addresses ? STATUS_OK : no_memory(err);
}

static enum status take_name(struct certificate *c, const char *name, struct error *err)
{
    if (name && !(c->name = strdup(name)))
        return no_memory(err);
    return STATUS_OK;
}

static enum status take_openpgp(const struct pgp_certificate_info *info, struct finding *f, struct error *err)
{
    struct certificate *c = &f->certificate;

    _Static_assert(sizeof c->fingerprint >= sizeof info->fingerprint, "fingerprints fit");
    _Static_assert(CERTIFICATE_KEYIDS_MAX >= PGP_SUBKEYS_MAX, "key IDs fit");
    snprintf(c->fingerprint, sizeof c->fingerprint, "%s", info->fingerprint);
    snprintf(c->algorithm, sizeof c->algorithm, "%s", info->algorithm);
    snprintf(c->reason, sizeof c->reason, "%s", info->reason);
    c->usable = info->fitness == PGP_USABLE;
    c->expires = info->expires;
    c->n_keyids = info->n_encryption_keyids;
    memcpy(c->keyids, info->encryption_keyids, c->n_keyids * sizeof c->keyids[0]);
    enum status st = take_name(c, info->user_id, err);
    return st == STATUS_OK ? take_addresses(f, info->addresses, info->n_addresses, err) : st;
}

static enum status inspect_openpgp(struct keystore *ks, struct span bytes, int64_t now, struct finding *f,
                                   struct error *err)
{
    struct pgp_certificate_info info;
    enum status st = pgp_certificate_inspect(ks->engine, bytes, now, &info, err);

    if (st != STATUS_OK)
        return st;
    st = take_openpgp(&info, f, err);
    pgp_certificate_info_free(&info);
    return st;
}

_Static_assert((int)CAPABILITY_AES256_GCM == (int)SMIME_CAPABILITY_AES256_GCM &&
                   (int)CAPABILITY_RSA_OAEP == (int)SMIME_CAPABILITY_RSA_OAEP,
               "one set of bits");

static enum status take_smime(const struct smime_certificate_info *info, struct finding *f, struct error *err)
{
    struct certificate *c = &f->certificate;

    snprintf(c->fingerprint, sizeof c->fingerprint, "%s", info->fingerprint);
    snprintf(c->algorithm, sizeof c->algorithm, "%s", info->algorithm);
    snprintf(c->reason, sizeof c->reason, "%s", info->reason);
    c->usable = info->fitness == SMIME_USABLE;
    c->expires = info->not_after;
    c->capabilities = info->capabilities;
    enum status st = take_name(c, info->subject, err);
    return st == STATUS_OK ? take_addresses(f, info->addresses, info->n_addresses, err) : st;
}

static enum status inspect_smime(struct keystore *ks, struct span bytes,
                                 const struct smime_certificates *intermediates, bool pinned, int64_t now,
                                 struct finding *f, struct error *err)
{
    struct smime_certificate_info info;
    enum status st = pinned
                         ? smime_certificate_inspect_pinned(bytes, ks->trust, intermediates, now, &info, err)
                         : smime_certificate_inspect(bytes, ks->trust, intermediates, now, &info, err);

    if (st != STATUS_OK)
        return st;
    st = take_smime(&info, f, err);
    smime_certificate_info_free(&info);
    return st;
}

/* What neither engine would promise by itself. */
static enum status check(struct certificate *c, size_t n_keys, struct error *err)
{
    if (c->fingerprint[0] == '\0')
        return error_set(err, STATUS_INVALID, "the certificate is damaged: %s", c->reason);
    if (c->usable && n_keys == 0) {
        c->usable = false;
        snprintf(c->reason, sizeof c->reason, "no valid mail address in it");
    }
    return STATUS_OK;
}

enum status keystore_inspect(struct keystore *ks, enum certificate_format format, struct span bytes,
                             const struct smime_certificates *intermediates, bool pinned, int64_t now,
                             struct finding *finding_out, struct error *err)
{
    struct certificate *c = &finding_out->certificate;
    enum status st;

    *finding_out = (struct finding){.certificate = {.format = format}};
    buf_init(&c->bytes, KEYSTORE_BYTES_MAX);
    if (format == CERTIFICATE_OPENPGP)
        st = inspect_openpgp(ks, bytes, now, finding_out, err);
    else
        st = inspect_smime(ks, bytes, intermediates, pinned, now, finding_out, err);
    if (st == STATUS_OK)
        st = check(c, finding_out->n_keys, err);
    if (st == STATUS_OK) {
        buf_append_span(&c->bytes, bytes);
        st = buf_check(&c->bytes, "a certificate", err);
    }
    if (st != STATUS_OK)
        keystore_finding_free(finding_out);
    return st;
}

void keystore_finding_free(struct finding *finding)
{
    certificate_free(&finding->certificate);
    free(finding->keys);
    *finding = (struct finding){0};
}

bool keystore_is_authority(struct span der)
{
    const unsigned char *p = (const unsigned char *)der.p;
    X509 *cert = d2i_X509(NULL, &p, (long)der.len);
    bool ca = cert && X509_get_extension_flags(cert) & EXFLAG_CA;

    X509_free(cert);
    ERR_clear_error();
    return ca;
}
