#include "pgp/packet.h"

static enum status damaged(struct error *err, const char *what)
{
    return error_set(err, STATUS_INVALID, "damaged OpenPGP data: %s", what);
}

unsigned long long pgp_packet_number(const char *p, size_t len)
{
    unsigned long long value = 0;

    for (size_t i = 0; i < len; i++)
        value = value << 8 | (unsigned char)p[i];
    return value;
}

static void skip(struct span *rest, size_t len)
{
    rest->p += len;
    rest->len -= len;
}

/* Takes a number of LEN octets; false when there are fewer. */
static bool take_number(struct span *rest, size_t len, size_t *value_out)
{
    if (rest->len < len)
        return false;
    *value_out = (size_t)pgp_packet_number(rest->p, len);
    skip(rest, len);
    return true;
}

size_t pgp_length_octets(uint8_t first)
{
    return first < 192 ? 1 : first < 224 ? 2 : first < 255 ? 1 : PGP_LENGTH_OCTETS_MAX;
}

size_t pgp_length_read(const uint8_t *octets, bool *partial_out)
{
    uint8_t first = octets[0];

    *partial_out = first >= 224 && first < 255;
    if (first < 192)
        return first;
    if (first < 224)
        return ((size_t)(first - 192) << 8) + 192 + octets[1];
    if (first < 255)
        return (size_t)1 << (first & 0x1f);
    return (size_t)pgp_packet_number((const char *)octets + 1, 4);
}

static bool take_new_length(struct span *rest, size_t *len_out, bool *partial_out)
{
    const uint8_t *octets = (const uint8_t *)rest->p;
    size_t n = rest->len > 0 ? pgp_length_octets(octets[0]) : 1;

    if (n > rest->len)
        return false;
    *len_out = pgp_length_read(octets, partial_out);
    skip(rest, n);
    return true;
}

bool pgp_packet_may_be_partial(unsigned tag)
{
    return tag == PGP_TAG_COMPRESSED || tag == PGP_TAG_SED || tag == PGP_TAG_LITERAL ||
           tag == PGP_TAG_SEIPD || tag == PGP_TAG_AEAD;
}

static enum status take_new_body(struct span *rest, struct pgp_packet *packet, struct error *err)
{
    bool partial;
    size_t len;

    for (bool first = true;; first = false) {
        if (!take_new_length(rest, &len, &partial) || len > rest->len)
            return damaged(err, "a packet is longer than the data");
        if (partial && !pgp_packet_may_be_partial(packet->tag))
            return damaged(err, "a packet that may not come in parts does");
        if (partial && first && len < PGP_PARTIAL_FIRST_MIN)
            return damaged(err, "the first part of a packet is shorter than 512 octets");
        if (first) {
            packet->body = span_of(rest->p, len);
            packet->partial = partial;
        }
        packet->body_len += len;
        skip(rest, len);
        if (!partial)
            return STATUS_OK;
    }
}

/* Old-format length (RFC 4880 §4.2.1). */
static enum status take_old_body(struct span *rest, unsigned length_type, struct pgp_packet *packet,
                                 struct error *err)
{
    size_t len;

    if (length_type == 3)
        return damaged(err, "a packet of indeterminate length");
    if (!take_number(rest, (size_t)1 << length_type, &len) || len > rest->len)
        return damaged(err, "a packet is longer than the data");
    packet->body = span_of(rest->p, len);
    packet->body_len = len;
    skip(rest, len);
    return STATUS_OK;
}

enum status pgp_packet_next(struct span *rest, struct pgp_packet *packet_out, struct error *err)
{
    struct span start = *rest;
    enum status status;
    unsigned first;

    *packet_out = (struct pgp_packet){0};
    if (rest->len == 0)
        return damaged(err, "a packet is missing");
    first = (unsigned char)rest->p[0];
    if (!(first & 0x80))
        return damaged(err, "bytes that are no packet");
    skip(rest, 1);
    if (first & 0x40) {
        packet_out->tag = first & 0x3f;
        status = take_new_body(rest, packet_out, err);
    } else {
        packet_out->tag = (first >> 2) & 0x0f;
        status = take_old_body(rest, first & 3, packet_out, err);
    }
    if (status == STATUS_OK && packet_out->tag == 0)
        status = damaged(err, "a packet with the reserved tag 0");
    packet_out->whole = span_of(start.p, start.len - rest->len);
    return status;
}
