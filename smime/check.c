#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/objects.h>

#include "smime/cms_layout.h"
#include "smime/recipient_infos.h"

#define OUTER_MIN 6 /* bytes with which the length of the whole is known */
/* A RecipientInfo beside identifiers, encrypted key and point; and what stands around all of them. */
#define INFO_MAX 300
#define AROUND_MAX 1024

struct smime_check {
    struct smime_expected *expected;
    size_t n;
    enum smime_cipher cipher;
    size_t content_len, tail_len, head_max;
    struct buf head; /* up to the first byte of the encrypted content */
    size_t head_len; /* 0: not known yet */
    size_t total;    /* bytes of the message, by its outermost length */
    size_t seen;     /* bytes fed */
    uint8_t tail[SMIME_MAC_TLV];
    size_t n_tail;
};

/* ---- the structure around the content ---- */

/* RFC 3565 §4.1, RFC 5084 §3.2. */
static const char *check_algorithm(const struct smime_check *check, struct smime_der algorithm)
{
    bool gcm = check->cipher == SMIME_AES256_GCM;
    smime_der_take_oid(&algorithm, gcm ? NID_aes_256_gcm : NID_aes_256_cbc);
    struct smime_der parameters = gcm ? smime_der_take(&algorithm, SMIME_DER_SEQUENCE) : algorithm;
    struct smime_der iv = smime_der_take(&parameters, SMIME_DER_OCTET_STRING);
    if (gcm) {
        smime_der_take_small(&parameters, SMIME_MAC);
    }
    bool good = smime_der_done(&parameters) && (!gcm || smime_der_done(&algorithm)) &&
                iv.len == (gcm ? SMIME_GCM_NONCE : SMIME_BLOCK);
    return good ? NULL : "the cipher is not the one that was asked for";
}

/*
 * Enters an element of the message whose end is not in the head: IDENTIFIER, then a length that must reach
 * exactly to what follows BEHIND bytes before the end of the message.
 */
static bool enter(const struct smime_check *check, struct smime_der *d, uint8_t identifier, size_t behind)
{
    if (d->failed || d->len < 2 || d->p[0] != identifier) {
        return false;
    }
    size_t n = d->p[1] & 0x80 ? d->p[1] & 0x7f : 0, len = d->p[1] & 0x80 ? 0 : d->p[1];
    if (n > 4 || d->len < 2 + n || (n == 0 && d->p[1] & 0x80)) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        len = len << 8 | d->p[2 + i];
    }
    /* DER: the shortest form (X.690 §10.1). */
    if (n > 0 && (len < 128 || d->p[2] == 0)) {
        return false;
    }
    d->p += 2 + n;
    d->len -= 2 + n;
    size_t offset = (size_t)(d->p - check->head.data);
    return check->total - offset - behind == len;
}

static const char *check_content(const struct smime_check *check, struct smime_der content)
{
    smime_der_take_oid(&content, NID_pkcs7_data);
    struct smime_der algorithm = smime_der_take(&content, SMIME_DER_SEQUENCE);
    if (content.failed) {
        return "EncryptedContentInfo is not as expected";
    }
    if (!enter(check, &content, SMIME_DER_IMPLICIT_0, check->tail_len) || content.len != 0) {
        return "the encrypted content has not the length of the message";
    }
    return check_algorithm(check, algorithm);
}

static const char *check_enveloped(const struct smime_check *check, struct smime_der enveloped)
{
    struct smime_der as_version = enveloped;
    smime_der_take(&enveloped, SMIME_DER_INTEGER);
    struct smime_der infos = smime_der_take(&enveloped, SMIME_DER_SET);
    if (!enter(check, &enveloped, SMIME_DER_SEQUENCE, check->tail_len)) {
        return "EnvelopedData has parts that were not asked for, or lacks some";
    }
    uint8_t version = 0;
    const char *problem = smime_recipient_infos_check(infos, check->expected, check->n, &version);
    if (problem) {
        return problem;
    }
    /* RFC 5083 §2.1: AuthEnvelopedData is always version 0. */
    smime_der_take_small(&as_version, check->cipher == SMIME_AES256_GCM ? 0 : version);
    return as_version.failed ? "the version of EnvelopedData does not fit its recipients"
                             : check_content(check, enveloped);
}

static const char *check_head(const struct smime_check *check)
{
    bool gcm = check->cipher == SMIME_AES256_GCM;
    struct smime_der all = smime_der_of(buf_span(&check->head));
    bool good = enter(check, &all, SMIME_DER_SEQUENCE, 0);
    smime_der_take_oid(&all, gcm ? NID_id_smime_ct_authEnvelopedData : NID_pkcs7_enveloped);
    if (!good || !enter(check, &all, SMIME_DER_CONSTRUCTED_0, 0) ||
        !enter(check, &all, SMIME_DER_SEQUENCE, 0)) {
        return "not one whole ContentInfo with EnvelopedData";
    }
    return check_enveloped(check, all);
}

/* ---- feeding ---- */

