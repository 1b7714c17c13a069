/*
 * The server side of TLS as a whole: several certificates chosen by the name that the client asks for (SNI,
 * RFC 6066 §3), their OCSP responses, certificates of clients, session tickets. Made before rights are
 * dropped.
 */
#ifndef SEALGATE_NET_TLS_SERVER_H
#define SEALGATE_NET_TLS_SERVER_H

#include <openssl/types.h>
#include <stddef.h>

#include "base/error.h"
#include "gateway/net/tls.h"

struct tickets;
struct tls_server;

struct tls_certificate {
    struct tls_server_settings files;
    const char *ocsp_path; /* DER; NULL: nothing is stapled */
};

struct tls_server_options {
    /* The first is for clients that ask for no name, or for one that no certificate has. Two with the same
     * names and different kinds of keys stand side by side. */
    const struct tls_certificate *certificates;
    size_t n_certificates;
    /* PEM; every client is asked for a certificate of these authorities, none is needed, and one that does
     * not verify does not matter (tls_peer.h). NULL: not asked. */
    const char *client_ca_path;
    struct tickets *tickets; /* must live as long; NULL: no session is resumed */
};

MUST_USE enum status tls_server_open(const struct tls_server_options *options, struct tls_server **server_out,
                                     struct error *err);
void tls_server_close(struct tls_server *server);

/* For conn_accepted and conn_start_tls; owned by SERVER. */
SSL_CTX *tls_server_first(const struct tls_server *server);

/* Calls EACH with the path of every OCSP response that is stale now, and so not stapled. */
void tls_server_stale_ocsp(const struct tls_server *server, void (*each)(void *arg, const char *path),
                           void *arg);

#endif
