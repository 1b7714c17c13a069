/* TLSA records (RFC 6698 §2), as DNS gives them; whether one can be used is for who uses it to say. */
#ifndef SEALGATE_NET_TLSA_H
#define SEALGATE_NET_TLSA_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

/* A host with more is not understood at all: which of them count must not be chance. */
#define TLSA_RECORDS_MAX 32

struct tlsa_record {
    uint8_t usage, selector, matching;
    size_t at, len; /* its association data, in struct tlsa_records */
};

/* One block of memory, to be freed by free(). */
struct tlsa_records {
    size_t n;
    struct tlsa_record items[TLSA_RECORDS_MAX];
    size_t data_len;
    unsigned char data[];
};

/* NULL: out of memory. */
struct tlsa_records *tlsa_records_copy(const struct tlsa_records *records);

struct span tlsa_data(const struct tlsa_records *records, size_t i);

/* Record I as zone files have it: "3 1 1 2bb1…". */
void tlsa_write(const struct tlsa_records *records, size_t i, struct buf *out);

#endif
