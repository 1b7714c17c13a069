#include <stdlib.h>

#include <openssl/objects.h>

#include "smime/check_recipients.h"
#include "smime/der.h"
#include "smime/smime.h"

#define BLOCK 16            /* AES block, and the IV of CBC (RFC 3565 §2.1) */
#define NONCE_SIZE 12       /* of GCM (RFC 5084 §3.2) */
#define MAC_SIZE 16         /* of GCM */
#define OTHER_ELEMENTS 1024 /* more than the head holds beside RecipientInfos */

/* The elements that go on to the end of the message or nearly so, outermost first. */
enum level { INFO, EXPLICIT, ENVELOPED, ENCRYPTED, CONTENT, LEVELS };

/*
 * The message is its head (all up to the first byte of ciphertext), the ciphertext, and for GCM the MAC. How
 * long the last two are is known beforehand, so every length that the head announces can be compared as soon
 * as the head is there.
 */
struct smime_check {
    struct smime_expected_list expected;
    bool gcm;
    size_t content_len; /* of the ciphertext */
    size_t tail_len;    /* bytes behind it */
    struct buf head;    /* what there is of it */
    bool has_head;
    size_t behind; /* bytes seen behind the head */
    bool failed;
};

/* Functions that judge a piece of the message return NULL, or what is wrong with it. */

/* ---- the head ---- */

struct head {
    const uint8_t *start;
    struct smime_der at;  /* what is still to be read */
    bool more;            /* it is not all there yet */
    size_t begin[LEVELS]; /* offsets of the contents in the message */
    size_t len[LEVELS];   /* and their lengths as announced */
    struct smime_der version, infos, algorithm;
};

static void enter(struct head *h, uint8_t identifier, enum level level)
{
    if (h->more || h->at.failed) {
        return;
    }
    h->more = !smime_der_open(&h->at, identifier, &h->len[level]) && !h->at.failed;
    h->begin[level] = (size_t)(h->at.p - h->start);
}

/* A whole element of the head, with its identifier and length. */
static struct smime_der take(struct head *h, uint8_t identifier)
{
    struct smime_der nothing = {.failed = true};
    struct smime_der peek = h->at;
    size_t len = 0;
    if (h->more || h->at.failed) {
        return nothing;
    }
    if (!smime_der_open(&peek, identifier, &len)) {
        h->at.failed = peek.failed;
        h->more = !peek.failed;
        return nothing;
    }
    h->more = len > peek.len;
    if (h->more) {
        return nothing;
    }
    struct smime_der element = {.p = h->at.p, .len = (size_t)(peek.p - h->at.p) + len};
    h->at.p += element.len;
    h->at.len -= element.len;
    return element;
}

static void take_oid(struct head *h, int nid)
{
    struct smime_der oid = take(h, SMIME_DER_OID);
    if (!h->more && !h->at.failed) {
        smime_der_take_oid(&oid, nid);
        h->at.failed = oid.failed;
    }
}

/* RFC 5652 §3 and §6.1, RFC 5083 §2.1: the same parts up to the content. */
static const char *read_head(struct head *h, bool gcm)
{
    enter(h, SMIME_DER_SEQUENCE, INFO);
    take_oid(h, gcm ? NID_id_smime_ct_authEnvelopedData : NID_pkcs7_enveloped);
    enter(h, SMIME_DER_CONSTRUCTED_0, EXPLICIT);
    enter(h, SMIME_DER_SEQUENCE, ENVELOPED);
    if (h->at.failed) {
        return "not one whole ContentInfo of the kind that was asked for";
    }
    h->version = take(h, SMIME_DER_INTEGER);
    h->infos = take(h, SMIME_DER_SET);
    enter(h, SMIME_DER_SEQUENCE, ENCRYPTED);
    if (h->at.failed) {
        return "EnvelopedData has parts that were not asked for, or lacks some";
    }
    take_oid(h, NID_pkcs7_data);
    h->algorithm = take(h, SMIME_DER_SEQUENCE);
    enter(h, SMIME_DER_IMPLICIT_0, CONTENT);
    return h->at.failed ? "EncryptedContentInfo is not as expected" : NULL;
}

