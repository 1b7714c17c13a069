#include "gateway/tlsrpt/result.h"

#include <openssl/x509_vfy.h>

const char *tlsrpt_result_word(enum tlsrpt_result result)
{
    static const char *const words[TLSRPT_RESULTS] = {
        [TLSRPT_SUCCESS] = "",
        [TLSRPT_STARTTLS_NOT_SUPPORTED] = "starttls-not-supported",
        [TLSRPT_CERTIFICATE_HOST_MISMATCH] = "certificate-host-mismatch",
        [TLSRPT_CERTIFICATE_EXPIRED] = "certificate-expired",
        [TLSRPT_CERTIFICATE_NOT_TRUSTED] = "certificate-not-trusted",
        [TLSRPT_VALIDATION_FAILURE] = "validation-failure",
        [TLSRPT_TLSA_INVALID] = "tlsa-invalid",
        [TLSRPT_DNSSEC_INVALID] = "dnssec-invalid",
        [TLSRPT_DANE_REQUIRED] = "dane-required",
        [TLSRPT_STS_POLICY_FETCH_ERROR] = "sts-policy-fetch-error",
        [TLSRPT_STS_POLICY_INVALID] = "sts-policy-invalid",
        [TLSRPT_STS_WEBPKI_INVALID] = "sts-webpki-invalid",
    };
    return words[result];
}

enum tlsrpt_result tlsrpt_result_of_certificate(long code)
{
    switch (code) {
    case X509_V_OK:
        return TLSRPT_SUCCESS;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return TLSRPT_CERTIFICATE_HOST_MISMATCH;
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return TLSRPT_CERTIFICATE_EXPIRED;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
    case X509_V_ERR_CERT_NOT_YET_VALID:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_CHAIN_TOO_LONG:
    case X509_V_ERR_CERT_REVOKED:
    case X509_V_ERR_INVALID_CA:
    case X509_V_ERR_PATH_LENGTH_EXCEEDED:
    case X509_V_ERR_INVALID_PURPOSE:
    case X509_V_ERR_CERT_UNTRUSTED:
    case X509_V_ERR_CERT_REJECTED:
    case X509_V_ERR_PERMITTED_VIOLATION:
    case X509_V_ERR_EXCLUDED_VIOLATION:
    case X509_V_ERR_CA_KEY_TOO_SMALL:
    case X509_V_ERR_CA_MD_TOO_WEAK:
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_DANE_NO_MATCH:
        return TLSRPT_CERTIFICATE_NOT_TRUSTED;
    default:
        return TLSRPT_VALIDATION_FAILURE;
    }
}
