#include "smime/signed_form.h"

#include <stdio.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>

#include "smime/ber.h"

#define MICALG_SIZE 40

/* Functions that read a piece of the message return NULL, or what is wrong with it. */

static bool is_oid(struct smime_der d, int nid)
{
    smime_der_take_oid(&d, nid);
    return !d.failed;
}

/* Is the digest in ALGORITHM the one that NAME is for OpenSSL: "sha-256", "sha256", or its OID? */
static bool is_digest(struct smime_der algorithm, struct span name)
{
    char text[MICALG_SIZE];
    int len = snprintf(text, sizeof text, "%.*s", (int)name.len, name.p ? name.p : "");
    EVP_MD *digest = len > 0 && len < MICALG_SIZE ? EVP_MD_fetch(NULL, text, NULL) : NULL;
    bool same = digest && is_oid(algorithm, EVP_MD_get_type(digest));
    EVP_MD_free(digest);
    ERR_clear_error();
    return same;
}

static bool is_named(struct smime_der algorithm, struct span micalg)
{
    while (micalg.len > 0) {
        const char *comma = memchr(micalg.p, ',', micalg.len);
        struct span name = span_of(micalg.p, comma ? (size_t)(comma - micalg.p) : micalg.len);
        if (is_digest(algorithm, span_trim(name))) {
            return true;
        }
        span_skip(&micalg, name.len + (comma ? 1 : 0));
    }
    return false;
}

/* RFC 5652 §5.3. */
static const char *read_signer(struct smime_der info, struct span micalg, bool *named)
{
    smime_ber_take(&info, SMIME_DER_INTEGER);
    bool by_key = smime_der_is(&info, SMIME_DER_IMPLICIT_0);
    struct smime_der id = smime_ber_take(&info, by_key ? SMIME_DER_IMPLICIT_0 : SMIME_DER_SEQUENCE);
    struct smime_der digest = smime_ber_take(&info, SMIME_DER_SEQUENCE);
    smime_ber_skip_optional(&info, SMIME_DER_CONSTRUCTED_0);
    smime_ber_take(&info, SMIME_DER_SEQUENCE);
    struct smime_der value = smime_ber_take(&info, SMIME_DER_OCTET_STRING);
    smime_ber_skip_optional(&info, SMIME_DER_CONSTRUCTED_1);
    if (!smime_der_done(&info) || id.len == 0 || value.len == 0) {
        return "a SignerInfo is damaged";
    }
    *named = *named || is_named(digest, micalg);
    return NULL;
}

static const char *read_content(struct smime_der content, bool detached)
{
    smime_ber_take(&content, SMIME_DER_OID);
    bool there = content.len > 0;
    struct smime_der explicit = content;
    if (there) {
        explicit = smime_ber_take(&content, SMIME_DER_CONSTRUCTED_0);
    }
    if (!smime_der_done(&content) || (there && explicit.len == 0)) {
        return "its content is damaged";
    }
    if (there == detached) {
        return there ? "it holds its content, which stands beside it" : "it has no content";
    }
    return NULL;
}

/* RFC 5652 §5.1. */
static const char *read_signed(struct smime_der data, bool detached, struct span micalg)
{
    bool named = false;
    smime_ber_take(&data, SMIME_DER_INTEGER);
    smime_ber_take(&data, SMIME_DER_SET);
    struct smime_der content = smime_ber_take(&data, SMIME_DER_SEQUENCE);
    smime_ber_skip_optional(&data, SMIME_DER_CONSTRUCTED_0);
    smime_ber_skip_optional(&data, SMIME_DER_CONSTRUCTED_1);
    struct smime_der infos = smime_ber_take(&data, SMIME_DER_SET);
    if (!smime_der_done(&data)) {
        return "it is damaged or cut off";
    }
    const char *problem = infos.len > 0 ? read_content(content, detached) : "nobody signed it";
    while (infos.len > 0 && !problem) {
        struct smime_der info = smime_ber_take(&infos, SMIME_DER_SEQUENCE);
        problem = infos.failed ? "a SignerInfo is damaged" : read_signer(info, micalg, &named);
    }
    return problem || !detached || named ? problem : "micalg names another digest";
}

static const char *read_info(struct span bytes, bool detached, struct span micalg)
{
    struct smime_der all = smime_der_of(bytes);
    struct smime_der info = smime_ber_take(&all, SMIME_DER_SEQUENCE);
    if (!smime_der_done(&all)) {
        return all.failed ? "it is damaged or cut off" : "bytes stand behind it";
    }
    bool is_signed = is_oid(info, NID_pkcs7_signed);
    smime_ber_take(&info, SMIME_DER_OID);
    struct smime_der explicit = smime_ber_take(&info, SMIME_DER_CONSTRUCTED_0);
    struct smime_der content = smime_ber_take(&explicit, SMIME_DER_SEQUENCE);
    if (!smime_der_done(&info) || !smime_der_done(&explicit) || !is_signed) {
        return "it is no SignedData";
    }
    return read_signed(content, detached, micalg);
}

enum status smime_signed_form_check(struct span bytes, bool detached, struct span micalg, struct error *err)
{
    const char *problem = read_info(bytes, detached, micalg);
    return problem ? error_set(err, STATUS_INVALID, "no S/MIME signature: %s", problem) : STATUS_OK;
}
