/* The RecipientInfos of a message that smime_encrypt made: are they exactly those of its certificates? */
#ifndef SEALGATE_SMIME_RECIPIENT_INFOS_H
#define SEALGATE_SMIME_RECIPIENT_INFOS_H

#include "base/buf.h"
#include "smime/certificate.h"
#include "smime/der.h"

/* A certificate, and so one RecipientInfo that must be there. */
struct smime_expected {
    struct buf id; /* content of its IssuerAndSerialNumber in DER; owned */
    struct smime_key key;
    bool oaep;
    bool found; /* by smime_recipient_infos_check */
};

/* Reads what CERT's RecipientInfo must name. STATUS_INVALID: it is no certificate. EXPECTED->id is
 * initialised. */
MUST_USE enum status smime_expect(const struct smime_recipient *recipient,
                                  struct smime_expected *expected_out, struct error *err);

/*
 * NULL: INFOS, the content of the SET, are one for each of the N expected and no others, with the algorithms
 * that smime_encrypt chooses; else what is wrong, static text. *VERSION_OUT is what RFC 5652 §6.1 asks of an
 * EnvelopedData with these.
 */
const char *smime_recipient_infos_check(struct smime_der infos, struct smime_expected *expected, size_t n,
                                        uint8_t *version_out);

#endif
