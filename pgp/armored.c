#include "pgp/armored.h"

#include "pgp/base64.h"
#include "pgp/packet.h"

#define MESSAGE_HEAD "-----BEGIN PGP MESSAGE-----"
#define MESSAGE_TAIL "-----END PGP MESSAGE-----"
#define LINE_CHARACTERS 64 /* what every GnuPG writes */
#define LINE_BYTES 48      /* that those stand for */
#define LINE_SIZE (LINE_CHARACTERS + 2)
#define CHUNK (1024 * LINE_BYTES) /* checked at once */

/* The base64 lines on their way through the checksum. */
struct reading {
    struct pgp_base64 decoder;
    struct pgp_crc24 crc;
    struct buf chunk;
    size_t len; /* bytes that have left CHUNK */
};

static enum status damaged(struct error *err, const char *what)
{
    return error_set(err, STATUS_INVALID, "damaged ASCII armor: %s", what);
}

/* Takes a line that ends in CRLF; it has no other CR, because then it would match nothing below. */
static bool take_crlf_line(struct span *rest, struct span *line_out)
{
    const char *lf = rest->len ? memchr(rest->p, '\n', rest->len) : NULL;

    if (!lf || lf == rest->p || lf[-1] != '\r')
        return false;
    *line_out = span_of(rest->p, (size_t)(lf - 1 - rest->p));
    rest->len -= (size_t)(lf + 1 - rest->p);
    rest->p = lf + 1;
    return true;
}

static enum status expect_line(struct span *rest, const char *text, const char *what, struct error *err)
{
    struct span line;
    bool found = take_crlf_line(rest, &line) && span_eq(line, span_str(text));

    return found ? STATUS_OK : damaged(err, what);
}

/* The CRC line: "=" and four characters. A data line never begins with "=". */
static bool is_crc_line(struct span line)
{
    return line.len == 5 && line.p[0] == '=';
}

static void count_chunk(struct reading *reading)
{
    pgp_crc24_add(&reading->crc, buf_span(&reading->chunk));
    reading->len += reading->chunk.len;
    buf_reset(&reading->chunk);
}

/* Takes the base64 lines and the CRC line behind them. */
static enum status take_lines(struct span *rest, struct reading *reading, struct span *crc_line_out,
                              struct error *err)
{
    bool last = false;

    for (;;) {
        struct span line;

        if (!take_crlf_line(rest, &line))
            return damaged(err, "it ends before the CRC");
        if (is_crc_line(line)) {
            *crc_line_out = line;
            return pgp_base64_end(&reading->decoder) ? STATUS_OK
                                                     : damaged(err, "the base64 ends inside a group");
        }
        if (last || line.len == 0 || line.len > LINE_CHARACTERS)
            return damaged(err, "a base64 line of a wrong length");
        last = line.len < LINE_CHARACTERS;
        if (!pgp_base64_feed(&reading->decoder, line))
            return reading->chunk.failed
                       ? error_set(err, STATUS_TEMPORARY, "cannot check ASCII armor: out of memory")
                       : damaged(err, "a character that is not base64");
        if (reading->chunk.len >= CHUNK - LINE_BYTES)
            count_chunk(reading);
    }
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

enum status pgp_armored_open(struct span armored, struct pgp_armored *view_out, struct error *err)
{
    struct span rest = armored, crc_line = {0};
    struct reading reading = {0};
    enum status status;

    status = expect_line(&rest, MESSAGE_HEAD, "it does not begin with " MESSAGE_HEAD, err);
    if (status == STATUS_OK)
        status = expect_line(&rest, "", "no empty line behind the first line", err);
    view_out->lines = rest;
    buf_init(&reading.chunk, CHUNK + LINE_BYTES);
    pgp_base64_start(&reading.decoder, &reading.chunk);
    pgp_crc24_start(&reading.crc);
    if (status == STATUS_OK)
        status = take_lines(&rest, &reading, &crc_line, err);
    count_chunk(&reading);
    buf_free(&reading.chunk);
    if (status == STATUS_OK)
        status = check_crc(crc_line, reading.crc.value, err);
    if (status == STATUS_OK)
        status = expect_line(&rest, MESSAGE_TAIL, "it does not end with " MESSAGE_TAIL, err);
    if (status == STATUS_OK && rest.len > 0)
        status = damaged(err, "bytes behind " MESSAGE_TAIL);
    view_out->len = reading.len;
    return status;
}

bool pgp_armored_read(const struct pgp_armored *view, size_t at, size_t n, uint8_t *out)
{
    if (at > view->len || n > view->len - at)
        return false;
    for (size_t end = at + n; at < end; at++) {
        /* Four characters are three bytes; what is missing at the end is padding. */
        const char *group = view->lines.p + at / LINE_BYTES * LINE_SIZE + at % LINE_BYTES / 3 * 4;
        uint32_t bits = 0;

        for (int i = 0; i < 4; i++)
            bits = bits << 6 | pgp_base64_value(group[i]);
        *out++ = (uint8_t)(bits >> (16 - 8 * (at % 3)));
    }
    return true;
}
