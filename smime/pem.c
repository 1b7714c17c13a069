#include "smime/pem.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include "smime/certificate.h"

enum status smime_pem_each(struct span text, smime_pem_take *take, void *arg, struct error *err)
{
    BIO *in = BIO_new_mem_buf(text.p, (int)text.len);
    enum status status = in ? STATUS_OK : smime_failure(err, STATUS_TEMPORARY, "PEM");
    while (status == STATUS_OK) {
        char *label = NULL;
        char *header = NULL;
        unsigned char *data = NULL;
        long len = 0;
        if (PEM_read_bio_ex(in, &label, &header, &data, &len, 0) == 1) {
            status = take(arg, label, span_of(data, (size_t)len), err);
        } else if (ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE) {
            break;
        } else {
            status = smime_failure(err, STATUS_INVALID, "damaged PEM block");
        }
        OPENSSL_free(label);
        OPENSSL_free(header);
        OPENSSL_free(data);
    }
    BIO_free(in);
    return status;
}