static enum status wrong(struct error *err, const char *problem)
{
    return error_set(err, STATUS_INTERNAL, "S/MIME output: %s", problem);
}

/* By the outermost element's own length. */
static const char *find_lengths(struct smime_check *check)
{
    const uint8_t *p = check->head.data;
    size_t n = p[1] & 0x80 ? p[1] & 0x7f : 0, len = p[1] & 0x80 ? 0 : p[1];
    if (p[0] != SMIME_DER_SEQUENCE || n > 4 || (n == 0 && p[1] & 0x80)) {
        return "not one whole ContentInfo with EnvelopedData";
    }
    for (size_t i = 0; i < n; i++) {
        len = len << 8 | p[2 + i];
    }
    size_t total = 2 + n + len, rest = check->content_len + check->tail_len;
    if (total < rest + OUTER_MIN || total - rest > check->head_max) {
        return "the encrypted content has not the length of the message";
    }
    check->total = total;
    check->head_len = total - rest;
    return NULL;
}

/* Takes bytes off the front of *DER until the head is whole. */
static const char *feed_head(struct smime_check *check, struct span *der)
{
    while (der->len > 0 && (check->head_len == 0 || check->head.len < check->head_len)) {
        size_t want = check->head_len == 0 ? OUTER_MIN : check->head_len;
        size_t part = want - check->head.len < der->len ? want - check->head.len : der->len;
        buf_append(&check->head, der->p, part);
        *der = span_of(der->p + part, der->len - part);
        if (check->head.failed || check->head.len < want || check->head_len > 0) {
            continue;
        }
        const char *problem = find_lengths(check);
        if (problem) {
            return problem;
        }
    }
    return NULL;
}

enum status smime_check_feed(struct smime_check *check, struct span der, struct error *err)
{
    check->seen += der.len;
    const char *problem = feed_head(check, &der);
    if (check->head.failed) {
        return error_set(err, STATUS_TEMPORARY, "S/MIME output: no memory to check it");
    }
    if (!problem && check->head_len > 0 && check->seen > check->total) {
        problem = "bytes behind its end";
    }
    if (problem) {
        return wrong(err, problem);
    }
    /* Of what follows the head, only the tail is kept. */
    size_t tail_at = check->total - check->tail_len, start = check->seen - der.len;
    if (der.len > 0 && check->seen > tail_at) {
        size_t skip = start < tail_at ? tail_at - start : 0;
        memcpy(check->tail + check->n_tail, der.p + skip, der.len - skip);
        check->n_tail += der.len - skip;
    }
    return STATUS_OK;
}

static const char *judge(const struct smime_check *check)
{
    if (check->n == 0) {
        return "no certificates were given to check it against";
    }
    if (check->head_len == 0 || check->seen != check->total) {
        return "not one whole ContentInfo with EnvelopedData";
    }
    if (check->tail_len > 0 && (check->tail[0] != SMIME_DER_OCTET_STRING || check->tail[1] != SMIME_MAC)) {
        return "AuthEnvelopedData has no MAC of 16 bytes at its end";
    }
    return check_head(check);
}

enum status smime_check_end(struct smime_check *check, struct error *err)
{
    ERR_clear_error();
    const char *problem = judge(check);
    smime_check_free(check);
    ERR_clear_error();
    return problem ? wrong(err, problem) : STATUS_OK;
}

void smime_check_free(struct smime_check *check)
{
    for (size_t i = 0; i < check->n; i++) {
        buf_free(&check->expected[i].id);
    }
    free(check->expected);
    buf_free(&check->head);
    free(check);
}

/* ---- what is expected ---- */

static enum status expect_all(struct smime_check *check, const struct smime_order *order, struct error *err)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < order->n && status == STATUS_OK; i++) {
        if (smime_recipient_is_repeated(order, i)) {
            continue;
        }
        struct smime_expected *one = &check->expected[check->n++];
        status = smime_expect(&order->recipients[i], one, err);
        check->head_max += one->id.len + one->key.size + INFO_MAX;
    }
    return status;
}

enum status smime_check_start(const struct smime_order *order, size_t plaintext_len,
                              struct smime_check **check_out, struct error *err)
{
    *check_out = NULL;
    struct smime_check *check = calloc(1, sizeof *check);
    struct smime_expected *expected = calloc(order->n + 1, sizeof *expected);
    if (!check || !expected) {
        free(check);
        free(expected);
        return error_set(err, STATUS_TEMPORARY, "S/MIME output: no memory to check it");
    }
    *check = (struct smime_check){.expected = expected,
                                  .cipher = order->cipher,
                                  .content_len = smime_content_len(order->cipher, plaintext_len),
                                  .tail_len = order->cipher == SMIME_AES256_GCM ? SMIME_MAC_TLV : 0,
                                  .head_max = AROUND_MAX};
    ERR_clear_error();
    enum status status = expect_all(check, order, err);
    buf_init(&check->head, check->head_max);
    ERR_clear_error();
    if (status != STATUS_OK) {
        smime_check_free(check);
        return status;
    }
    *check_out = check;
    return STATUS_OK;
}
