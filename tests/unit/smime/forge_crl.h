/* CRLs made for tests. A failure ends the test program. */
#ifndef SEALGATE_TESTS_SMIME_FORGE_CRL_H
#define SEALGATE_TESTS_SMIME_FORGE_CRL_H

#include "tests/unit/smime/forge.h"

struct crl_order {
    const struct forged *issuer;
    int days_from, days_to; /* relative to FORGE_NOW; both 0: -1 to 30 */
    long serial;            /* revoked; 0: nothing is */
    struct forge_extension extension;
    bool no_next_update;
};

static inline X509_CRL *forge_crl(const struct crl_order *order)
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *time = ASN1_TIME_new();
    bool usual = order->days_from == 0 && order->days_to == 0;
    time_t from = FORGE_NOW + (time_t)(usual ? -1 : order->days_from) * FORGE_DAY;
    time_t to = FORGE_NOW + (time_t)(usual ? 30 : order->days_to) * FORGE_DAY;
    forge_must(crl && time && X509_CRL_set_version(crl, X509_CRL_VERSION_2) == 1);
    forge_must(X509_CRL_set_issuer_name(crl, X509_get_subject_name(order->issuer->cert)) == 1);
    forge_must(ASN1_TIME_set(time, from) && X509_CRL_set1_lastUpdate(crl, time) == 1);
    if (!order->no_next_update)
        forge_must(ASN1_TIME_set(time, to) && X509_CRL_set1_nextUpdate(crl, time) == 1);
    if (order->serial) {
        X509_REVOKED *entry = X509_REVOKED_new();
        ASN1_INTEGER *serial = ASN1_INTEGER_new();
        forge_must(ASN1_INTEGER_set(serial, order->serial) == 1);
        forge_must(ASN1_TIME_set(time, FORGE_NOW - 5 * FORGE_DAY) != NULL);
        forge_must(X509_REVOKED_set_serialNumber(entry, serial) == 1 &&
                   X509_REVOKED_set_revocationDate(entry, time) == 1 &&
                   X509_CRL_add0_revoked(crl, entry) == 1);
        ASN1_INTEGER_free(serial);
    }
    if (order->extension.nid) {
        X509_EXTENSION *extension =
            X509V3_EXT_conf_nid(NULL, NULL, order->extension.nid, order->extension.value);
        forge_must(extension && X509_CRL_add_ext(crl, extension, -1) == 1);
        X509_EXTENSION_free(extension);
    }
    forge_must(X509_CRL_sort(crl) == 1 && X509_CRL_sign(crl, order->issuer->key, EVP_sha256()) > 0);
    ASN1_TIME_free(time);
    return crl;
}

#endif
