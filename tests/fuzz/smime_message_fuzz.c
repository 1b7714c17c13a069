/* Input: a message as it is for smime_message_read. */
#include "smime/message.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct smime_message *message = NULL;
    struct error err;
    if (smime_message_read(span_of(bytes, len), &message, &err) == STATUS_OK) {
        require(smime_message_recipients(message) > 0);
        require(!smime_message_is_for(message, span_of(bytes, len)));
        smime_message_free(message);
    } else {
        require(message == NULL);
        require_clean(span_str(err.text));
    }
    return 0;
}
