#include "pgp/armor.h"

#include "pgp/base64.h"
#include "pgp/packet.h"

#define MESSAGE_HEAD "-----BEGIN PGP MESSAGE-----"
#define MESSAGE_TAIL "-----END PGP MESSAGE-----"
#define SIGNATURE_HEAD "-----BEGIN PGP SIGNATURE-----"
#define SIGNATURE_TAIL "-----END PGP SIGNATURE-----"
#define CERTIFICATE_HEAD "-----BEGIN PGP PUBLIC KEY BLOCK-----"
#define CERTIFICATE_TAIL "-----END PGP PUBLIC KEY BLOCK-----"
#define SECRET_HEAD "-----BEGIN PGP PRIVATE KEY BLOCK-----"
#define ANY_HEAD "-----BEGIN PGP"
#define PIECE 65536 /* characters decoded at once: a line may have any length */

/* Data on its way out of the base64. */
struct decoding {
    const struct sink *sink;
    struct pgp_base64 decoder;
    struct pgp_crc24 crc;
    struct buf piece;
    bool any;
};

static enum status damaged(struct error *err, const char *what)
{
    return error_set(err, STATUS_INVALID, "damaged ASCII armor: %s", what);
}

static bool equals(struct span line, const char *text)
{
    return span_eq(line, span_str(text));
}

/* The CRC line: "=" and four characters. A data line never begins with "=". */
static bool is_crc_line(struct span line)
{
    return line.len == 5 && line.p[0] == '=';
}

static enum status check_crc(struct span line, uint32_t value, struct error *err)
{
    struct pgp_base64 decoder;
    struct buf crc;
    bool right;

    buf_init(&crc, 8);
    pgp_base64_start(&decoder, &crc);
    right = pgp_base64_feed(&decoder, span_of(line.p + 1, 4)) && pgp_base64_end(&decoder) && crc.len == 3 &&
            pgp_packet_number((const char *)crc.data, 3) == value;
    buf_free(&crc);
    return right ? STATUS_OK : damaged(err, "the CRC is wrong");
}

/* Takes a line with any line end, without the white space at its end; false at the end of the text. */
static bool take_any_line(struct span *rest, struct span *line_out)
{
    const char *lf;
    size_t len;

    if (rest->len == 0)
        return false;
    lf = memchr(rest->p, '\n', rest->len);
    len = lf ? (size_t)(lf - rest->p) : rest->len;
    *line_out = span_of(rest->p, len);
    while (line_out->len > 0 && strchr(" \t\r", line_out->p[line_out->len - 1]) &&
           line_out->p[line_out->len - 1])
        line_out->len--;
    len += lf ? 1 : 0;
    rest->p += len;
    rest->len -= len;
    return true;
}

/* Armor headers ("Comment: …") up to the empty line (RFC 4880 §6.2). */
static enum status skip_headers(struct span *rest, struct error *err)
{
    struct span line;

    while (take_any_line(rest, &line)) {
        if (line.len == 0)
            return STATUS_OK;
        if (!memchr(line.p, ':', line.len))
            return damaged(err, "no empty line before the base64");
    }
    return damaged(err, "it ends after the first line");
}

static enum status pass_on(struct decoding *d, struct error *err)
{
    enum status status = sink_write(d->sink, buf_span(&d->piece), err);

    pgp_crc24_add(&d->crc, buf_span(&d->piece));
    d->any = d->any || d->piece.len > 0;
    buf_reset(&d->piece);
    return status;
}

static enum status decode_line(struct decoding *d, struct span line, struct error *err)
{
    enum status status = STATUS_OK;

    while (line.len > 0 && status == STATUS_OK) {
        size_t len = line.len < PIECE ? line.len : PIECE;

        if (!pgp_base64_feed(&d->decoder, span_of(line.p, len)))
            return d->piece.failed
                       ? error_set(err, STATUS_TEMPORARY, "cannot decode ASCII armor: out of memory")
                       : damaged(err, "a character that is not base64");
        line = span_of(line.p + len, line.len - len);
        if (d->piece.len >= PIECE / 2)
            status = pass_on(d, err);
    }
    return status;
}

