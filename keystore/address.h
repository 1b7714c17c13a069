/* Addresses as certificates name them and as they are looked for. */
#ifndef SEALGATE_KEYSTORE_ADDRESS_H
#define SEALGATE_KEYSTORE_ADDRESS_H

#include "keystore/keystore.h"

/* Longest key with its NUL: a local part of 256 bytes, each escaped, in quotes; "@"; a domain. */
#define ADDRESS_KEY_SIZE (2 * 256 + 2 + 1 + 255 + 1)

/* Both forms of one address: FOLDED finds, EXACT tells apart where local parts are case-sensitive. */
struct address_keys {
    char exact[ADDRESS_KEY_SIZE];
    char folded[ADDRESS_KEY_SIZE];
};

/* STATUS_INVALID: ADDRESS is no addr-spec. STATUS_TEMPORARY: out of memory. */
MUST_USE enum status address_keys_make(const char *address, struct address_keys *keys_out, struct error *err);

/* The domain as a key: lower-case A-labels. A leading "@" is passed over. STATUS_INVALID: it is none. */
#define DOMAIN_KEY_SIZE 256
MUST_USE enum status address_domain_key(const char *domain, char key_out[DOMAIN_KEY_SIZE], struct error *err);

/* The domain in KEYS. */
const char *address_keys_domain(const struct address_keys *keys);

/* "user+tag@d" → "user@d" in place; false when there is no tag or nothing before it. */
bool address_keys_drop_tag(struct address_keys *keys);

#endif
