/* Fuzzes what reads OpenPGP bytes without GnuPG: certificate files, and the proof of our own messages. */
#include <openssl/evp.h>
#include <stdint.h>
#include <stdlib.h>

#include "pgp/base64.h"
#include "pgp/pgp.h"

#define LINE_BYTES 48 /* of data, in a line of 64 characters */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void split(struct span file)
{
    struct pgp_certificates list;

    if (pgp_certificates_split(file, 8, &list, NULL) != STATUS_OK && list.n != 0)
        abort();
    for (size_t i = 0; i < list.n; i++) {
        struct pgp_certificates again;

        /* What was cut out is one certificate. */
        if (pgp_certificates_split(buf_span(&list.items[i]), 1, &again, NULL) != STATUS_OK || again.n != 1)
            abort();
        pgp_certificates_free(&again);
    }
    pgp_certificates_free(&list);
}

static enum status check(struct span armored)
{
    static const uint64_t alice[] = {0x1111111111111111}, bob[] = {0x2222222222222222, 0x2121212121212121};
    static const struct pgp_expected expected[] = {{alice, 1}, {bob, 2}};

    return pgp_check_message(armored, expected, 2, 10, NULL);
}

/* The input as armored packets, so that the packets behind a right CRC are reached. */
static void check_in_armor(struct span data)
{
    unsigned char line[LINE_BYTES / 3 * 4 + 1], crc[3];
    uint32_t value = pgp_crc24(data);
    struct buf out;

    buf_init(&out, 1u << 24);
    buf_append_str(&out, "-----BEGIN PGP MESSAGE-----\r\n\r\n");
    for (size_t i = 0; i < data.len; i += LINE_BYTES) {
        size_t n = data.len - i < LINE_BYTES ? data.len - i : LINE_BYTES;

        EVP_EncodeBlock(line, (const unsigned char *)data.p + i, (int)n);
        buf_printf(&out, "%s\r\n", (const char *)line);
    }
    for (int i = 0; i < 3; i++)
        crc[i] = (unsigned char)(value >> (16 - 8 * i));
    EVP_EncodeBlock(line, crc, 3);
    buf_printf(&out, "=%s\r\n-----END PGP MESSAGE-----\r\n", (const char *)line);
    /* A message that passes must not pass any more with a byte behind it. */
    if (check(buf_span(&out)) == STATUS_OK) {
        buf_append_char(&out, '\n');
        if (check(buf_span(&out)) == STATUS_OK)
            abort();
    }
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span input = span_of(data, size);

    split(input);
    (void)check(input);
    check_in_armor(input);
    return 0;
}
