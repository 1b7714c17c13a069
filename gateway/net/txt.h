/* TXT records (RFC 1035 §3.3.14), the character-strings of each put together (RFC 7208 §3.3, RFC 8461 §3.1).
 */
#ifndef SEALGATE_NET_TXT_H
#define SEALGATE_NET_TXT_H

#include <stddef.h>

#include "base/span.h"

/* A name with more is not understood at all: which of them count must not be chance. */
#define TXT_RECORDS_MAX 64

/* One block of memory, to be freed by free(). */
struct txt_records {
    size_t n;
    struct {
        size_t at, len; /* in data */
    } items[TXT_RECORDS_MAX];
    size_t data_len;
    char data[];
};

/* Any bytes may stand in it. */
static inline struct span txt_data(const struct txt_records *records, size_t i)
{
    return span_of(records->data + records->items[i].at, records->items[i].len);
}

#endif
