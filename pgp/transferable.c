#include "pgp/transferable.h"

#include <openssl/evp.h>
#include <stdio.h>

#include "pgp/packet.h"

#define CRITICAL_TAGS_END                                                                                    \
    40 /* RFC 9580 §4.3: unknown tags below are critical, those from here on are not                        \
        */

static enum status flooded(struct error *err)
{
    return error_set(err, STATUS_LIMIT,
                     "a certificate of more than %d packets or %u bytes: export it with "
                     "--export-options export-minimal",
                     PGP_PACKETS_MAX, PGP_CERTIFICATE_MAX);
}

/* ---- cutting ---- */

enum part {
    PART_FIRST,   /* begins a certificate */
    PART_OF_IT,   /* belongs to the certificate before it */
    PART_NONE,    /* may stand there, but is not kept */
    PART_REFUSED, /* makes the whole file wrong */
};

static enum part part_of(unsigned tag)
{
    switch (tag) {
    case PGP_TAG_PUBLIC_KEY:
        return PART_FIRST;
    case PGP_TAG_SIGNATURE:
    case PGP_TAG_USER_ID:
    case PGP_TAG_PUBLIC_SUBKEY:
    case PGP_TAG_USER_ATTRIBUTE:
        return PART_OF_IT;
    case PGP_TAG_TRUST:  /* RFC 4880 §5.10: should not be emitted, is local */
    case PGP_TAG_MARKER: /* RFC 4880 §5.8: must be ignored */
    case PGP_TAG_PADDING:
        return PART_NONE;
    default:
        return tag < CRITICAL_TAGS_END ? PART_REFUSED : PART_NONE;
    }
}

static enum status refused(unsigned tag, struct error *err)
{
    if (tag == PGP_TAG_SECRET_KEY || tag == PGP_TAG_SECRET_SUBKEY)
        return error_set(err, STATUS_INVALID,
                         "it holds secret key material: give the public certificate (gpg --export)");
    return error_set(err, STATUS_INVALID, "it holds a packet that belongs in no certificate (tag %u)", tag);
}

enum status pgp_transferable_cut(struct span *rest, struct buf *certificate_out, struct error *err)
{
    size_t n_packets = 0, start = certificate_out->len;

    while (rest->len > 0) {
        struct span behind = *rest;
        struct pgp_packet packet;
        enum status status = pgp_packet_next(&behind, &packet, err);
        enum part part;

        if (status != STATUS_OK)
            return status;
        part = part_of(packet.tag);
        if (part == PART_REFUSED)
            return refused(packet.tag, err);
        if (part == PART_FIRST && certificate_out->len > start)
            break;
        if (part == PART_OF_IT && certificate_out->len == start)
            return error_set(err, STATUS_INVALID, "no certificate: it does not begin with a public key");
        if (++n_packets > PGP_PACKETS_MAX ||
            certificate_out->len - start + packet.whole.len > PGP_CERTIFICATE_MAX)
            return flooded(err);
        if (part != PART_NONE)
            buf_append_span(certificate_out, packet.whole);
        *rest = behind;
    }
    if (certificate_out->len == start)
        return error_set(err, STATUS_INVALID, "no certificate: it holds no public key");
    return buf_check(certificate_out, "an OpenPGP certificate", err);
}

/* ---- reading ---- */

struct key {
    unsigned version;
    unsigned algorithm;
    int64_t created;
    struct span material;
};

/* Public-Key Packet (RFC 4880 §5.5.2, RFC 9580 §5.5.2). */
static bool read_key(struct span body, struct key *key)
{
    size_t head;

    *key = (struct key){0};
    if (body.len < 1)
        return false;
    key->version = (unsigned char)body.p[0];
    /* v2 and v3 have two octets of validity before the algorithm; v5 and v6 a length behind it. */
    head = key->version < 4 ? 8 : key->version == 4 ? 6 : 10;
    if (body.len < head)
        return false;
    key->created = (int64_t)pgp_packet_number(body.p + 1, 4);
    key->algorithm = (unsigned char)body.p[key->version < 4 ? 7 : 5];
    key->material = span_of(body.p + head, body.len - head);
    return true;
}

