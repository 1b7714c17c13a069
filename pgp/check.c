#include "pgp/armored.h"
#include "pgp/packet.h"
#include "pgp/pgp.h"

#define PKESK_VERSION 3
#define PKESK_HEAD 10  /* version, key ID, algorithm (RFC 4880 §5.1) */
#define PKESK_MAX 2200 /* bytes of one: ElGamal of 8192 bits, with its header */
#define FRONT_MAX 8192 /* for one more than expected, which is then found */
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

/* RFC 4880 §4.2: old and new format. */
static bool begins_pkesk(struct span rest)
{
    unsigned first = rest.len > 0 ? (unsigned char)rest.p[0] : 0;

    return first == (0xc0 | PGP_TAG_PKESK) || (first & 0xfc) == (0x80 | PGP_TAG_PKESK << 2);
}

/* Walks all PKESKs at the start of FRONT; *LEN_OUT are the bytes they take. */
static enum status check_pkesks(struct span front, const struct pgp_expected *expected, size_t n_expected,
                                size_t *len_out, struct error *err)
{
    struct span rest = front;
    struct pgp_packet packet;
    uint64_t keyid;

    while (begins_pkesk(rest)) {
        enum status status = next(&rest, &packet, err);

        if (status == STATUS_OK)
            status = read_pkesk(&packet, expected, n_expected, &keyid, err);
        if (status != STATUS_OK)
            return status;
    }
    *len_out = front.len - rest.len;
    /*
     * Two recipients may share a key: GnuPG writes one PKESK then, and it serves both. All packets up to
     * here were walked, so the count sees the same ones.
     */
    for (size_t i = 0; i < n_expected; i++) {
        size_t n = count_pkesks(span_of(front.p, *len_out), &expected[i]);

        if (n != 1)
            return unproven(err, n == 0 ? "no PKESK for one of the recipients"
                                        : "more than one PKESK for the same recipient");
    }
    return STATUS_OK;
}

/* ---- the SEIPD packet, which is as large as the message: only its framing is read ---- */

static bool take_octets(const struct pgp_armored *data, size_t *at, size_t n, uint8_t *out)
{
    if (!pgp_armored_read(data, *at, n, out))
        return false;
    *at += n;
    return true;
}

/* New-format body length (RFC 4880 §4.2.2); false: the data ends in it. */
static bool take_length(const struct pgp_armored *data, size_t *at, size_t *len_out, bool *partial_out)
{
    uint8_t octets[PGP_LENGTH_OCTETS_MAX];

    if (!take_octets(data, at, 1, octets) ||
        !take_octets(data, at, pgp_length_octets(octets[0]) - 1, octets + 1))
        return false;
    *len_out = pgp_length_read(octets, partial_out);
    return true;
}

/* Bytes of the body from AT on, which must reach exactly to the end of the data. */
static enum status measure_seipd(const struct pgp_armored *data, size_t at, size_t *len_out,
                                 struct error *err)
{
    bool partial = true;
    size_t len;

    *len_out = 0;
    for (bool first = true; partial; first = false) {
        if (!take_length(data, &at, &len, &partial) || len > data->len - at)
            return unproven(err, "a packet is longer than the data");
        if (partial && first && len < PGP_PARTIAL_FIRST_MIN)
            return unproven(err, "the first part of a packet is shorter than 512 octets");
        *len_out += len;
        at += len;
    }
    return at == data->len ? STATUS_OK : unproven(err, "bytes behind the SEIPD packet");
}

/* RFC 4880 §5.13. A SED packet (tag 9) has no MDC: its plaintext could be changed unseen (EFAIL). */
static enum status check_seipd(const struct pgp_armored *data, size_t at, size_t plaintext_len,
                               struct error *err)
{
    uint8_t tag, version;
    size_t len, first_len, body;
    bool partial;
    enum status status;

    if (!pgp_armored_read(data, at, 1, &tag))
        return unproven(err, "the encrypted data is missing");
    if (tag == (0xc0 | PGP_TAG_SED) || (tag & 0xfc) == (0x80 | PGP_TAG_SED << 2))
        return unproven(err, "encrypted data without MDC");
    if (tag == (0xc0 | PGP_TAG_SKESK) || (tag & 0xfc) == (0x80 | PGP_TAG_SKESK << 2))
        return unproven(err, "it can be read with a password");
    if (tag != (0xc0 | PGP_TAG_SEIPD))
        return unproven(err, "a packet that is neither PKESK nor SEIPD");
    status = measure_seipd(data, at + 1, &len, err);
    if (status != STATUS_OK)
        return status;
    body = at + 1;
    if (!take_length(data, &body, &first_len, &partial) || first_len == 0 ||
        !pgp_armored_read(data, body, 1, &version) || version != SEIPD_VERSION)
        return unproven(err, "a SEIPD packet that is not version 1");
    if (len < SEIPD_EXTRA || len - SEIPD_EXTRA < plaintext_len)
        return unproven(err, "it is shorter than its plaintext");
    return STATUS_OK;
}

/* ---- all of it ---- */

/* The front of DATA, in which the PKESKs lie; they are the only packets read whole. */
static enum status read_front(const struct pgp_armored *data, size_t n_expected, struct buf *front,
                              struct error *err)
{
    size_t want = FRONT_MAX + n_expected * PKESK_MAX;
    size_t len = data->len < want ? data->len : want;
    uint8_t *to;

    buf_init(front, len);
    to = buf_reserve(front, len);
    if (!to || !pgp_armored_read(data, 0, len, to))
        return error_set(err, STATUS_TEMPORARY, "cannot check an OpenPGP message: out of memory");
    buf_commit(front, len);
    return STATUS_OK;
}

static enum status check_data(const struct pgp_armored *data, const struct pgp_expected *expected,
                              size_t n_expected, size_t plaintext_len, struct error *err)
{
    struct buf front;
    size_t seipd = 0;
    enum status status = read_front(data, n_expected, &front, err);

    if (status == STATUS_OK)
        status = check_pkesks(buf_span(&front), expected, n_expected, &seipd, err);
    if (status == STATUS_OK)
        status = check_seipd(data, seipd, plaintext_len, err);
    buf_free(&front);
    return status;
}

enum status pgp_check_message(struct span armored, const struct pgp_expected *expected, size_t n_expected,
                              size_t plaintext_len, struct error *err)
{
    struct error why = {0};
    struct pgp_armored data;
    enum status status;

    if (n_expected == 0)
        return unproven(err, "nobody is expected to read it");
    if (armored.len == 0)
        return unproven(err, "it is empty");
    status = pgp_armored_open(armored, &data, &why);
    if (status == STATUS_TEMPORARY)
        return error_set(err, status, "%s", why.text);
    return status == STATUS_OK ? check_data(&data, expected, n_expected, plaintext_len, err)
                               : unproven(err, why.text);
}
