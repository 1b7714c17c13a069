/*
 * The connection under libldap: ours, so that every wait ends at the deadline and TLS is that of the whole
 * program. libldap's own (GnuTLS in Debian) spins in its handshake for ever when a server falls silent there,
 * and takes its defaults from ldap.conf.
 */
#ifndef SEALGATE_PASSWORDS_LDAP_TRANSPORT_H
#define SEALGATE_PASSWORDS_LDAP_TRANSPORT_H

#include <ldap.h>
#include <openssl/types.h>
#include <stdint.h>

#include "base/error.h"

struct ldap_transport {
    int fd;
    SSL *ssl;         /* NULL: in clear */
    int64_t deadline; /* clock_mono_ms */
};

/* Connects to HOST, a name or an address. STATUS_TEMPORARY: cannot, or not in time. */
MUST_USE enum status ldap_transport_open(const char *host, int port, int64_t deadline,
                                         struct ldap_transport *transport_out, struct error *err);

/*
 * TLS from now on. The server's certificate must verify against the anchors of CTX and be one for HOST (RFC
 * 4513 §3.1.3: DNS name or IP address of its subjectAltName). STATUS_TEMPORARY: it is not, or the handshake
 * fails.
 */
MUST_USE enum status ldap_transport_secure(struct ldap_transport *transport, SSL_CTX *ctx, const char *host,
                                           struct error *err);

/* Puts TRANSPORT, which must outlive it, under a new LDAP handle. STATUS_TEMPORARY: out of memory. */
MUST_USE enum status ldap_transport_attach(struct ldap_transport *transport, LDAP **ld_out,
                                           struct error *err);

/* After the handle is gone. */
void ldap_transport_close(struct ldap_transport *transport);

#endif
