/*
 * Fields that the gateway adds to a message. Nothing that was submitted is changed (RFC 6409 §8), and nothing
 * here names the product.
 */
#ifndef SEALGATE_MESSAGE_COMPLETE_H
#define SEALGATE_MESSAGE_COMPLETE_H

#include "base/buf.h"
#include "gateway/message/envelope.h"

/*
 * The Message-ID and Date fields that HEADER lacks (RFC 6409 §8.3, §8.2), each with its CRLF; nothing when it
 * has both, however malformed. Made of the envelope alone, so that a held message gets the same ones when it
 * is released: <ID@HOSTNAME>, and the time it was received.
 */
void missing_fields(struct span header, const struct envelope *e, const char *hostname, struct buf *out);

/* "X-Originating-IP: [192.0.2.1]" with CRLF, "[2001:db8::1]" for IPv6: the client's address. */
void originating_ip_field(const struct envelope *e, struct buf *out);

#endif
