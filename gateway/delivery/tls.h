/* TLS towards the next hop: what is demanded before and after the handshake. */
#ifndef SEALGATE_DELIVERY_TLS_H
#define SEALGATE_DELIVERY_TLS_H

#include <openssl/types.h>
#include <stdbool.h>

#include "gateway/policy/tls_level.h"

/* Before the handshake. It never fails for a certificate: what is wrong with one is said better afterwards.
 */
void delivery_tls_prepare(SSL *ssl, const struct tls_demand *demand);

/*
 * After the handshake: does the peer meet DEMAND? WORDS tells what is known of it ("verified for
 * mx.example.org", "not verified", or why it does not: "certificate has expired").
 */
bool delivery_tls_accept(SSL *ssl, const struct tls_demand *demand, char *words, size_t size);

#endif
