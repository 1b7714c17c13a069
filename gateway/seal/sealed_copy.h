/* One sealed copy: encrypted, wrapped, and proven. */
#ifndef SEALGATE_SEAL_SEALED_COPY_H
#define SEALGATE_SEAL_SEALED_COPY_H

#include "gateway/seal/job.h"

struct sealed_order {
    struct span outer; /* header so far: Received and the outer fields */
    struct span inner; /* the entity to be encrypted */
    bool smtputf8;     /* the outer header may hold UTF-8 */
    enum certificate_format format;
    const struct certificate *const *certificates; /* at least one, all of FORMAT */
    size_t n;
};

/*
 * Appends the whole copy to COPY_OUT (empty before) and proves it with verify_copy. STATUS_OK: it is sealed
 * to exactly these certificates. Anything else, and COPY_OUT is reset.
 */
MUST_USE enum status sealed_copy(const struct seal *seal, const struct sealed_order *order,
                                 struct buf *copy_out, struct error *err);

/* A bound on the copy's size, for buf_init. */
size_t sealed_copy_max(const struct sealed_order *order);

#endif
