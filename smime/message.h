/*
 * Whose S/MIME message is it? Reads CMS that others made (A12), BER or DER, and says whose certificates can
 * open it. Never decrypts.
 */
#ifndef SEALGATE_SMIME_MESSAGE_H
#define SEALGATE_SMIME_MESSAGE_H

#include "smime/smime.h"

struct smime_message;

/*
 * BYTES is one ContentInfo with EnvelopedData or AuthEnvelopedData and nothing behind it: content encrypted
 * with AES (CBC, or GCM in AuthEnvelopedData) or 3DES-CBC and present, at least one RecipientInfo, all of
 * them key transport or key agreement (no password, no KEK). STATUS_INVALID with the reason: anything else,
 * so also SignedData, CompressedData, empty or absent content. Free with smime_message_free.
 */
MUST_USE enum status smime_message_read(struct span bytes, struct smime_message **message_out,
                                        struct error *err);
void smime_message_free(struct smime_message *message);

size_t smime_message_recipients(const struct smime_message *message);

/* Does a RecipientInfo name this DER certificate, by issuer and serial number or by subject key identifier?
 * False for what is no certificate. */
bool smime_message_is_for(const struct smime_message *message, struct span certificate);

#endif
