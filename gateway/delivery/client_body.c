/* The message on its way, piece by piece, as fast as the host takes it: dot-stuffed behind DATA, or as it is
 * behind BDAT (RFC 3030), whose count leaves no doubt where it ends. */
#include "base/clock.h"
#include "gateway/delivery/client_private.h"

#define PIECE 32768
/* Bytes in a millisecond, for the whole message: a slow line's share, and no pace to hold us up with (A18).
 */
#define SLOWEST_PACE 4

/* As behind DATA a last line without a line end gets one, so that every host gets the same message. */
static bool lacks_line_end(struct span message)
{
    return message.len > 0 && (message.len < 2 || memcmp(message.p + message.len - 2, "\r\n", 2) != 0);
}

/* RFC 5321 §4.5.3.2.5: every piece has its time, and the whole has an end. */
static void give_time(struct client *c)
{
    int64_t left = c->body_until_ms - clock_mono_ms();
    int64_t piece = c->settings->timeouts.data_ms;
    conn_deadline(c->conn, left < 1 ? 1 : left < piece ? left : piece);
}

void client_start_body(struct client *c)
{
    struct span message = c->t->mail->message;
    c->body_until_ms =
        clock_mono_ms() + c->settings->timeouts.data_ms + (int64_t)(message.len / SLOWEST_PACE);
    if (c->ehlo.chunking)
        client_write(c, "BDAT %zu LAST\r\n", message.len + (lacks_line_end(message) ? 2 : 0));
    else
        dot_stuff_start(&c->stuffer);
    if (!c->freed)
        client_send_more(c);
}

static enum status put_piece(struct client *c, struct span piece, bool last, struct buf *out,
                             struct error *err)
{
    if (!c->ehlo.chunking) {
        enum status st = dot_stuff(&c->stuffer, piece, out, err);
        return st == STATUS_OK && last ? dot_stuff_end(&c->stuffer, out, err) : st;
    }
    buf_append_span(out, piece);
    if (last && lacks_line_end(c->t->mail->message))
        buf_append_str(out, "\r\n");
    return buf_check(out, "piece of a message", err);
}

void client_send_more(struct client *c)
{
    struct span message = c->t->mail->message;
    struct buf out;
    struct error err;
    size_t len = message.len - c->body_at;
    if (len > PIECE)
        len = PIECE;
    /* Stuffing at most doubles; then the last CRLF and the dot. */
    buf_init(&out, 2 * PIECE + 16);
    struct span piece = span_of(message.p + c->body_at, len);
    c->body_at += len;
    bool last = c->body_at == message.len;
    if (put_piece(c, piece, last, &out, &err) == STATUS_OK) {
        conn_write(c->conn, buf_span(&out));
        give_time(c);
        if (last)
            client_enter(c, CLIENT_END);
    } else {
        /* Breaking off before the end: the host throws away what it has. */
        client_fail_text(c, "4.6.0", "the message cannot be sent: %s", err.text);
    }
    buf_free(&out);
}
