#include "keystore/detect.h"

#include <string.h>

#define BEGIN "-----BEGIN "
#define BEGIN_PGP "-----BEGIN PGP "
#define BYTE_ORDER_MARK "\xef\xbb\xbf"

/* A SEQUENCE whose length does not fit one byte, as no certificate's does (X.690 §8.1.3). */
static bool is_der(struct span file)
{
    return file.len >= 2 && file.p[0] == 0x30 && (unsigned char)file.p[1] & 0x80;
}

/* The byte order mark of UTF-8 would be a packet of tag 47, which RFC 4880 does not have. */
static bool is_binary_openpgp(struct span file)
{
    return (unsigned char)file.p[0] & 0x80 && !span_starts(file, BYTE_ORDER_MARK);
}

struct blocks {
    bool openpgp, other;
};

/* A BEGIN line begins a line; the same words elsewhere are text. */
static struct blocks find_blocks(struct span text)
{
    struct blocks found = {0};
    const char *end = text.p + text.len;
    const char *at = text.p;

    while ((at = memmem(at, (size_t)(end - at), BEGIN, strlen(BEGIN)))) {
        if (at == text.p || at[-1] == '\n' || at[-1] == '\r' || at[-1] == BYTE_ORDER_MARK[2]) {
            if (span_starts(span_of(at, (size_t)(end - at)), BEGIN_PGP))
                found.openpgp = true;
            else
                found.other = true;
        }
        at += strlen(BEGIN);
    }
    return found;
}

enum status keystore_detect_format(struct span file, enum certificate_format *format_out, struct error *err)
{
    if (file.len == 0)
        return error_set(err, STATUS_INVALID, "the file is empty");
    if (is_binary_openpgp(file) || is_der(file)) {
        *format_out = is_der(file) ? CERTIFICATE_SMIME : CERTIFICATE_OPENPGP;
        return STATUS_OK;
    }
    struct blocks found = find_blocks(file);
    if (found.openpgp && found.other)
        return error_set(err, STATUS_INVALID,
                         "the file holds OpenPGP and X.509 certificates together; add one file of each");
    if (found.openpgp || found.other) {
        *format_out = found.openpgp ? CERTIFICATE_OPENPGP : CERTIFICATE_SMIME;
        return STATUS_OK;
    }
    return error_set(err, STATUS_INVALID,
                     "no certificate in the file; armored or binary OpenPGP, PEM, DER or PKCS#7 is wanted");
}
