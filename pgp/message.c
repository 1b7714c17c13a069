#include "pgp/message.h"

#include <stdlib.h>

#include "pgp/armor.h"
#include "pgp/packet.h"
#include "pgp/walk.h"

#define PKESK_VERSION 3
#define PKESK_HEAD 10 /* version, key ID, algorithm (RFC 4880 §5.1) */
#define SEIPD_VERSION 1
/* The least that a SEIPD packet of any use holds (RFC 4880 §5.13): version, prefix, a literal packet with an
 * empty name and no data, MDC. */
#define SEIPD_MIN (1 + 10 + 2 + 6 + 22)

static enum status not_sealed(struct error *err, const char *what)
{
    return error_set(err, STATUS_INVALID, "%s", what);
}

static enum status add_keyid(struct pgp_message *message, uint64_t keyid, struct error *err)
{
    if (message->n_keyids == PGP_MESSAGE_KEYS_MAX)
        return error_set(err, STATUS_LIMIT, "an OpenPGP message for more than %d keys", PGP_MESSAGE_KEYS_MAX);
    /* Grows when the count reaches a power of two. */
    if ((message->n_keyids & (message->n_keyids - 1)) == 0) {
        size_t room = message->n_keyids ? 2 * message->n_keyids : 1;
        uint64_t *keyids = realloc(message->keyids, room * sizeof *keyids);

        if (!keyids)
            return error_set(err, STATUS_TEMPORARY, "out of memory for the keys of a message");
        message->keyids = keyids;
    }
    message->keyids[message->n_keyids++] = keyid;
    return STATUS_OK;
}

static enum status read_pkesk(const struct pgp_walked *packet, struct pgp_message *message, struct error *err)
{
    if (packet->body_len <= PKESK_HEAD || packet->head[0] != PKESK_VERSION)
        return not_sealed(err, "a PKESK that is not version 3");
    return add_keyid(message, pgp_packet_number((const char *)packet->head + 1, 8), err);
}

static enum status read_seipd(const struct pgp_walked *packet, const struct pgp_message *message,
                              struct error *err)
{
    if (packet->tag == PGP_TAG_SKESK)
        return not_sealed(err, "a password opens it");
    if (packet->tag == PGP_TAG_SED)
        return not_sealed(err, "it has no MDC");
    if (packet->tag == PGP_TAG_AEAD)
        return not_sealed(err, "it has AEAD of a draft (tag 20), which few programs read");
    if (packet->tag != PGP_TAG_SEIPD)
        return not_sealed(err, "a packet that is neither PKESK nor SEIPD");
    if (message->n_keyids == 0)
        return not_sealed(err, "no key opens it");
    if (packet->body_len < SEIPD_MIN || packet->head[0] != SEIPD_VERSION)
        return not_sealed(err, "a SEIPD packet that is not version 1, or too short for any content");
    return STATUS_OK;
}

/* What has been read so far. */
struct reading {
    struct pgp_message *message;
    bool ended; /* the SEIPD packet is behind us */
    struct pgp_walk walk;
};

static enum status take_packet(void *arg, const struct pgp_walked *packet, struct error *err)
{
    struct reading *reading = arg;

    if (reading->ended)
        return not_sealed(err, "bytes behind the SEIPD packet");
    if (packet->tag == PGP_TAG_PKESK)
        return read_pkesk(packet, reading->message, err);
    reading->ended = true;
    return read_seipd(packet, reading->message, err);
}

static enum status take_bytes(void *arg, struct span bytes, struct error *err)
{
    struct reading *reading = arg;

    return pgp_walk_feed(&reading->walk, bytes, err);
}

/* The first octet of a packet has its high bit set (RFC 4880 §4.2), text has not. */
static bool is_binary(struct span data)
{
    return data.len > 0 && (unsigned char)data.p[0] & 0x80;
}

static enum status read_data(struct span data, struct reading *reading, struct error *err)
{
    const struct sink sink = {.write = take_bytes, .arg = reading};
    enum status status =
        is_binary(data) ? sink_write(&sink, data, err) : pgp_armor_decode_message(data, &sink, err);

    if (status == STATUS_OK)
        status = pgp_walk_end(&reading->walk, err);
    if (status == STATUS_OK && !reading->ended)
        status = not_sealed(err, "it ends before the encrypted data");
    return status;
}

enum status pgp_message_read(struct span data, struct pgp_message *message_out, struct error *err)
{
    struct reading reading = {.message = message_out};
    struct error why = {0};
    enum status status;

    *message_out = (struct pgp_message){0};
    pgp_walk_start(&reading.walk, take_packet, &reading);
    status = read_data(data, &reading, &why);
    if (status == STATUS_OK)
        return STATUS_OK;
    pgp_message_free(message_out);
    return error_set(err, status, "no encrypted OpenPGP message: %s", why.text);
}

void pgp_message_free(struct pgp_message *message)
{
    free(message->keyids);
    *message = (struct pgp_message){0};
}
