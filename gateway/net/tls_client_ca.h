/* Asking clients for certificates. */
#ifndef SEALGATE_NET_TLS_CLIENT_CA_H
#define SEALGATE_NET_TLS_CLIENT_CA_H

#include <openssl/types.h>

#include "base/error.h"

/*
 * Lets CTX ask every client for a certificate of the authorities in the PEM file PATH (NULL: does not ask). A
 * handshake goes on without one, and with one that does not verify; tls_peer.h says what came of it. A
 * session is resumed only under the same authorities.
 */
MUST_USE enum status tls_client_ca_set(SSL_CTX *ctx, const char *path, struct error *err);

#endif
