/*
 * Outer and inner headers. Outside stands what transport and threading need; inside stands every byte that
 * was submitted, except Bcc. FRONT are the fields that the gateway adds outside: Received, and those of
 * complete.h.
 */
#ifndef SEALGATE_MESSAGE_OUTER_H
#define SEALGATE_MESSAGE_OUTER_H

#include "base/buf.h"
#include "gateway/message/envelope.h"
#include "gateway/message/header.h"

/*
 * What will be encrypted: the submitted header without Bcc and Resent-Bcc fields, the separator, the body:
 * byte for byte (promise 6). When the message has no separator, none is added. A line that is no field but
 * may be Bcc to a lenient reader ("B\x01cc: …") goes as well.
 */
void inner_entity(const struct message_parts *parts, struct buf *out);

/*
 * What goes out when a rule sends the message clear: the same bytes, with FRONT before them. When
 * the message has no separator one is added.
 */
void clear_message(const struct message_parts *parts, struct span front, struct buf *out);

/*
 * Fields for the outside of a sealed message, raw as submitted, in their order: From, Sender, Reply-To, To,
 * Cc, Date, Message-ID, In-Reply-To, References, Subject, Auto-Submitted, List-*, Resent-* (not Resent-Bcc),
 * TLS-Required; preceded by FRONT. No MIME-Version, no Content-*: the wrapping writes those.
 * STATUS_INVALID when such a field holds bytes outside ASCII although the envelope is not SMTPUTF8 (RFC 6532;
 * text for a 550 5.6.7), or bytes that are no UTF-8 although it is. Lines that are no field, and fields with
 * NUL, bare CR or bare LF, stay inside.
 */
MUST_USE enum status outer_header(const struct message_parts *parts, struct span front, bool smtputf8,
                                  struct buf *out, struct error *err);

/*
 * The fields of a message that was to be sealed but is not: what rests beside its locked body, and may stand
 * in a DSN that goes clear (A32). As outer_header, but the Subject is hidden: "Subject: [...]" (RFC 9788 §4.2
 * has the same form).
 */
MUST_USE enum status notice_header(const struct message_parts *parts, struct span front, bool smtputf8,
                                   struct buf *out, struct error *err);

/*
 * The Received field (RFC 5321 §4.4, RFC 3848): from HELO ([client]) by HOSTNAME with ESMTPSA, or
 * UTF8SMTPSA (RFC 6531 §4.3), (TLS version
 * cipher) id ID; date. Values from outside are filtered so that nothing can end a comment or the field (A9).
 * No "for": that would name a recipient in another's copy (promise 7).
 */
void received_field(const struct envelope *e, const char *hostname, struct buf *out);

#endif
