/* Did the client seal or sign the message itself, and for whom (A12)? */
#ifndef SEALGATE_SEAL_ALREADY_H
#define SEALGATE_SEAL_ALREADY_H

#include "gateway/message/header.h"
#include "keystore/keystore.h"
#include "pgp/message.h"
#include "smime/message.h"

struct already {
    bool is_signed;                 /* bears a signature of the client's, likewise: not signed again */
    bool is_sealed;                 /* is nothing but a sealed message, by structure and content */
    enum certificate_format format; /* when sealed */
    struct pgp_message pgp;
    struct smime_message *smime; /* owned */
};

/* What only claims to be sealed or signed is not: STATUS_OK, and it is treated as any other message. Whether
 * a signature holds is not asked: its certificate is not known here. STATUS_TEMPORARY: out of memory. Free
 * with already_free. */
MUST_USE enum status already_read(const struct message_parts *parts, struct already *already_out,
                                  struct error *err);
void already_free(struct already *already);

/* The usable certificate of LIST to which the message is sealed, or NULL. */
const struct certificate *already_sealed_to(const struct already *already,
                                            const struct certificate_list *list);

#endif
