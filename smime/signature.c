#include "smime/signature.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#define WRITE_MAX (1u << 20) /* bytes given to OpenSSL at once: some of it counts in int */
#define DIGEST_MIN 32        /* bytes: SHA-256 */

bool smime_write_pieces(BIO *to, struct spans pieces)
{
    for (size_t i = 0; i < pieces.n; i++) {
        struct span rest = pieces.items[i];
        while (rest.len > 0) {
            size_t part = rest.len < WRITE_MAX ? rest.len : WRITE_MAX;
            size_t written = 0;
            if (BIO_write_ex(to, rest.p, part, &written) != 1 || written == 0) {
                return false;
            }
            rest = span_of(rest.p + written, rest.len - written);
        }
    }
    return true;
}

static const EVP_MD *digest_of(CMS_SignerInfo *signer)
{
    X509_ALGOR *algorithm = NULL;
    const ASN1_OBJECT *oid = NULL;
    CMS_SignerInfo_get0_algs(signer, NULL, NULL, &algorithm, NULL);
    X509_ALGOR_get0(&oid, NULL, NULL, algorithm);
    return EVP_get_digestbyobj(oid);
}

static bool content_matches(CMS_SignerInfo *signer, const EVP_MD *digest, struct spans content)
{
    BIO *md = BIO_new(BIO_f_md());
    BIO *end = BIO_new(BIO_s_null());
    bool good = md && end && BIO_set_md(md, digest) == 1;
    if (good) {
        BIO_push(md, end);
        good = smime_write_pieces(md, content) && CMS_SignerInfo_verify_content(signer, md) == 1;
        BIO_pop(md);
    }
    BIO_free(md);
    BIO_free(end);
    return good;
}

enum status smime_signature_verify(CMS_SignerInfo *signer, struct spans content, struct error *err)
{
    const EVP_MD *digest = digest_of(signer);
    const char *problem = NULL;
    if (!digest || EVP_MD_get_size(digest) < DIGEST_MIN) {
        problem = "its digest is unknown or too weak (SHA-256 is the least)";
    } else if (CMS_signed_get_attr_count(signer) <= 0) {
        problem = "its signature covers no attributes";
    } else if (CMS_SignerInfo_verify(signer) != 1) {
        problem = "its signature does not hold";
    } else if (!content_matches(signer, digest, content)) {
        problem = "it was changed after it was signed, the signature does not hold";
    }
    ERR_clear_error();
    return problem ? error_set(err, STATUS_INVALID, "%s", problem) : STATUS_OK;
}
