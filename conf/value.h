/* One value of the configuration: from its text to its type. */
#ifndef SEALGATE_CONF_VALUE_H
#define SEALGATE_CONF_VALUE_H

#include "conf/schema.h"

/*
 * Sets the member of BASE that KEY describes from N texts (one, but for lists), freeing what it held.
 * STATUS_INVALID: the text says what is allowed.
 */
MUST_USE enum status conf_value_set(void *base, const struct conf_key *key, const char *const *texts,
                                    size_t n, struct error *err);

void conf_strings_free(struct conf_strings *strings);

#endif
