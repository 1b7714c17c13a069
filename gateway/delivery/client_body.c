/* The message on its way: dot-stuffed piece by piece, as fast as the host takes it. */
#include "gateway/delivery/client_private.h"

#define PIECE 32768

void client_start_body(struct client *c)
{
    dot_stuff_start(&c->stuffer);
    client_send_more(c);
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
    enum status st = dot_stuff(&c->stuffer, span_of(message.p + c->body_at, len), &out, &err);
    c->body_at += len;
    bool last = c->body_at == message.len;
    if (st == STATUS_OK && last)
        st = dot_stuff_end(&c->stuffer, &out, &err);
    if (st == STATUS_OK) {
        conn_write(c->conn, buf_span(&out));
        if (last)
            client_enter(c, CLIENT_END);
    } else {
        /* Breaking off before the dot: the host throws away what it has. */
        client_fail_text(c, "4.6.0", "the message cannot be sent: %s", err.text);
    }
    buf_free(&out);
}
