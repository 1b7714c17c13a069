/* SHA-256 in pieces, as 64 hexadecimal digits. */
#ifndef SEALGATE_QUEUE_DIGEST_H
#define SEALGATE_QUEUE_DIGEST_H

#include <openssl/types.h>

#include "base/error.h"
#include "base/span.h"

#define DIGEST_HEX_SIZE 65

struct digest {
    EVP_MD_CTX *ctx; /* NULL: failed; told by digest_end */
};

void digest_start(struct digest *digest);
void digest_add(struct digest *digest, struct span bytes);

/* Ends and frees, in every case. STATUS_TEMPORARY: out of memory somewhere on the way. */
MUST_USE enum status digest_end(struct digest *digest, char hex_out[DIGEST_HEX_SIZE], struct error *err);

#endif
