#include "pgp/base64.h"

#define NOT_BASE64 64
#define CRC24_INIT 0xb704ceu
#define CRC24_POLY 0x1864cfbu

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

uint32_t pgp_base64_value(char c)
{
    const char *at = c ? strchr(alphabet, c) : NULL;

    return at ? (uint32_t)(at - alphabet) : 0;
}

void pgp_base64_start(struct pgp_base64 *decoder, struct buf *out)
{
    *decoder = (struct pgp_base64){.out = out};
    memset(decoder->value, NOT_BASE64, sizeof decoder->value);
    for (uint8_t i = 0; i < NOT_BASE64; i++)
        decoder->value[(uint8_t)alphabet[i]] = i;
}

bool pgp_base64_feed(struct pgp_base64 *decoder, struct span text)
{
    /* At most three bytes for each four characters, those kept from before included. */
    uint8_t *at = buf_reserve(decoder->out, text.len / 4 * 3 + 3);
    size_t n = 0;

    if (!at)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t v = decoder->value[(uint8_t)text.p[i]];

        if (text.p[i] == '=' && decoder->pads < 2) {
            decoder->pads++;
            continue;
        }
        if (v == NOT_BASE64 || decoder->pads > 0)
            return false;
        decoder->bits = decoder->bits << 6 | v;
        if (++decoder->count < 4)
            continue;
        at[n++] = (uint8_t)(decoder->bits >> 16);
        at[n++] = (uint8_t)(decoder->bits >> 8);
        at[n++] = (uint8_t)decoder->bits;
        decoder->count = 0;
        decoder->bits = 0;
    }
    buf_commit(decoder->out, n);
    return true;
}

bool pgp_base64_end(struct pgp_base64 *decoder)
{
    uint32_t bits = decoder->bits;

    if (decoder->count == 0)
        return decoder->pads == 0;
    if (decoder->count == 2 && decoder->pads == 2 && !(bits & 0x0f)) {
        buf_append_char(decoder->out, (char)(bits >> 4));
        return !decoder->out->failed;
    }
    if (decoder->count == 3 && decoder->pads == 1 && !(bits & 0x03)) {
        buf_append_char(decoder->out, (char)(bits >> 10));
        buf_append_char(decoder->out, (char)(bits >> 2));
        return !decoder->out->failed;
    }
    return false;
}

void pgp_crc24_start(struct pgp_crc24 *crc)
{
    crc->value = CRC24_INIT;
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t v = i << 16;

        for (int bit = 0; bit < 8; bit++)
            v = v << 1 ^ (v & 0x800000u ? CRC24_POLY : 0);
        crc->table[i] = v & 0xffffffu;
    }
}

void pgp_crc24_add(struct pgp_crc24 *crc, struct span data)
{
    uint32_t value = crc->value;

    for (size_t i = 0; i < data.len; i++)
        value = (value << 8 & 0xffffffu) ^ crc->table[(value >> 16 & 0xff) ^ (uint8_t)data.p[i]];
    crc->value = value;
}

uint32_t pgp_crc24(struct span data)
{
    struct pgp_crc24 crc;

    pgp_crc24_start(&crc);
    pgp_crc24_add(&crc, data);
    return crc.value;
}
