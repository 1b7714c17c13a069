#include "pgp/walk.h"

#include <string.h>

#include "pgp/packet.h"

static enum status damaged(struct error *err, const char *what)
{
    return error_set(err, STATUS_INVALID, "damaged OpenPGP data: %s", what);
}

void pgp_walk_start(struct pgp_walk *walk, pgp_walk_fn *fn, void *arg)
{
    *walk = (struct pgp_walk){.fn = fn, .arg = arg};
}

/* ---- one packet ---- */

/* RFC 4880 §4.2: new and old format; old lengths have 1, 2, 4 octets, or none. */
static enum status take_tag(struct pgp_walk *walk, uint8_t octet, struct error *err)
{
    walk->packet = (struct pgp_walked){0};
    walk->state = PGP_WALK_LENGTH;
    walk->n_length = 0;
    walk->first_part = true;
    walk->new_format = octet & 0x40;
    if (!(octet & 0x80))
        return damaged(err, "bytes that are no packet");
    walk->packet.tag = walk->new_format ? octet & 0x3f : octet >> 2 & 0x0f;
    if (walk->packet.tag == 0)
        return damaged(err, "a packet with the reserved tag 0");
    if (!walk->new_format && (octet & 3) == 3)
        return damaged(err, "a packet of indeterminate length");
    walk->want_length = walk->new_format ? 1 : (size_t)1 << (octet & 3);
    return STATUS_OK;
}

/* The length is complete: what it says of the next part of the body. */
static enum status begin_part(struct pgp_walk *walk, struct error *err)
{
    walk->partial = false;
    walk->left = walk->new_format ? pgp_length_read(walk->length, &walk->partial)
                                  : (size_t)pgp_packet_number((const char *)walk->length, walk->n_length);
    walk->state = PGP_WALK_BODY;
    if (walk->partial && !pgp_packet_may_be_partial(walk->packet.tag))
        return damaged(err, "a packet that may not come in parts does");
    if (walk->partial && walk->first_part && walk->left < PGP_PARTIAL_FIRST_MIN)
        return damaged(err, "the first part of a packet is shorter than 512 octets");
    walk->first_part = false;
    return STATUS_OK;
}

static enum status end_part(struct pgp_walk *walk, struct error *err)
{
    walk->state = walk->partial ? PGP_WALK_LENGTH : PGP_WALK_TAG;
    walk->n_length = 0;
    walk->want_length = 1;
    return walk->partial ? STATUS_OK : walk->fn(walk->arg, &walk->packet, err);
}

static enum status take_length(struct pgp_walk *walk, uint8_t octet, struct error *err)
{
    enum status status;

    walk->length[walk->n_length++] = octet;
    if (walk->new_format)
        walk->want_length = pgp_length_octets(walk->length[0]);
    if (walk->n_length < walk->want_length)
        return STATUS_OK;
    status = begin_part(walk, err);
    return status == STATUS_OK && walk->left == 0 ? end_part(walk, err) : status;
}

/* Takes as much of DATA as belongs to this part of the body. */
static enum status take_body(struct pgp_walk *walk, struct span *data, struct error *err)
{
    struct pgp_walked *packet = &walk->packet;
    size_t len = data->len < walk->left ? data->len : walk->left;
    size_t kept = PGP_WALK_HEAD - packet->head_len < len ? PGP_WALK_HEAD - packet->head_len : len;

    memcpy(packet->head + packet->head_len, data->p, kept);
    packet->head_len += kept;
    packet->body_len += len;
    walk->left -= len;
    *data = span_of(data->p + len, data->len - len);
    return walk->left == 0 ? end_part(walk, err) : STATUS_OK;
}

/* ---- all of them ---- */

enum status pgp_walk_feed(struct pgp_walk *walk, struct span data, struct error *err)
{
    enum status status = STATUS_OK;

    while (data.len > 0 && status == STATUS_OK) {
        uint8_t octet = (uint8_t)data.p[0];

        if (walk->state == PGP_WALK_BODY) {
            status = take_body(walk, &data, err);
            continue;
        }
        data = span_of(data.p + 1, data.len - 1);
        status = walk->state == PGP_WALK_TAG ? take_tag(walk, octet, err) : take_length(walk, octet, err);
    }
    return status;
}

enum status pgp_walk_end(const struct pgp_walk *walk, struct error *err)
{
    return walk->state == PGP_WALK_TAG ? STATUS_OK : damaged(err, "a packet is longer than the data");
}
