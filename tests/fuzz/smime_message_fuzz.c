/* Input: a message as it is for smime_message_read and smime_signed_form_check. */
#include "smime/message.h"
#include "smime/signed_form.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct smime_message *message = NULL;
    struct error err;
    if (smime_message_read(span_of(bytes, len), &message, &err) == STATUS_OK) {
        require(smime_message_recipients(message) > 0);
        require(!smime_message_is_for(message, span_of(bytes, len)));
    } else {
        require(message == NULL);
        require_clean(span_str(err.text));
    }
    struct span micalg = span_str("sha-256");
    bool encrypted = message != NULL;
    bool detached = smime_signed_form_check(span_of(bytes, len), true, micalg, &err) == STATUS_OK;
    bool opaque = smime_signed_form_check(span_of(bytes, len), false, micalg, &err) == STATUS_OK;
    require(encrypted + detached + opaque <= 1);
    smime_message_free(message);
    return 0;
}
