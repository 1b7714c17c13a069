#include "gateway/net/tlsa.h"

#include <stdlib.h>
#include <string.h>

struct tlsa_records *tlsa_records_copy(const struct tlsa_records *records)
{
    size_t size = sizeof *records + records->data_len;
    struct tlsa_records *copy = malloc(size);
    return copy ? memcpy(copy, records, size) : NULL;
}

struct span tlsa_data(const struct tlsa_records *records, size_t i)
{
    return span_of(records->data + records->items[i].at, records->items[i].len);
}

void tlsa_write(const struct tlsa_records *records, size_t i, struct buf *out)
{
    const struct tlsa_record *r = &records->items[i];
    buf_printf(out, "%u %u %u ", r->usage, r->selector, r->matching);
    for (size_t k = 0; k < r->len; k++)
        buf_printf(out, "%02x", records->data[r->at + k]);
}
