/* Reading the encrypted messages and the signatures of others: armored or binary, any bytes. */
#include <stdint.h>
#include <stdlib.h>

#include "pgp/detached.h"
#include "pgp/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pgp_message message;
    struct error err;
    if (pgp_message_read(span_of(data, size), &message, &err) == STATUS_OK) {
        /* Whatever passes names a key. */
        if (message.n_keyids == 0)
            abort();
        pgp_message_free(&message);
    } else if (message.keyids) {
        abort();
    }
    /* One or the other. */
    if (pgp_detached_check(span_of(data, size), span_str("pgp-sha256"), &err) == STATUS_OK &&
        pgp_message_read(span_of(data, size), &message, &err) == STATUS_OK)
        abort();
    return 0;
}