/* Curve object identifiers that libgcrypt of Debian 12 knows and GnuPG 2.2 uses (RFC 6637 §11 and GnuPG). */
static bool curve_is_known(struct span oid)
{
    static const char *const known[] = {
        "\x2a\x86\x48\xce\x3d\x03\x01\x07",         /* NIST P-256 */
        "\x2b\x81\x04\x00\x22",                     /* NIST P-384 */
        "\x2b\x81\x04\x00\x23",                     /* NIST P-521 */
        "\x2b\x24\x03\x03\x02\x08\x01\x01\x07",     /* brainpoolP256r1 */
        "\x2b\x24\x03\x03\x02\x08\x01\x01\x0b",     /* brainpoolP384r1 */
        "\x2b\x24\x03\x03\x02\x08\x01\x01\x0d",     /* brainpoolP512r1 */
        "\x2b\x06\x01\x04\x01\xda\x47\x0f\x01",     /* Ed25519 */
        "\x2b\x06\x01\x04\x01\x97\x55\x01\x05\x01", /* Curve25519 */
        "\x2b\x81\x04\x00\x0a",                     /* secp256k1 */
    };
    static const size_t lens[] = {8, 5, 5, 9, 9, 9, 9, 10, 5};

    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++)
        if (span_eq(oid, span_of(known[i], lens[i])))
            return true;
    return false;
}

/* Public-key algorithms of GnuPG 2.2 (RFC 4880 §9.1, RFC 6637 §5; 22 is EdDSA). */
static bool algorithm_is_known(const struct key *key)
{
    size_t oid_len;

    switch (key->algorithm) {
    case 1:
    case 2:
    case 3:
    case 16:
    case 17:
        return true;
    case 18:
    case 19:
    case 22:
        oid_len = key->material.len ? (unsigned char)key->material.p[0] : 0;
        return oid_len < key->material.len && curve_is_known(span_of(key->material.p + 1, oid_len));
    default:
        return false;
    }
}

/* RFC 4880 §12.2 and RFC 9580 §5.5.4: a hash over a prefix, the length and the body of the key packet. */
static bool fingerprint(unsigned version, struct span body, char out[PGP_FINGERPRINT_SIZE])
{
    unsigned char head[5], digest[EVP_MAX_MD_SIZE];
    size_t head_len = version == 4 ? 3 : 5;
    unsigned digest_len = 0;
    EVP_MD_CTX *md;
    bool done;

    out[0] = '\0';
    if (version != 4 && version != 6)
        return true;
    head[0] = version == 4 ? 0x99 : 0x9b;
    for (size_t i = 1; i < head_len; i++)
        head[i] = (unsigned char)(body.len >> 8 * (head_len - 1 - i));
    md = EVP_MD_CTX_new();
    done = md && EVP_DigestInit_ex(md, version == 4 ? EVP_sha1() : EVP_sha256(), NULL) &&
           EVP_DigestUpdate(md, head, head_len) && EVP_DigestUpdate(md, body.p, body.len) &&
           EVP_DigestFinal_ex(md, digest, &digest_len);
    EVP_MD_CTX_free(md);
    for (unsigned i = 0; done && i < digest_len; i++)
        snprintf(out + (size_t)2 * i, 3, "%02X", digest[i]);
    return done;
}

enum status pgp_transferable_read(struct span certificate, struct pgp_transferable *out, struct error *err)
{
    struct span rest = certificate;
    struct pgp_packet packet;
    enum status status = pgp_packet_next(&rest, &packet, err);
    struct key key;

    *out = (struct pgp_transferable){0};
    if (status != STATUS_OK)
        return status;
    if (!read_key(packet.body, &key) || (key.version == 4 && packet.body_len > UINT16_MAX))
        return error_set(err, STATUS_INVALID, "its primary key is damaged");
    out->version = key.version;
    out->algorithm = key.algorithm;
    out->created = key.created;
    out->primary_known = algorithm_is_known(&key);
    if (!fingerprint(key.version, packet.body, out->fingerprint))
        return error_set(err, STATUS_TEMPORARY, "cannot compute a fingerprint: out of memory");
    while (rest.len > 0) {
        status = pgp_packet_next(&rest, &packet, err);
        if (status != STATUS_OK)
            return status;
        if (packet.tag != PGP_TAG_PUBLIC_SUBKEY)
            continue;
        out->n_subkeys++;
        if (read_key(packet.body, &key) && !algorithm_is_known(&key))
            out->unknown_subkey = key.algorithm;
    }
    return STATUS_OK;
}

bool pgp_transferable_next_user_id(struct span *rest, struct span *user_id_out)
{
    struct pgp_packet packet;

    while (rest->len > 0 && pgp_packet_next(rest, &packet, NULL) == STATUS_OK) {
        if (packet.tag != PGP_TAG_USER_ID)
            continue;
        *user_id_out = packet.body;
        return true;
    }
    return false;
}
