/* The inside of a connection, shared by conn.c (life), conn_io.c (bytes), conn_tls.c (TLS) and
 * conn_proxy.c (PROXY header). */
#ifndef SEALGATE_NET_CONN_PRIVATE_H
#define SEALGATE_NET_CONN_PRIVATE_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <sys/types.h>

#include "gateway/net/conn.h"

enum conn_state {
    CONN_CONNECTING,
    CONN_PROXY,     /* nothing but a PROXY header is read */
    CONN_FLUSHING,  /* what was written in clear goes out before the handshake */
    CONN_HANDSHAKE, /* nothing but TLS is read or written */
    CONN_OPEN,
    CONN_CLOSING,   /* conn_close: what is queued goes out, then close_notify */
    CONN_LINGERING, /* our side is shut; reads to the end, so that no reset swallows our last words */
    CONN_ENDED,     /* to be freed */
};

struct conn {
    struct event_base *base;
    const struct conn_handler *handler;
    void *arg;
    struct conn_limits limits;
    int fd;
    enum conn_state state;
    bool server;
    bool tls_up;
    bool paused;
    bool tell_gone;  /* conn_close was called: on_gone follows */
    bool announce;   /* unread input waits for on_data */
    bool want_read;  /* writing (TLS) needs a readable socket to go on */
    bool want_write; /* writing, or reading over TLS, needs a writable one */
    unsigned busy;   /* handlers and steps on the stack: memory stays */
    SSL *ssl;
    struct buf in, out;
    size_t in_at, out_at; /* consumed of them */
    size_t discarded;     /* while lingering */
    struct event read, write, timer;
    struct event soon;   /* made active to run the connection in this turn of the loop */
    struct error broken; /* status set: to be reported with on_end from the loop */
    char peer[CONN_ADDRESS_SIZE];
};

/* One of the conn_io functions' results; a positive value is a number of bytes. */
enum { IO_AGAIN = -1, IO_END = -2, IO_ERROR = -3 };

/* conn_io.c */
void conn_read_in(struct conn *c);
/* False: the connection broke (c->broken). */
bool conn_write_out(struct conn *c);
void conn_discard(struct conn *c);
size_t conn_unsent(const struct conn *c);
size_t conn_unread(const struct conn *c);

/* conn_proxy.c */
void conn_proxy(struct conn *c);

/* conn_tls.c */
void conn_handshake(struct conn *c);
ssize_t conn_tls_read(struct conn *c, void *to, size_t len);
ssize_t conn_tls_write(struct conn *c, const void *from, size_t len);
/* Sends close_notify; IO_AGAIN until the socket took it. */
int conn_tls_shutdown(struct conn *c);

/* conn.c */
void conn_opened(struct conn *c);
void conn_name_peer(struct conn *c, const struct sockaddr *address);
/* Calls on_end with c->broken and marks the connection for freeing. */
void conn_ended(struct conn *c);
/* Runs the connection from the loop soon, as if the socket had become what WHAT says. */
void conn_kick(struct conn *c, short what);

#endif
