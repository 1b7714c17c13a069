/* One text for all who run out of memory here. */
#ifndef SEALGATE_SEAL_NO_MEMORY_H
#define SEALGATE_SEAL_NO_MEMORY_H

#include "base/error.h"

/* STATUS_TEMPORARY: "out of memory for WHAT". */
static inline enum status seal_no_memory(const char *what, struct error *err)
{
    return error_set(err, STATUS_TEMPORARY, "out of memory for %s", what);
}

#endif
