/* How the entries of a rule's conditions are compared with what a message has. Pure; for policy.c, and the
 * form of a pattern for sender.c. */
#ifndef SEALGATE_POLICY_PATTERN_H
#define SEALGATE_POLICY_PATTERN_H

#include <stdbool.h>

/*
 * PATTERN: "a@b", "@b" (domain), ".b" (domain and subdomains), or a whole name without "@"; with * and ? as
 * wildcards. Case-insensitive; domains are compared as A-labels (RFC 5890), quoted local parts without
 * needless quotes. "" matches the null reverse-path alone. VALUE NULL matches nothing.
 */
bool pattern_matches(const char *pattern, const char *value);

/* The canonical form of a pattern: domains as A-labels, an address without needless quotes; wildcards stay.
 * To be freed with g_free. */
char *pattern_form(const char *pattern);

/*
 * Does TEXT contain NEEDLE? TEXT_STRICT: ignoring case and compatibility forms (Unicode NFKC casefold).
 * TEXT_LOOSE: whatever its spelling, message/text_match.h: for rules that protect, since a tag in other
 * letters is meant as the tag; for a rule that lets mail go clear, it would open a door. Bytes that are no
 * UTF-8 count as U+FFFD. TEXT NULL contains nothing.
 */
enum text_match { TEXT_STRICT, TEXT_LOOSE };
bool pattern_in_text(const char *needle, const char *text, enum text_match match);

#endif