/* The line TAIL was reached. */
static enum status end_decoding(struct decoding *d, struct span crc_line, struct error *err)
{
    enum status status;

    if (!pgp_base64_end(&d->decoder))
        return damaged(err, "the base64 ends inside a group");
    status = pass_on(d, err);
    if (status == STATUS_OK && !d->any)
        return damaged(err, "nothing in it");
    return status == STATUS_OK && crc_line.p ? check_crc(crc_line, d->crc.value, err) : status;
}

static enum status decode_lines(struct span *rest, const char *tail, struct decoding *d, struct error *err)
{
    struct span line, crc_line = {0};

    while (take_any_line(rest, &line)) {
        enum status status;

        if (equals(line, tail))
            return end_decoding(d, crc_line, err);
        if (line.len == 0)
            continue;
        if (crc_line.p)
            return damaged(err, "text behind the CRC");
        if (is_crc_line(line)) {
            crc_line = line;
            continue;
        }
        status = decode_line(d, line, err);
        if (status != STATUS_OK)
            return status;
    }
    return error_set(err, STATUS_INVALID, "damaged ASCII armor: it does not end with %s", tail);
}

/* Decodes up to the line TAIL. */
static enum status decode_block(struct span *rest, const char *tail, const struct sink *sink,
                                struct error *err)
{
    struct decoding d = {.sink = sink};
    enum status status;

    buf_init(&d.piece, 2 * PIECE);
    pgp_base64_start(&d.decoder, &d.piece);
    pgp_crc24_start(&d.crc);
    status = decode_lines(rest, tail, &d, err);
    buf_free(&d.piece);
    return status;
}

/* The first line that is not empty. */
static bool take_text(struct span *rest, struct span *line_out)
{
    while (take_any_line(rest, line_out))
        if (line_out->len > 0)
            return true;
    return false;
}

/* One block that begins with the line HEAD, and nothing else. */
static enum status decode_all(struct span armored, const char *head, const char *tail,
                              const struct sink *binary, struct error *err)
{
    struct span rest = armored, line;
    enum status status;

    if (!take_text(&rest, &line) || !equals(line, head))
        return error_set(err, STATUS_INVALID, "damaged ASCII armor: it does not begin with %s", head);
    status = skip_headers(&rest, err);
    if (status == STATUS_OK)
        status = decode_block(&rest, tail, binary, err);
    if (status == STATUS_OK && take_text(&rest, &line))
        status = error_set(err, STATUS_INVALID, "damaged ASCII armor: text behind %s", tail);
    return status;
}

enum status pgp_armor_decode_message(struct span armored, const struct sink *binary, struct error *err)
{
    return decode_all(armored, MESSAGE_HEAD, MESSAGE_TAIL, binary, err);
}

enum status pgp_armor_decode_signature(struct span armored, const struct sink *binary, struct error *err)
{
    return decode_all(armored, SIGNATURE_HEAD, SIGNATURE_TAIL, binary, err);
}

enum status pgp_armor_next_certificate(struct span *rest, struct buf *binary_out, bool *found_out,
                                       struct error *err)
{
    const struct sink sink = sink_to_buf(binary_out);
    enum status status;
    struct span line;

    *found_out = false;
    while (take_any_line(rest, &line)) {
        if (equals(line, SECRET_HEAD))
            return error_set(err, STATUS_INVALID,
                             "this is a private key: give the public certificate (gpg --export)");
        if (span_starts(line, ANY_HEAD) && !equals(line, CERTIFICATE_HEAD))
            return error_set(err, STATUS_INVALID, "this is no OpenPGP certificate but %.*s", (int)line.len,
                             line.p);
        if (!equals(line, CERTIFICATE_HEAD))
            continue;
        *found_out = true;
        status = skip_headers(rest, err);
        return status == STATUS_OK ? decode_block(rest, CERTIFICATE_TAIL, &sink, err) : status;
    }
    return STATUS_OK;
}
