/* TLS contexts, made before rights are dropped (they read private keys and trust anchors). */
#ifndef SEALGATE_NET_TLS_H
#define SEALGATE_NET_TLS_H

#include <openssl/types.h>
#include <sys/types.h>

#include "base/error.h"

struct tls_server_settings {
    const char *certificate_path; /* PEM, leaf first, chain behind it */
    const char *key_path;         /* PEM; readable by others: STATUS_DENIED (A26) */
};

/*
 * TLS 1.2 and 1.3, own cipher order, no compression, no renegotiation, no early data, no session resumption
 * (tickets.h). One certificate; what a server with several needs is in tls_server.h. Free with SSL_CTX_free.
 */
MUST_USE enum status tls_server_context(const struct tls_server_settings *settings, SSL_CTX **ctx_out,
                                        struct error *err);

/* Loads another certificate with its key into CTX, beside those with other kinds of keys (RSA, EC): each
 * client gets one that it understands. */
MUST_USE enum status tls_add_certificate(SSL_CTX *ctx, const struct tls_server_settings *settings,
                                         struct error *err);

/* For errors of this folder: fills ERR with DOING, PATH (may be NULL) and OpenSSL's reason; clears OpenSSL's
 * queue. Returns STATUS. */
enum status tls_failed(struct error *err, enum status status, const char *doing, const char *path);

struct tls_client_settings {
    const char *ca_path; /* PEM bundle of trust anchors; NULL: the system's, as far as there are any */
};

/* Verification is chosen per connection (delivery/tls), SSL_dane_enable among it. Free with SSL_CTX_free. */
MUST_USE enum status tls_client_context(const struct tls_client_settings *settings, SSL_CTX **ctx_out,
                                        struct error *err);

/*
 * A file with a secret must be a regular file, owned by root or the effective user, mode without any right
 * for group and others (A26). STATUS_DENIED says owner, mode and the chmod that mends it;
 * STATUS_NOT_FOUND: there is none.
 */
MUST_USE enum status secret_file_check(const char *path, struct error *err);
/* The same for one that user READER will read. */
MUST_USE enum status secret_file_check_for(const char *path, uid_t reader, struct error *err);

/*
 * The first line of a file with a password or passphrase, to be wiped and freed by the caller. Readable by
 * others, or not owned by root or who reads it (root: whoever owns it): STATUS_DENIED (A26).
 * STATUS_NOT_FOUND: there is none. STATUS_INVALID: empty or over 1023 bytes. STATUS_TEMPORARY: cannot be
 * read.
 */
MUST_USE enum status secret_line_load(const char *path, char **line_out, struct error *err);
/* The same for the whole of a text file of 1 to MAX bytes. */
MUST_USE enum status secret_file_load(const char *path, size_t max, char **text_out, struct error *err);

#endif
