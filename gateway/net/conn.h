/*
 * One TCP connection over libevent and OpenSSL. Sessions and their tests never see either library.
 *
 * All functions are for the loop's own thread. A handler may call conn_close on its own connection; memory is
 * released after the handler has returned. Timers are absolute: "by then", never "since the last byte" (A18).
 */
#ifndef SEALGATE_NET_CONN_H
#define SEALGATE_NET_CONN_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"

struct event_base;
struct conn;

#define CONN_ADDRESS_SIZE 64

struct conn_handler {
    /* Connected (client side), or TLS is up (either side, after conn_start_tls or with tls at once). */
    void (*on_open)(void *arg, struct conn *conn);
    /* New bytes are in conn_input(); called again only for newer bytes. */
    void (*on_data)(void *arg, struct conn *conn);
    /* All output was handed to the kernel. */
    void (*on_drained)(void *arg, struct conn *conn);
    /* The deadline set with conn_deadline passed. The handler usually writes a last line and closes. */
    void (*on_deadline)(void *arg, struct conn *conn);
    /* Ended from the other side (STATUS_CLOSED) or by an error (why->text); the conn is gone after this
     * returns: do not close it again. */
    void (*on_end)(void *arg, struct conn *conn, const struct error *why);
    /* After conn_close, at once or when the last words are sent: the conn and its descriptor are gone. NULL:
     * not told. */
    void (*on_gone)(void *arg);
    /* The PROXY header that conn_expect_proxy waited for is there: conn_peer is now the client's address, and
     * so is CLIENT; NULL: the balancer speaks for itself. Needed only by who expects one. */
    void (*on_proxied)(void *arg, struct conn *conn, const struct sockaddr_storage *client);
};

struct conn_limits {
    size_t input_max;  /* bytes kept unread; reading pauses above it */
    size_t output_max; /* bytes kept unsent; over it the connection ends */
};

/* Takes over an accepted socket (owned from now on, closed on failure too). TLS non-NULL: TLS at once
 * (implicit TLS). */
struct conn *conn_accepted(struct event_base *base, int fd, SSL_CTX *tls, const struct conn_handler *handler,
                           void *arg, struct conn_limits limits, struct error *err);

/*
 * Directly after conn_accepted in clear: nothing is read but a PROXY header (wire/proxy_header.h), nothing
 * can be written or started until on_proxied; not a byte behind the header is taken. What is no such header
 * ends the connection (on_end, STATUS_INVALID). Only for peers that are to be believed (A31).
 */
void conn_expect_proxy(struct conn *conn);

/* Begins to connect, from the address FROM (of TO's family, port 0; NULL: any); on_open or on_end follows.
 * NULL (err): it failed at once, no handler is called; STATUS_LIMIT: for want of a descriptor or of the
 * address FROM, which is not the other side's fault. */
struct conn *conn_connect(struct event_base *base, const struct sockaddr *from, const struct sockaddr *to,
                          socklen_t to_len, const struct conn_handler *handler, void *arg,
                          struct conn_limits limits, struct error *err);

/*
 * Starts TLS on a plain connection. Server side: after the reply to STARTTLS was written (it is flushed
 * first). Any byte that is in the input buffer, or was pipelined behind STARTTLS in clear, is STATUS_INVALID
 * and nothing starts (A3): the caller answers 554 and closes. SNI names the peer on the client side; NULL:
 * none. SETUP (may be NULL) is called with the SSL before the handshake (verification, DANE).
 */
typedef void conn_tls_setup_fn(void *arg, SSL *ssl);
MUST_USE enum status conn_start_tls(struct conn *conn, SSL_CTX *tls, const char *sni,
                                    conn_tls_setup_fn *setup, struct error *err);

/*
 * Has the peer sent more than was consumed (unread here or still in the socket)? Over TLS: application data.
 * To be asked before the reply to STARTTLS is written: bytes behind STARTTLS are plaintext (A3) and deserve
 * 554 instead of 220; and before a greeting.
 */
bool conn_has_pipelined(const struct conn *conn);

/* Unread input; valid until the next return to the loop. conn_consume removes from its front. */
struct span conn_input(struct conn *conn);
void conn_consume(struct conn *conn, size_t len);

/* Holds back / resumes on_data (while a call to another role is under way). Resuming with unread input calls
 * on_data from the loop. */
void conn_pause(struct conn *conn);
void conn_resume(struct conn *conn);

/* Queues bytes; one write per call where the kernel takes it. Ends the connection (on_end, from the loop)
 * when over output_max. */
void conn_write(struct conn *conn, struct span bytes);

/* One absolute deadline per connection, milliseconds from now; 0: none. Replaces the one before. */
void conn_deadline(struct conn *conn, int64_t in_ms);

/* Sends what is queued, then close_notify, then closes; no handler but on_gone is called any more. Bounded to
 * a few seconds. */
void conn_close(struct conn *conn);
/* Closes at once. */
void conn_abort(struct conn *conn);

bool conn_is_tls(const struct conn *conn);
/* The SSL for verification results, version and cipher; NULL before TLS. Owned by the conn. */
SSL *conn_ssl(const struct conn *conn);
/* "192.0.2.1" or "2001:db8::1"; IPv4-mapped shown as IPv4. */
const char *conn_peer(const struct conn *conn);
/* Our own address on it, likewise; "" when it is not known. */
void conn_local(const struct conn *conn, char out[CONN_ADDRESS_SIZE]);
const char *conn_tls_version(const struct conn *conn); /* "TLSv1.3"; "" before TLS */
const char *conn_tls_cipher(const struct conn *conn);

/*
 * The tls-exporter channel binding (RFC 9266 §2): bytes that both ends of this TLS connection, and nobody
 * else, can compute. False: there is none, because TLS is not up or older than 1.3. In TLS 1.2 clients bind
 * to tls-unique (RFC 5929): offered -PLUS, they would take it and fail.
 */
#define CONN_EXPORTER_SIZE 32
bool conn_tls_exporter(const struct conn *conn, unsigned char exporter_out[CONN_EXPORTER_SIZE]);

#endif
