/* Who a message says it is from: every mailbox of From, Sender, Resent-From and Resent-Sender. */
#ifndef SEALGATE_MESSAGE_ORIGINATORS_H
#define SEALGATE_MESSAGE_ORIGINATORS_H

#include "base/error.h"
#include "gateway/message/header.h"

/* Mailboxes of all these fields together: each is compared with every pattern of the sender. */
#define ORIGINATORS_MAX 100

/* FIELD: its name, static; ADDRESS: an addr-spec. Anything but STATUS_OK ends the reading. */
typedef enum status originator_fn(void *arg, const char *field, const char *address, struct error *err);

/*
 * Calls EACH for every mailbox of every such field, however often one stands there. STATUS_INVALID, with a
 * text for the client: no From field, or none with a mailbox (RFC 5322 §3.6.2 wants one); a field that not
 * all readers read alike (mailbox.h); a line that is no field but that a lenient reader may take for one.
 * STATUS_LIMIT: more than ORIGINATORS_MAX.
 */
MUST_USE enum status originators_each(struct span header, originator_fn *each, void *arg, struct error *err);

#endif
