/* The arguments of BDAT (RFC 3030 §2): "BDAT" SP chunk-size [SP "LAST"]. */
#ifndef SEALGATE_WIRE_BDAT_H
#define SEALGATE_WIRE_BDAT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

struct bdat {
    uint64_t size; /* bytes behind the command line; larger than 64 bits: UINT64_MAX */
    bool last;
};

/* False: nobody can say how many bytes follow, nor where the next command begins. */
bool bdat_parse(struct span args, struct bdat *bdat_out);

#endif
