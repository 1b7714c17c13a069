/* What people want to be written to with. */
#ifndef SEALGATE_KEYSTORE_PREFER_H
#define SEALGATE_KEYSTORE_PREFER_H

#include "keystore/address.h"
#include "keystore/private.h"

/* That of the address, else without its tag, else of its domain; 0: nothing is known. */
MUST_USE enum status preference_find(struct keystore *ks, const struct address_keys *keys,
                                     enum certificate_format *format_out, struct error *err);

#endif
