#include <stdlib.h>
#include <string.h>

#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "smime/certificate.h"
#include "smime/pem.h"
#include "smime/smime.h"

#define PEM_BEGIN "-----BEGIN "
#define PEM_LINE_MAX                                                                                         \
    128 /* of a line that begins a block is looked at, so that a file without lines costs no more */
#define IDENTIFIER_SEQUENCE 0x30

struct splitter {
    struct smime_certificates *list;
    size_t max;
};

static enum status append_der(struct smime_certificates *list, size_t max, struct span der, struct error *err)
{
    if (list->n >= max) {
        return error_set(err, STATUS_LIMIT, "certificates: more than %zu in one file", max);
    }
    struct buf *items = reallocarray(list->items, list->n + 1, sizeof *items);
    if (!items) {
        return error_set(err, STATUS_TEMPORARY, "certificates: no memory");
    }
    list->items = items;
    struct buf *item = &items[list->n];
    buf_init(item, SMIME_CERTIFICATE_MAX);
    list->n++;
    buf_append_span(item, der);
    return buf_check(item, "certificate", err);
}

static enum status add_certificate(const struct splitter *s, struct span der, struct error *err)
{
    X509 *cert = NULL;
    enum status status = smime_certificate_parse(der, &cert, err);
    X509_free(cert);
    return status == STATUS_OK ? append_der(s->list, s->max, der, err) : status;
}

enum status smime_certificates_append(struct smime_certificates *list, size_t max, X509 *cert,
                                      struct error *err)
{
    unsigned char *der = NULL;
    int len = i2d_X509(cert, &der);
    if (len <= 0) {
        return smime_failure(err, STATUS_TEMPORARY, "certificate: cannot be written");
    }
    enum status status = append_der(list, max, span_of(der, (size_t)len), err);
    OPENSSL_free(der);
    return status;
}

/* PKCS#7 "certs-only" is a SignedData without signers (RFC 8551 §3.8). */
static enum status add_pkcs7(const struct splitter *s, struct span der, struct error *err)
{
    const unsigned char *p = (const unsigned char *)der.p;
    CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &p, (long)der.len);
    if (!cms || p != (const unsigned char *)der.p + der.len ||
        OBJ_obj2nid(CMS_get0_type(cms)) != NID_pkcs7_signed) {
        CMS_ContentInfo_free(cms);
        return smime_failure(err, STATUS_INVALID, "certificates: damaged, or neither X.509 nor PKCS#7");
    }
    STACK_OF(X509) *certs = CMS_get1_certs(cms);
    enum status status = STATUS_OK;
    for (int i = 0; status == STATUS_OK && i < sk_X509_num(certs); i++) {
        status = smime_certificates_append(s->list, s->max, sk_X509_value(certs, i), err);
    }
    sk_X509_pop_free(certs, X509_free);
    CMS_ContentInfo_free(cms);
    return status;
}

typedef enum status add_fn(const struct splitter *s, struct span der, struct error *err);

struct block_type {
    const char *name; /* RFC 7468 §4, §5, §9 and what old programs write */
    add_fn *add;
};

static const struct block_type block_types[] = {
    {PEM_STRING_X509, add_certificate}, {PEM_STRING_X509_OLD, add_certificate},
    {PEM_STRING_PKCS7, add_pkcs7},      {PEM_STRING_PKCS7_SIGNED, add_pkcs7},
    {PEM_STRING_CMS, add_pkcs7},
};

/* Blocks of other kinds (revocation lists, parameters) may stand in a bundle and are passed over. */
static enum status add_block(void *arg, const char *label, struct span der, struct error *err)
{
    const struct splitter *s = arg;
    for (size_t i = 0; i < sizeof block_types / sizeof block_types[0]; i++) {
        if (strcmp(label, block_types[i].name) == 0) {
            return block_types[i].add(s, der, err);
        }
    }
    return STATUS_OK;
}

/* Looked for in the text itself: a damaged key block is still a key. */
static bool holds_private_key(struct span file)
{
    const char *end = file.p + file.len;
    const char *at = file.p;
    while ((at = memmem(at, (size_t)(end - at), PEM_BEGIN, strlen(PEM_BEGIN)))) {
        size_t rest = (size_t)(end - at) < PEM_LINE_MAX ? (size_t)(end - at) : PEM_LINE_MAX;
        const char *eol = memchr(at, '\n', rest);
        if (memmem(at, eol ? (size_t)(eol - at) : rest, "PRIVATE KEY", strlen("PRIVATE KEY"))) {
            return true;
        }
        at += strlen(PEM_BEGIN);
    }
    return false;
}

/* One SEQUENCE that is the whole file, so that text inside a certificate is never taken for PEM. */
static bool is_der(struct span file)
{
    const unsigned char *p = (const unsigned char *)file.p;
    long len = 0;
    int tag = 0;
    int class = 0;
    if (*p != IDENTIFIER_SEQUENCE) {
        return false;
    }
    int form = ASN1_get_object(&p, &len, &tag, &class, (long)file.len);
    if (form & 0x80) {
        return false;
    }
    return (form & 1) || p + len == (const unsigned char *)file.p + file.len;
}

static enum status split_der(const struct splitter *s, struct span file, struct error *err)
{
    struct error not_one = {.status = STATUS_OK};
    X509 *cert = NULL;
    enum status status = smime_certificate_parse(file, &cert, &not_one);
    X509_free(cert);
    if (status == STATUS_TEMPORARY) {
        return error_set(err, status, "%s", not_one.text);
    }
    return status == STATUS_OK ? append_der(s->list, s->max, file, err) : add_pkcs7(s, file, err);
}

enum status smime_certificates_split(struct span file, size_t max, struct smime_certificates *list_out,
                                     struct error *err)
{
    *list_out = (struct smime_certificates){0};
    struct splitter s = {.list = list_out, .max = max};
    if (file.len > SMIME_FILE_MAX) {
        return error_set(err, STATUS_LIMIT, "certificates: file of %zu bytes, the limit is %u", file.len,
                         SMIME_FILE_MAX);
    }

    ERR_clear_error();
    enum status status = STATUS_OK;
    if (file.len == 0) {
        status = error_set(err, STATUS_INVALID, "certificates: the file is empty");
    } else if (is_der(file)) {
        status = split_der(&s, file, err);
    } else if (holds_private_key(file)) {
        status = error_set(err, STATUS_INVALID,
                           "certificates: the file holds a private key, give the certificates alone");
    } else {
        status = smime_pem_each(file, add_block, &s, err);
    }
    if (status == STATUS_OK && list_out->n == 0) {
        status = error_set(err, STATUS_INVALID, "certificates: none found (PEM, DER or PKCS#7 is wanted)");
    }
    ERR_clear_error();
    if (status != STATUS_OK) {
        smime_certificates_free(list_out);
    }
    return status;
}

void smime_certificates_free(struct smime_certificates *list)
{
    for (size_t i = 0; i < list->n; i++) {
        buf_free(&list->items[i]);
    }
    free(list->items);
    *list = (struct smime_certificates){0};
}
