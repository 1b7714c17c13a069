/*
 * What stands outside: which fields may, of a sealed message and in a report, and a message that goes clear.
 * FRONT are the fields that the gateway adds outside: Received, and those of complete.h.
 */
#ifndef SEALGATE_MESSAGE_OUTER_H
#define SEALGATE_MESSAGE_OUTER_H

#include "base/buf.h"
#include "gateway/message/envelope.h"
#include "gateway/message/header.h"

/* RFC 9788 §3.2.1. */
#define OUTER_SUBJECT_HIDDEN "Subject: [...]\r\n"

/* Bcc, Resent-Bcc, or a line that is no field but may be one of them to a lenient reader ("B\x01cc: …"): it
 * stands nowhere. */
bool outer_is_blind(const struct header_field *field);

/*
 * May FIELD stand outside of a sealed message? What transport and threading need: From, Sender, Reply-To, To,
 * Cc, Date, Message-ID, In-Reply-To, References, Subject, Auto-Submitted, List-*, TLS-Required, and the
 * Resent- fields of RFC 5322 §3.6.6 (not Resent-Bcc); in whole lines without NUL.
 */
bool outer_stands_outside(const struct header_field *field);

/* Every CR is followed by LF, every LF preceded by CR, no NUL: only such a field stands outside. */
bool outer_has_whole_lines(struct span raw);

/* STATUS_INVALID: FIELD holds bytes outside ASCII although the envelope is not SMTPUTF8 (RFC 6532; text for a
 * 550 5.6.7), or bytes that are no UTF-8 although it is. */
MUST_USE enum status outer_check_charset(const struct header_field *field, bool smtputf8, struct error *err);

/*
 * What goes out when a rule sends the message clear: the same bytes without blind fields, with FRONT before
 * them. When the message has no separator one is added.
 */
void clear_message(const struct message_parts *parts, struct span front, struct buf *out);

/*
 * The fields of a message that was to be sealed but is not: what rests beside its locked body, and may stand
 * in a DSN that goes clear (A32). The fields that may stand outside, with the Subject hidden. STATUS_INVALID
 * as outer_check_charset.
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
