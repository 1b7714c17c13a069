/* smime_encrypt and smime_check for tests: whole messages in one call. */
#ifndef SEALGATE_TESTS_SMIME_SEAL_H
#define SEALGATE_TESTS_SMIME_SEAL_H

#include "smime/smime.h"

#define SEAL_RECIPIENTS_MAX 8

struct seal_how {
    enum smime_cipher cipher;
    bool oaep; /* for all recipients */
    struct smime_parsed *parsed;
};

/* RECIPIENTS is room for the order's recipients. */
static inline struct smime_order seal_order(const struct span *certs, size_t n, struct seal_how how,
                                            struct smime_recipient recipients[SEAL_RECIPIENTS_MAX])
{
    for (size_t i = 0; i < n; i++) {
        recipients[i] = (struct smime_recipient){.certificate = certs[i], .oaep = how.oaep};
    }
    return (struct smime_order){.recipients = recipients, .n = n, .cipher = how.cipher, .parsed = how.parsed};
}

static inline enum status seal_encrypt_as(const struct span *certs, size_t n, struct seal_how how,
                                          struct span plaintext, struct buf *out, struct error *err)
{
    struct smime_recipient recipients[SEAL_RECIPIENTS_MAX];
    struct smime_order order = seal_order(certs, n, how, recipients);
    struct sink sink = sink_to_buf(out);
    return smime_encrypt(&order, (struct spans){&plaintext, 1}, &sink, err);
}

/* Fed in pieces of STEP bytes. */
static inline enum status seal_check_as(struct span message, const struct span *certs, size_t n,
                                        struct seal_how how, size_t plaintext_len, size_t step,
                                        struct error *err)
{
    struct smime_recipient recipients[SEAL_RECIPIENTS_MAX];
    struct smime_order order = seal_order(certs, n, how, recipients);
    struct smime_check *check = NULL;
    enum status status = smime_check_start(&order, plaintext_len, &check, err);
    while (status == STATUS_OK && message.len > 0) {
        size_t part = message.len < step ? message.len : step;
        status = smime_check_feed(check, span_of(message.p, part), err);
        message = span_of(message.p + part, message.len - part);
    }
    if (status == STATUS_OK) {
        return smime_check_end(check, err);
    }
    smime_check_free(check);
    return status;
}

static inline enum status seal_encrypt(const struct span *certs, size_t n, struct span plaintext,
                                       struct buf *out, struct error *err)
{
    return seal_encrypt_as(certs, n, (struct seal_how){0}, plaintext, out, err);
}

static inline enum status seal_check(struct span message, const struct span *certs, size_t n,
                                     size_t plaintext_len, struct error *err)
{
    return seal_check_as(message, certs, n, (struct seal_how){0}, plaintext_len, SIZE_MAX, err);
}

#endif
