/* Domains and address literals (RFC 5321 §4.1.2, §4.1.3). */
#ifndef SEALGATE_WIRE_DOMAIN_H
#define SEALGATE_WIRE_DOMAIN_H

#include <stdbool.h>

#include "base/span.h"

#define DOMAIN_MAX 255      /* bytes, RFC 5321 §4.5.3.1.2 */
#define DOMAIN_LABEL_MAX 63 /* bytes, RFC 1035 §2.3.4 */

/* Domain: labels of letters, digits and inner hyphens, without a dot at the end. */
bool domain_is_valid(struct span domain);

/*
 * The same with U-labels (RFC 5890 §2.3.2.1): UTF-8 that libidn2 can turn into a Domain, so that it can be
 * looked up. The dots are dots: those of other scripts, which IDNA may take for one, are none here.
 */
bool domain_is_valid_utf8(struct span domain);

/* DOMAIN, in U-labels or A-labels, as lower-case A-labels; NULL when it is no domain. Free it with free. */
char *domain_to_a_labels(const char *domain);

/* The same for one that an administrator wrote, who may end it with a dot. */
char *domain_from_text(const char *text);

/*
 * How much of DOMAIN the pattern "example.org", or ".example.org" for it and its subdomains, names: 0 when it
 * does not apply; an exact name counts most, then the longest. Both are A-labels.
 */
size_t domain_fit(const char *pattern, const char *domain);

/* "[192.0.2.1]" or "[IPv6:2001:db8::1]". Other literals have no meaning to us and are false. */
bool domain_is_address_literal(struct span literal);

/*
 * What a client may call itself in EHLO: either of the above, and, because mail programs pass on the names
 * of the computers they run on, also labels with underscores or a dot at the end. Nothing else may reach
 * a trace field (A9).
 */
bool domain_is_client_name(struct span name);

#endif
