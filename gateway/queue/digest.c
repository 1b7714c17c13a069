#include "gateway/queue/digest.h"

#include <openssl/evp.h>

#include "base/hex.h"

static void give_up(struct digest *digest)
{
    EVP_MD_CTX_free(digest->ctx);
    digest->ctx = NULL;
}

void digest_start(struct digest *digest)
{
    digest->ctx = EVP_MD_CTX_new();
    if (digest->ctx && EVP_DigestInit_ex(digest->ctx, EVP_sha256(), NULL) != 1)
        give_up(digest);
}

void digest_add(struct digest *digest, struct span bytes)
{
    if (digest->ctx && bytes.len > 0 && EVP_DigestUpdate(digest->ctx, bytes.p, bytes.len) != 1)
        give_up(digest);
}

enum status digest_end(struct digest *digest, char hex_out[DIGEST_HEX_SIZE], struct error *err)
{
    unsigned char raw[EVP_MAX_MD_SIZE];
    unsigned len = 0;

    if (digest->ctx && EVP_DigestFinal_ex(digest->ctx, raw, &len) != 1)
        give_up(digest);
    if (!digest->ctx || len * 2 + 1 != DIGEST_HEX_SIZE)
        return error_set(err, STATUS_TEMPORARY, "cannot compute a SHA-256, out of memory");
    give_up(digest);
    hex_encode(raw, len, hex_out);
    return STATUS_OK;
}
