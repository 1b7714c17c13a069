/*
 * Whose address is it? May a user or relay client that holds these patterns have ADDRESS as reverse-path, in
 * From or in Sender (A8)? Pure.
 *
 * Stricter than the conditions of rules (pattern.h): what matches by accident lets somebody send as another.
 */
#ifndef SEALGATE_POLICY_SENDER_H
#define SEALGATE_POLICY_SENDER_H

#include <stdbool.h>
#include <stddef.h>

/* "*" alone: any address, and what is none. */
bool sender_is_anybody(char *const *patterns, size_t n);

/*
 * PATTERNS: "a@b", "@b" (domain), ".b" (domain and subdomains), with * and ? as wildcards, which never reach
 * over the "@"; or "*". No pattern: nobody's. ADDRESS: an addr-spec (RFC 5322 §3.4.1, RFC 6532) without
 * comments or brackets; what is none, "" too, is owned by "*" alone.
 *
 * Local parts are compared without needless quotes and whatever their case; domains as A-labels. Characters
 * outside ASCII never stand for ASCII ones (a Kelvin sign is no K, a full-width letter no letter), be it in
 * the local part or, by the mapping of UTS 46, in the domain.
 */
bool sender_owns(char *const *patterns, size_t n, const char *address);

/* Why ADDRESS is refused, and what to do, for the client. CLIENT: the relay client's name; "" or NULL: USER
 * is meant. */
void sender_refusal(const char *address, const char *user, const char *client, char *text_out, size_t size);

#endif
