/* Names and filters with the user's name in them, and what a directory gives back, without I/O (A21). */
#ifndef SEALGATE_PASSWORDS_LDAP_TEMPLATE_H
#define SEALGATE_PASSWORDS_LDAP_TEMPLATE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"

/*
 * Appends TEMPLATE with NAME for each %u. All but letters, digits and "@", "." and "_" inside of NAME becomes
 * \XX, which RFC 4514 §2.4 (names) and RFC 4515 §3 (filters) understand alike. STATUS_INVALID: no %u, or
 * another % in TEMPLATE.
 */
MUST_USE enum status ldap_template_fill(const char *template, const char *name, struct buf *out,
                                        struct error *err);

/* The attribute whose value the first %u stands for: "uid" in "(&(a=b)(uid=%u))"; empty: none can be told. */
struct span ldap_template_attribute(const char *template);

/*
 * The address in a value of an attribute, a piece of it: "SMTP:a@b" (as Active Directory has it) or "a@b".
 * False: it is none, or would be more than one address as a pattern (policy/pattern.h): with *, ?, space, or
 * without local part.
 */
bool ldap_value_address(struct span value, struct span *address_out);

#endif
