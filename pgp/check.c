#include "pgp/armor.h"
#include "pgp/packet.h"
#include "pgp/pgp.h"

#define PKESK_VERSION 3
#define PKESK_HEAD 10 /* version, key ID, algorithm (RFC 4880 §5.1) */
#define SEIPD_VERSION 1

/*
 * What SEIPD holds beside the plaintext, at least (RFC 4880 §5.13): its version; a prefix of the cipher's
 * block size and 2; the literal packet's header and length, its format, an empty name and a date
 * (§5.9); the MDC packet. Counted with the smallest block size, 8.
 */
#define SEIPD_EXTRA (1 + 10 + 2 + 6 + 22)

static enum status unproven(struct error *err, const char *what)
{
    return error_set(err, STATUS_INTERNAL, "the OpenPGP message that GnuPG made is not right: %s", what);
}

static enum status next(struct span *rest, struct pgp_packet *packet, struct error *err)
{
    struct error why;

    return pgp_packet_next(rest, packet, &why) == STATUS_OK ? STATUS_OK : unproven(err, why.text);
}

static bool names_one(const struct pgp_expected *expected, uint64_t keyid)
{
    for (size_t i = 0; i < expected->n_keyids; i++)
        if (expected->keyids[i] == keyid)
            return true;
    return false;
}

/* Reads the key ID of a PKESK that names somebody who is expected. */
static enum status read_pkesk(const struct pgp_packet *packet, const struct pgp_expected *expected,
                              size_t n_expected, uint64_t *keyid_out, struct error *err)
{
    if (packet->body_len <= PKESK_HEAD || packet->body.p[0] != PKESK_VERSION)
        return unproven(err, "a PKESK that is not version 3");
    *keyid_out = pgp_packet_number(packet->body.p + 1, 8);
    /* RFC 4880 §5.1: key ID 0 hides the recipient; so nobody could tell who can read the message. */
    if (*keyid_out == 0)
        return unproven(err, "a hidden recipient");
    for (size_t i = 0; i < n_expected; i++)
        if (names_one(&expected[i], *keyid_out))
            return STATUS_OK;
    return unproven(err, "a PKESK for a key that is not a recipient's");
}

/* Counts the PKESKs in front of REST that name one of EXPECTED's keys. */
static size_t count_pkesks(struct span rest, const struct pgp_expected *expected)
{
    struct pgp_packet packet;
    size_t n = 0;

    while (rest.len > 0 && pgp_packet_next(&rest, &packet, NULL) == STATUS_OK && packet.tag == PGP_TAG_PKESK)
        if (names_one(expected, pgp_packet_number(packet.body.p + 1, 8)))
            n++;
    return n;
}

/* Walks all PKESKs; *PACKET_OUT is the packet behind them, *REST what follows it. */
static enum status check_pkesks(struct span *rest, const struct pgp_expected *expected, size_t n_expected,
                                struct pgp_packet *packet_out, struct error *err)
{
    struct span start = *rest;
    uint64_t keyid;

    for (;;) {
        enum status status = next(rest, packet_out, err);

        if (status == STATUS_OK && packet_out->tag != PGP_TAG_PKESK)
            break;
        if (status == STATUS_OK)
            status = read_pkesk(packet_out, expected, n_expected, &keyid, err);
        if (status != STATUS_OK)
            return status;
    }
    /*
     * Two recipients may share a key: GnuPG writes one PKESK then, and it serves both. All packets up to
     * here were walked, so the count sees the same ones.
     */
    for (size_t i = 0; i < n_expected; i++) {
        size_t n = count_pkesks(start, &expected[i]);

        if (n != 1)
            return unproven(err, n == 0 ? "no PKESK for one of the recipients"
                                        : "more than one PKESK for the same recipient");
    }
    return STATUS_OK;
}

/* RFC 4880 §5.13. A SED packet (tag 9) has no MDC: its plaintext could be changed unseen (EFAIL). */
static enum status check_seipd(const struct pgp_packet *packet, size_t plaintext_len, struct error *err)
{
    if (packet->tag == PGP_TAG_SED)
        return unproven(err, "encrypted data without MDC");
    if (packet->tag == PGP_TAG_SKESK)
        return unproven(err, "it can be read with a password");
    if (packet->tag != PGP_TAG_SEIPD)
        return unproven(err, "a packet that is neither PKESK nor SEIPD");
    if (packet->body_len == 0 || packet->body.p[0] != SEIPD_VERSION)
        return unproven(err, "a SEIPD packet that is not version 1");
    if (packet->body_len < SEIPD_EXTRA || packet->body_len - SEIPD_EXTRA < plaintext_len)
        return unproven(err, "it is shorter than its plaintext");
    return STATUS_OK;
}

static enum status check_packets(struct span data, const struct pgp_expected *expected, size_t n_expected,
                                 size_t plaintext_len, struct error *err)
{
    struct span rest = data;
    struct pgp_packet packet;
    enum status status;

    status = check_pkesks(&rest, expected, n_expected, &packet, err);
    if (status == STATUS_OK)
        status = check_seipd(&packet, plaintext_len, err);
    if (status == STATUS_OK && rest.len > 0)
        status = unproven(err, "bytes behind the SEIPD packet");
    return status;
}

enum status pgp_check_message(struct span armored, const struct pgp_expected *expected, size_t n_expected,
                              size_t plaintext_len, struct error *err)
{
    struct error why = {0};
    enum status status;
    struct buf data;

    if (n_expected == 0)
        return unproven(err, "nobody is expected to read it");
    if (armored.len == 0)
        return unproven(err, "it is empty");
    buf_init(&data, armored.len);
    status = pgp_armor_decode_message(armored, &data, &why);
    if (status == STATUS_OK)
        status = check_packets(buf_span(&data), expected, n_expected, plaintext_len, err);
    else if (data.failed)
        status = error_set(err, STATUS_TEMPORARY, "cannot check an OpenPGP message: out of memory");
    else
        status = unproven(err, why.text);
    buf_free(&data);
    return status;
}
