/* What a TLS session to an MX host came to, in the words of reports (RFC 8460 §4.3). */
#ifndef SEALGATE_TLSRPT_RESULT_H
#define SEALGATE_TLSRPT_RESULT_H

enum tlsrpt_result {
    TLSRPT_SUCCESS,
    TLSRPT_STARTTLS_NOT_SUPPORTED,
    TLSRPT_CERTIFICATE_HOST_MISMATCH,
    TLSRPT_CERTIFICATE_EXPIRED,
    TLSRPT_CERTIFICATE_NOT_TRUSTED,
    TLSRPT_VALIDATION_FAILURE,
    TLSRPT_TLSA_INVALID,           /* TLSA records, of which none can be used */
    TLSRPT_DNSSEC_INVALID,         /* bogus, or no answer that would say */
    TLSRPT_DANE_REQUIRED,          /* dane-only, and the host has no TLSA records */
    TLSRPT_STS_POLICY_FETCH_ERROR, /* the three of the policy itself */
    TLSRPT_STS_POLICY_INVALID,
    TLSRPT_STS_WEBPKI_INVALID,
    TLSRPT_RESULTS,
};

/* "starttls-not-supported" …; "" for success. */
const char *tlsrpt_result_word(enum tlsrpt_result result);

/* Of a certificate that OpenSSL judged: CODE is X509_V_OK or one of X509_V_ERR_…. */
enum tlsrpt_result tlsrpt_result_of_certificate(long code);

#endif
