/* Which client certificate is meant, in account and client sections. */
#ifndef SEALGATE_POLICY_CERTIFICATE_PATTERN_H
#define SEALGATE_POLICY_CERTIFICATE_PATTERN_H

#include <stdbool.h>

/* "sha256:HEX" (64 digits in any case, colons between them or not) or "subject:TEXT", not empty. */
bool certificate_pattern_is_valid(const char *pattern);

/* SHA256 is lower-case hexadecimal without colons, SUBJECT as RFC 2253 writes it; either may be "" or NULL
 * for none, which matches nothing. A subject is compared byte by byte. */
bool certificate_pattern_matches(const char *pattern, const char *sha256, const char *subject);

#endif
