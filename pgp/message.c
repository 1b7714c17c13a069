#include "pgp/message.h"

#include <stdlib.h>

#include "pgp/armor.h"
#include "pgp/packet.h"

#define PKESK_VERSION 3
#define PKESK_HEAD 10 /* version, key ID, algorithm (RFC 4880 §5.1) */
#define SEIPD_VERSION 1
/* The least that a SEIPD packet of any use holds (RFC 4880 §5.13): version, prefix, a literal packet with an
 * empty name and no data, MDC. */
#define SEIPD_MIN (1 + 10 + 2 + 6 + 22)

static enum status not_sealed(struct error *err, const char *what)
{
    return error_set(err, STATUS_INVALID, "no encrypted OpenPGP message: %s", what);
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

static enum status read_pkesk(const struct pgp_packet *packet, struct pgp_message *message, struct error *err)
{
    if (packet->body_len <= PKESK_HEAD || packet->body.p[0] != PKESK_VERSION)
        return not_sealed(err, "a PKESK that is not version 3");
    return add_keyid(message, pgp_packet_number(packet->body.p + 1, 8), err);
}

static enum status read_seipd(const struct pgp_packet *packet, struct span rest,
                              const struct pgp_message *message, struct error *err)
{
    if (packet->tag == PGP_TAG_SKESK)
        return not_sealed(err, "a password opens it");
    if (packet->tag == PGP_TAG_SED)
        return not_sealed(err, "it has no MDC");
    if (packet->tag != PGP_TAG_SEIPD)
        return not_sealed(err, "a packet that is neither PKESK nor SEIPD");
    if (message->n_keyids == 0)
        return not_sealed(err, "no key opens it");
    if (packet->body.len == 0 || packet->body.p[0] != SEIPD_VERSION || packet->body_len < SEIPD_MIN)
        return not_sealed(err, "a SEIPD packet that is not version 1, or too short for any content");
    return rest.len > 0 ? not_sealed(err, "bytes behind the SEIPD packet") : STATUS_OK;
}

static enum status read_packets(struct span data, struct pgp_message *message, struct error *err)
{
    struct pgp_packet packet;
    struct error why;

    for (;;) {
        enum status status;

        if (data.len == 0 || pgp_packet_next(&data, &packet, &why) != STATUS_OK)
            return not_sealed(err, data.len == 0 ? "it ends before the encrypted data" : why.text);
        if (packet.tag != PGP_TAG_PKESK)
            return read_seipd(&packet, data, message, err);
        status = read_pkesk(&packet, message, err);
        if (status != STATUS_OK)
            return status;
    }
}

/* The first octet of a packet has its high bit set (RFC 4880 §4.2), text has not. */
static bool is_binary(struct span data)
{
    return data.len > 0 && (unsigned char)data.p[0] & 0x80;
}

enum status pgp_message_read(struct span data, struct pgp_message *message_out, struct error *err)
{
    enum status status = STATUS_OK;
    struct error why = {0};
    struct buf binary;

    *message_out = (struct pgp_message){0};
    buf_init(&binary, data.len);
    if (!is_binary(data)) {
        status = pgp_armor_decode_message(data, &binary, &why);
        if (binary.failed)
            status = error_set(err, STATUS_TEMPORARY, "cannot read an OpenPGP message: out of memory");
        else if (status != STATUS_OK)
            status = not_sealed(err, why.text);
        data = buf_span(&binary);
    }
    if (status == STATUS_OK)
        status = read_packets(data, message_out, err);
    if (status != STATUS_OK)
        pgp_message_free(message_out);
    buf_free(&binary);
    return status;
}

void pgp_message_free(struct pgp_message *message)
{
    free(message->keyids);
    *message = (struct pgp_message){0};
}