/* Where LEVEL ends in the message. */
static size_t end_of(const struct head *h, enum level level)
{
    return h->begin[level] + h->len[level];
}

/* A sum that wraps round would have to do so for all levels alike, also for the content, whose length is
 * compared by itself. */
static const char *check_lengths(const struct smime_check *c, const struct head *h)
{
    size_t end = end_of(h, INFO);
    if (end_of(h, EXPLICIT) != end || end_of(h, ENVELOPED) != end) {
        return "not one whole ContentInfo of the kind that was asked for";
    }
    if (end_of(h, ENCRYPTED) != end - c->tail_len) {
        return "EnvelopedData has parts that were not asked for, or lacks some";
    }
    if (end_of(h, CONTENT) != end - c->tail_len) {
        return "EncryptedContentInfo is not as expected";
    }
    return NULL;
}

/* RFC 3565 §4.1: the IV. */
static bool is_cbc(struct smime_der algorithm)
{
    smime_der_take_oid(&algorithm, NID_aes_256_cbc);
    struct smime_der iv = smime_der_take(&algorithm, SMIME_DER_OCTET_STRING);
    return smime_der_done(&algorithm) && iv.len == BLOCK;
}

/* GCMParameters of RFC 5084 §3.2; 12 would be the default length of the MAC. */
static bool is_gcm(struct smime_der algorithm)
{
    smime_der_take_oid(&algorithm, NID_aes_256_gcm);
    struct smime_der parameters = smime_der_take(&algorithm, SMIME_DER_SEQUENCE);
    struct smime_der nonce = smime_der_take(&parameters, SMIME_DER_OCTET_STRING);
    smime_der_take_small(&parameters, MAC_SIZE);
    return smime_der_done(&algorithm) && smime_der_done(&parameters) && nonce.len == NONCE_SIZE;
}

static const char *check_cipher(const struct smime_check *c, struct smime_der element)
{
    struct smime_der algorithm = smime_der_take(&element, SMIME_DER_SEQUENCE);
    if (c->gcm) {
        return is_gcm(algorithm) ? NULL : "the cipher is not AES-256-GCM";
    }
    return is_cbc(algorithm) ? NULL : "the cipher is not AES-256-CBC";
}

/* EnvelopedData without originator and attributes has version 0, or 2 with a KeyAgreeRecipientInfo (RFC 5652
 * §6.1); AuthEnvelopedData always has 0 (RFC 5083 §2.1). */
static const char *check_head(struct smime_check *c, struct head *h)
{
    bool has_agreement = false;
    const char *problem = check_lengths(c, h);
    if (problem) {
        return problem;
    }
    problem = smime_check_recipients(smime_der_take(&h->infos, SMIME_DER_SET), &c->expected, &has_agreement);
    if (problem) {
        return problem;
    }
    smime_der_take_small(&h->version, has_agreement && !c->gcm ? 2 : 0);
    if (h->version.failed) {
        return "the version of EnvelopedData does not fit its recipients";
    }
    problem = check_cipher(c, h->algorithm);
    if (problem) {
        return problem;
    }
    return h->len[CONTENT] == c->content_len ? NULL
                                             : "the encrypted content has not the length of the message";
}

/* Takes BYTES as far as they belong to the head. *TAKEN_OUT: how far. */
static const char *feed_head(struct smime_check *c, struct span bytes, size_t *taken_out)
{
    size_t before = c->head.len;
    size_t room = c->head.max - before;
    size_t part = bytes.len < room ? bytes.len : room;
    buf_append(&c->head, bytes.p, part);
    *taken_out = part;
    if (c->head.failed) {
        return NULL;
    }
    struct head h = {.start = c->head.data, .at = smime_der_of(buf_span(&c->head))};
    const char *problem = read_head(&h, c->gcm);
    if (problem) {
        return problem;
    }
    if (h.more) {
        return part < room ? NULL : "what stands before its content is longer than its recipients make it";
    }
    *taken_out = h.begin[CONTENT] - before;
    c->has_head = true;
    problem = check_head(c, &h);
    buf_free(&c->head);
    return problem;
}

