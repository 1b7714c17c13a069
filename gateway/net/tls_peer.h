/* The client certificate of a connection, as EXTERNAL and relay clients need it. */
#ifndef SEALGATE_NET_TLS_PEER_H
#define SEALGATE_NET_TLS_PEER_H

#include <stdbool.h>

#include "gateway/net/conn.h"

#define TLS_PEER_FINGERPRINT_SIZE 65 /* 64 hexadecimal digits and NUL */
#define TLS_PEER_SUBJECT_SIZE 512

struct tls_peer {
    char fingerprint[TLS_PEER_FINGERPRINT_SIZE]; /* SHA-256 of the DER, lower case */
    /* RFC 2253, most specific first: "CN=alice,O=Example"; what is not printable ASCII is escaped ("\C3\A9").
     * "" when it is longer than fits: a cut name could be another's. */
    char subject[TLS_PEER_SUBJECT_SIZE];
};

/*
 * True: the client proved that it has the key of a certificate that is verified up to tls_client_ca, fit for
 * clients (extended key usage, RFC 5280 §4.2.1.12) and valid now; PEER_OUT is filled. False: there is none
 * (no TLS, no certificate, or one that does not verify, which counts as none): PEER_OUT is empty.
 * A resumed session has the certificate of the one it resumes.
 */
bool tls_peer_get(const struct conn *conn, struct tls_peer *peer_out);

/* Why a certificate that was shown does not count, for the log; NULL: none was shown, or it counts. Static
 * memory. */
const char *tls_peer_refused(const struct conn *conn);

#endif
