/*
 * Input, by its first byte:
 *   'S'  a SignedData for a multipart/signed mail around it
 *   else a file for smime_signed_read
 */
#include <stdlib.h>

#include <openssl/evp.h>

#include "smime/signed.h"

#define NOW 1790000000
#define MAIL_MAX (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_any(struct span bytes)
{
    struct smime_signed mail;
    struct error err = {0};
    enum status status = smime_signed_read(bytes, &mail, &err);
    if (status != STATUS_OK && (mail.certificate.len > 0 || mail.others.n > 0 || mail.capabilities)) {
        abort();
    }
    if (status == STATUS_OK) {
        struct smime_certificate_info info;
        if (smime_certificate_inspect(buf_span(&mail.certificate), NULL, &mail.others, NOW, &info, &err) ==
            STATUS_OK) {
            smime_certificate_info_free(&info);
        }
    }
    smime_signed_free(&mail);
}

static void read_in_mail(const uint8_t *data, size_t size)
{
    struct buf mail;
    buf_init(&mail, MAIL_MAX);
    buf_append_str(
        &mail, "Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\"; boundary=b\r\n\r\n"
               "--b\r\nContent-Type: text/plain\r\n\r\nHello\r\n\r\n--b\r\n"
               "Content-Type: application/pkcs7-signature\r\n\r\n");
    buf_append(&mail, data, size);
    buf_append_str(&mail, "\r\n--b--\r\n");
    read_any(buf_span(&mail));
    buf_free(&mail);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0 && data[0] == 'S') {
        read_in_mail(data + 1, size - 1);
    } else {
        read_any(span_of(data, size));
    }
    return 0;
}
