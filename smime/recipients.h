/* The RecipientInfos of a message that is being made. */
#ifndef SEALGATE_SMIME_RECIPIENTS_H
#define SEALGATE_SMIME_RECIPIENTS_H

#include <openssl/cms.h>

#include "smime/smime.h"

/* Adds one RecipientInfo per certificate of ORDER to CMS. Errors: smime_encrypt. */
MUST_USE enum status smime_recipients_add(CMS_ContentInfo *cms, const struct smime_order *order,
                                          struct error *err);

/* Does the certificate of recipient I stand in ORDER earlier too? */
bool smime_recipient_is_repeated(const struct smime_order *order, size_t i);

#endif
