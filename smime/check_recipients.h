/* Are the RecipientInfos of a message exactly those of an order? The part of smime_check that knows keys. */
#ifndef SEALGATE_SMIME_CHECK_RECIPIENTS_H
#define SEALGATE_SMIME_CHECK_RECIPIENTS_H

#include "smime/certificate.h"
#include "smime/der.h"
#include "smime/smime.h"

/* A certificate, and so one RecipientInfo that must be there. */
struct smime_expected {
    struct buf id; /* content of its IssuerAndSerialNumber in DER */
    enum smime_key_type type;
    size_t key_size; /* RSA: bytes of the modulus; EC: bytes of an uncompressed point */
    bool oaep;
    bool found;
};

struct smime_expected_list {
    struct smime_expected *items; /* owned */
    size_t n;
};

/* One for each certificate of ORDER, which is not needed afterwards. STATUS_INVALID: none, or one that is no
 * certificate in DER. Free with smime_expected_free, after an error too. */
MUST_USE enum status smime_expected_read(const struct smime_order *order,
                                         struct smime_expected_list *list_out, struct error *err);
void smime_expected_free(struct smime_expected_list *list);

/* Bytes that the RecipientInfos of LIST take at most. */
size_t smime_expected_size(const struct smime_expected_list *list);

/*
 * INFOS is the content of RecipientInfos: NULL when it is as LIST says, else what is wrong with it (static
 * text). Marks what it finds, so once per list. *has_agreement_out: a KeyAgreeRecipientInfo is among them.
 */
const char *smime_check_recipients(struct smime_der infos, struct smime_expected_list *list,
                                   bool *has_agreement_out);

#endif