/* ---- behind the head ---- */

static const char *feed_behind(struct smime_check *c, struct span bytes)
{
    static const uint8_t mac_header[] = {SMIME_DER_OCTET_STRING, MAC_SIZE};
    size_t all = c->content_len + c->tail_len;
    if (bytes.len > all - c->behind) {
        return "more than one whole ContentInfo: bytes behind its end";
    }
    for (size_t i = 0; i < sizeof mac_header && c->gcm; i++) {
        size_t at = c->content_len + i;
        if (at >= c->behind && at - c->behind < bytes.len &&
            (uint8_t)bytes.p[at - c->behind] != mac_header[i]) {
            return "AuthEnvelopedData has no MAC of 16 bytes behind its content";
        }
    }
    c->behind += bytes.len;
    return NULL;
}

/* ---- the check ---- */

enum status smime_check_start(const struct smime_order *order, size_t plaintext_len,
                              struct smime_check **check_out, struct error *err)
{
    *check_out = NULL;
    struct smime_check *c = calloc(1, sizeof *c);
    if (!c) {
        return error_set(err, STATUS_TEMPORARY, "S/MIME output: no memory to check it");
    }
    enum status status = STATUS_OK;
    c->gcm = order->cipher == SMIME_AES256_GCM;
    if (plaintext_len > SIZE_MAX / 2) {
        status = error_set(err, STATUS_INTERNAL, "S/MIME output: no message has %zu bytes", plaintext_len);
    } else {
        /* RFC 5652 §6.3: padding fills up the last block and is never empty. */
        c->content_len = c->gcm ? plaintext_len : (plaintext_len / BLOCK + 1) * BLOCK;
        c->tail_len = c->gcm ? 2 + MAC_SIZE : 0;
        status = smime_expected_read(order, &c->expected, err);
    }
    buf_init(&c->head, smime_expected_size(&c->expected) + OTHER_ELEMENTS);
    if (status != STATUS_OK) {
        smime_check_free(c);
        return status;
    }
    *check_out = c;
    return STATUS_OK;
}

enum status smime_check_feed(struct smime_check *c, struct span der, struct error *err)
{
    const char *problem = c->failed ? "it was found wrong before" : NULL;
    size_t taken = 0;
    if (!problem && !c->has_head && der.len > 0) {
        problem = feed_head(c, der, &taken);
    }
    if (!problem && c->has_head) {
        problem = feed_behind(c, span_of(der.p + taken, der.len - taken));
    }
    if (problem) {
        c->failed = true;
        return error_set(err, STATUS_INTERNAL, "S/MIME output: %s", problem);
    }
    if (c->head.failed) {
        c->failed = true;
        return buf_check(&c->head, "the check of S/MIME output", err);
    }
    return STATUS_OK;
}

enum status smime_check_end(struct smime_check *c, struct error *err)
{
    enum status status = STATUS_OK;
    if (c->failed) {
        status = error_set(err, STATUS_INTERNAL, "S/MIME output: it was found wrong before");
    } else if (!c->has_head) {
        status = error_set(err, STATUS_INTERNAL, "S/MIME output: not one whole ContentInfo: it ends early");
    } else if (c->behind != c->content_len + c->tail_len) {
        status = error_set(err, STATUS_INTERNAL, "S/MIME output: it ends early");
    }
    smime_check_free(c);
    return status;
}

void smime_check_free(struct smime_check *c)
{
    if (c) {
        smime_expected_free(&c->expected);
        buf_free(&c->head);
        free(c);
    }
}
