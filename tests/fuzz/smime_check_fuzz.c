/*
 * Input, by its first byte:
 *   'M'  size of the pieces it is fed in (one byte); edits of a sealed message (offset, two bytes; value, one
 *        byte; …), then smime_check
 *   'C'  size of the pieces; a message as it is for smime_check
 *   else a file for smime_certificates_split; each certificate found is inspected and, when usable, encrypted
 * to
 */
#include <stdlib.h>
#include <string.h>

#include <openssl/cms.h>
#include <openssl/evp.h>

#include "smime/smime.h"

#define NOW 1790000000
#define BYTES_MAX 1024
#define CERTIFICATES_MAX 8

/* A P-256 certificate in base64. */
static const char certificate[] =
    "MIIBHjCB0aADAgECAgEDMAUGAytlcDASMRAwDgYDVQQDDAdUZXN0IENBMB4XDTI2MDkxMTE0MTMyMFoXDTI3MDkyMTE0MTMy"
    "MFowDzENMAsGA1UEAwwEVGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABHqEsq5aN5X5JAnUTbmDiFkONNcSlUs8R5gU"
    "DsxL1t0OPSK9fjn6oo5PtF2g2z1QT7EZeJyaEZDroU6cVWOsxKqjIDAeMBwGA1UdEQQVMBOBEWFsaWNlQGV4YW1wbGUub3Jn"
    "MAUGAytlcANBAOmYEZsEo1uQIv1iwct9h+7NyB6tPDAAbbVES8E8F8Alcm6OyLYKQNU5+ZMlL2Q8bKNtNFTzftvk7EuiBLL+"
    "kA8=";

/* "hello" sealed to it. */
static const char message[] =
    "MIIBDAYJKoZIhvcNAQcDoIH+MIH7AgECMYG3oYG0AgEDoFGhTzAJBgcqhkjOPQIBA0IABJ0VnNStiKN/ShdW5TidpzzKNzJd"
    "26pKgMYy6b0hAGpqJUSLSyqBH24eE4Yf24svhonmT+Ihio6iVbQ8btvI7+wwFQYGK4EEAQsBMAsGCWCGSAFlAwQBLTBFMEMw"
    "FzASMRAwDgYDVQQDDAdUZXN0IENBAgEDBCjHugEzq7WSIjJsYxrwKh0mmpKAif2EM4QkBrKASnTSkOgMRPjm0UAiMDwGCSqG"
    "SIb3DQEHATAdBglghkgBZQMEASoEEKaM82YQW+vr3cNVOtuF0YOAEGpWqP0bF7BWKlWUs9E62BY=";

#define PLAINTEXT_LEN 5

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Decodes TEXT to OUT; returns its length. */
static size_t decode(const char *text, unsigned char out[BYTES_MAX])
{
    int len = EVP_DecodeBlock(out, (const unsigned char *)text, (int)strlen(text));
    if (len < 0) {
        abort();
    }
    size_t padding = 0;
    for (size_t at = strlen(text); text[at - 1] == '='; at--) {
        padding++;
    }
    return (size_t)len - padding;
}

static enum status feed(struct smime_check *checking, struct span der, size_t step, struct error *err)
{
    enum status status = STATUS_OK;
    while (status == STATUS_OK && der.len > 0) {
        size_t part = der.len < step ? der.len : step;
        status = smime_check_feed(checking, span_of(der.p, part), err);
        der = span_of(der.p + part, der.len - part);
    }
    return status;
}

static enum status check_pieces(struct span der, struct span cert, size_t step, struct error *err)
{
    const struct smime_recipient recipient = {.certificate = cert};
    const struct smime_order order = {.recipients = &recipient, .n = 1};
    struct smime_check *checking = NULL;
    enum status status = smime_check_start(&order, PLAINTEXT_LEN, &checking, err);
    if (status != STATUS_OK) {
        return status;
    }
    status = feed(checking, der, step, err);
    if (status != STATUS_OK) {
        smime_check_free(checking);
        return status;
    }
    return smime_check_end(checking, err);
}

/* Whatever is accepted, OpenSSL must read as an EnvelopedData with the one recipient; the pieces make no
 * difference. */
static void check(struct span der, size_t step)
{
    unsigned char bytes[BYTES_MAX];
    struct span cert = span_of(bytes, decode(certificate, bytes));
    struct error err;
    enum status whole = check_pieces(der, cert, SIZE_MAX, &err);
    if (check_pieces(der, cert, step, &err) != whole) {
        abort();
    }
    if (whole != STATUS_OK) {
        return;
    }
    const unsigned char *p = (const unsigned char *)der.p;
    CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &p, (long)der.len);
    if (!cms || p != (const unsigned char *)der.p + der.len ||
        OBJ_obj2nid(CMS_get0_type(cms)) != NID_pkcs7_enveloped ||
        sk_CMS_RecipientInfo_num(CMS_get0_RecipientInfos(cms)) != 1 ||
        ASN1_STRING_length(*CMS_get0_content(cms)) != 16) {
        abort();
    }
    CMS_ContentInfo_free(cms);
}

static void check_edited(const uint8_t *edits, size_t size, size_t step)
{
    unsigned char bytes[BYTES_MAX];
    size_t len = decode(message, bytes);
    for (; size >= 3; edits += 3, size -= 3) {
        bytes[((size_t)edits[0] << 8 | edits[1]) % len] = edits[2];
    }
    check(span_of(bytes, len), step);
}

static void encrypt(struct span cert)
{
    struct buf out;
    struct error err;
    buf_init(&out, 1u << 18);
    struct sink sink = sink_to_buf(&out);
    struct span plaintext = span_str("hello");
    const struct smime_recipient recipient = {.certificate = cert};
    const struct smime_order order = {.recipients = &recipient, .n = 1};
    if (smime_encrypt(&order, (struct spans){&plaintext, 1}, &sink, &err) == STATUS_OK &&
        check_pieces(buf_span(&out), cert, SIZE_MAX, &err) == STATUS_INTERNAL) { /* INVALID: cert is BER */
        abort();
    }
    buf_free(&out);
}

static void inspect(struct span der)
{
    struct smime_certificate_info info;
    struct error err;
    if (smime_certificate_inspect(der, NULL, NULL, NOW, &info, &err) != STATUS_OK) {
        return;
    }
    if ((info.fitness == SMIME_USABLE) != (info.reason[0] == 0) || !info.subject || !info.issuer ||
        !info.serial) {
        abort();
    }
    if (info.fitness == SMIME_USABLE) {
        encrypt(der);
    }
    smime_certificate_info_free(&info);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 1 && data[0] == 'M') {
        check_edited(data + 2, size - 2, data[1] + 1u);
        return 0;
    }
    if (size > 1 && data[0] == 'C') {
        check(span_of(data + 2, size - 2), data[1] + 1u);
        return 0;
    }
    struct smime_certificates list;
    struct error err;
    inspect(span_of(data, size));
    if (smime_certificates_split(span_of(data, size), CERTIFICATES_MAX, &list, &err) == STATUS_OK) {
        for (size_t i = 0; i < list.n; i++) {
            inspect(buf_span(&list.items[i]));
        }
        smime_certificates_free(&list);
    }
    return 0;
}
