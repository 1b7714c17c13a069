#include "smime/capabilities.h"

#include <stdbool.h>

#include <openssl/err.h>
#include <openssl/rsa.h>

#include "smime/smime.h"

static int digest_of(const RSA_OAEP_PARAMS *params)
{
    const ASN1_OBJECT *digest = NULL;
    if (!params || !params->hashFunc) {
        return NID_sha1; /* RFC 8017 A.2.1: the default */
    }
    X509_ALGOR_get0(&digest, NULL, NULL, params->hashFunc);
    return OBJ_obj2nid(digest);
}

static bool is_oaep_sha256(const X509_ALGOR *algorithm)
{
    const ASN1_OBJECT *oid = NULL;
    const void *value = NULL;
    int type = V_ASN1_UNDEF;
    X509_ALGOR_get0(&oid, &type, &value, algorithm);
    if (OBJ_obj2nid(oid) != NID_rsaesOaep || type != V_ASN1_SEQUENCE) {
        return false;
    }
    RSA_OAEP_PARAMS *params =
        ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(RSA_OAEP_PARAMS), algorithm->parameter);
    bool sha256 = digest_of(params) == NID_sha256;
    RSA_OAEP_PARAMS_free(params);
    return sha256;
}

static unsigned capability_of(const X509_ALGOR *algorithm)
{
    const ASN1_OBJECT *oid = NULL;
    X509_ALGOR_get0(&oid, NULL, NULL, algorithm);
    if (OBJ_obj2nid(oid) == NID_aes_256_gcm) {
        return SMIME_CAPABILITY_AES256_GCM;
    }
    return is_oaep_sha256(algorithm) ? SMIME_CAPABILITY_RSA_OAEP : 0;
}

unsigned smime_capabilities_read(struct span der)
{
    const unsigned char *p = (const unsigned char *)der.p;
    X509_ALGORS *list = der.len <= SMIME_CERTIFICATE_MAX ? d2i_X509_ALGORS(NULL, &p, (long)der.len) : NULL;
    unsigned found = 0;
    if (list && p == (const unsigned char *)der.p + der.len) {
        for (int i = 0; i < sk_X509_ALGOR_num(list); i++) {
            found |= capability_of(sk_X509_ALGOR_value(list, i));
        }
    }
    sk_X509_ALGOR_pop_free(list, X509_ALGOR_free);
    ERR_clear_error();
    return found;
}

static unsigned read_string(const ASN1_STRING *s)
{
    return s ? smime_capabilities_read(span_of(ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s))) : 0;
}

unsigned smime_capabilities_of_certificate(const X509 *cert)
{
    int at = X509_get_ext_by_NID(cert, NID_SMIMECapabilities, -1);
    if (at < 0 || X509_get_ext_by_NID(cert, NID_SMIMECapabilities, at) >= 0) {
        return 0;
    }
    return read_string(X509_EXTENSION_get_data(X509_get_ext(cert, at)));
}

unsigned smime_capabilities_of_signer(const CMS_SignerInfo *signer)
{
    int at = CMS_signed_get_attr_by_NID(signer, NID_SMIMECapabilities, -1);
    X509_ATTRIBUTE *attribute = at >= 0 ? CMS_signed_get_attr(signer, at) : NULL;
    if (!attribute || X509_ATTRIBUTE_count(attribute) != 1 ||
        CMS_signed_get_attr_by_NID(signer, NID_SMIMECapabilities, at) >= 0) {
        return 0;
    }
    unsigned found = read_string(X509_ATTRIBUTE_get0_data(attribute, 0, V_ASN1_SEQUENCE, NULL));
    ERR_clear_error();
    return found;
}
