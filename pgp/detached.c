#include "pgp/detached.h"

#include "base/buf.h"
#include "pgp/armor.h"
#include "pgp/packet.h"

#define DETACHED_MAX (1u << 18) /* bytes of packets: some signers, each with notations */
#define ALGORITHM_RSA 1
#define ALGORITHM_RSA_SIGN 3
#define ALGORITHM_DSA 17
#define ALGORITHM_ECDSA 19
#define ALGORITHM_EDDSA 22
#define ALGORITHM_ED25519 27 /* RFC 9580 §5.2.3: octets, no MPIs */
#define ALGORITHM_ED448 28

/* A reader of a packet's body; fails when it asks for more than there is. */
struct octets {
    struct span rest;
    bool failed;
};

static struct span take(struct octets *from, size_t n)
{
    struct span taken = span_of(from->rest.p, n);

    if (from->failed || n > from->rest.len) {
        from->failed = true;
        return span_of(NULL, 0);
    }
    span_skip(&from->rest, n);
    return taken;
}

static size_t take_number(struct octets *from, size_t octets)
{
    struct span number = take(from, octets);

    return from->failed ? 0 : (size_t)pgp_packet_number(number.p, octets);
}

/* RFC 4880 §5.2.3.1: each with its length and at least its type. */
static void take_subpackets(struct octets *from, size_t length_octets)
{
    struct octets area = {.rest = take(from, take_number(from, length_octets)), .failed = from->failed};

    while (!area.failed && area.rest.len > 0) {
        size_t first = take_number(&area, 1), len = first;
        if (first == 255)
            len = take_number(&area, 4);
        else if (first >= 192)
            len = ((first - 192) << 8) + take_number(&area, 1) + 192;
        area.failed = area.failed || len == 0;
        take(&area, len);
    }
    from->failed = from->failed || area.failed;
}

static void take_mpis(struct octets *from, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t bits = take_number(from, 2);
        from->failed = from->failed || bits == 0;
        take(from, (bits + 7) / 8);
    }
}

static bool take_value(struct octets *from, size_t algorithm)
{
    switch (algorithm) {
    case ALGORITHM_RSA:
    case ALGORITHM_RSA_SIGN:
        take_mpis(from, 1);
        break;
    case ALGORITHM_DSA:
    case ALGORITHM_ECDSA:
    case ALGORITHM_EDDSA:
        take_mpis(from, 2);
        break;
    case ALGORITHM_ED25519:
        take(from, 64);
        break;
    case ALGORITHM_ED448:
        take(from, 114);
        break;
    default:
        return false;
    }
    return !from->failed && from->rest.len == 0;
}

/* RFC 3156 §5: "pgp-" and the hash's name; numbers by RFC 9580 §9.5. */
static bool is_micalg(size_t hash, struct span micalg)
{
    static const struct {
        size_t hash;
        const char *micalg;
    } names[] = {{1, "pgp-md5"},     {2, "pgp-sha1"},      {3, "pgp-ripemd160"},
                 {8, "pgp-sha256"},  {9, "pgp-sha384"},    {10, "pgp-sha512"},
                 {11, "pgp-sha224"}, {12, "pgp-sha3-256"}, {14, "pgp-sha3-512"}};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].hash == hash)
            return span_is(micalg, names[i].micalg);
    return false;
}

static const char *read_signature(struct span body, struct span micalg, bool *named)
{
    struct octets from = {.rest = body};
    size_t version = take_number(&from, 1);
    size_t type = take_number(&from, 1), algorithm = take_number(&from, 1), hash = take_number(&from, 1);

    if (version != 4 && version != 6)
        return "a signature that is not of version 4 or 6";
    if (type > 1)
        return "a signature that is over no document";
    take_subpackets(&from, version == 6 ? 4 : 2);
    take_subpackets(&from, version == 6 ? 4 : 2);
    take(&from, 2);
    if (version == 6)
        take(&from, take_number(&from, 1));
    *named = *named || is_micalg(hash, micalg);
    return take_value(&from, algorithm) ? NULL : "a signature that is damaged or of an unknown algorithm";
}

static enum status read_packets(struct span rest, struct span micalg, struct error *err)
{
    struct pgp_packet packet;
    bool named = false;

    while (rest.len > 0) {
        enum status status = pgp_packet_next(&rest, &packet, err);
        if (status != STATUS_OK)
            return status;
        const char *problem = packet.tag != PGP_TAG_SIGNATURE ? "a packet that is no signature"
                                                              : read_signature(packet.body, micalg, &named);
        if (problem)
            return error_set(err, STATUS_INVALID, "%s", problem);
    }
    return named ? STATUS_OK : error_set(err, STATUS_INVALID, "micalg names another hash");
}

enum status pgp_detached_check(struct span data, struct span micalg, struct error *err)
{
    struct buf packets;
    struct error why = {0};

    buf_init(&packets, DETACHED_MAX);
    const struct sink sink = sink_to_buf(&packets);
    enum status status = pgp_armor_decode_signature(data, &sink, &why);
    if (status == STATUS_OK)
        status = read_packets(buf_span(&packets), micalg, &why);
    buf_free(&packets);
    if (status == STATUS_LIMIT)
        status = STATUS_INVALID;
    return status == STATUS_OK ? status
                               : error_set(err, status, "no detached OpenPGP signature: %s", why.text);
}
