/* Reading the encrypted messages of others: armored or binary, any bytes. */
#include <stdint.h>
#include <stdlib.h>

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
    return 0;
}
