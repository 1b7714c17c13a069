/* The mail addresses a certificate is for (RFC 8550 §3, RFC 9598). */
#ifndef SEALGATE_SMIME_ADDRESS_H
#define SEALGATE_SMIME_ADDRESS_H

#include <stddef.h>

#include <openssl/x509.h>

#include "base/error.h"

/*
 * Collects the addresses of CERT: rfc822Name and SmtpUTF8Mailbox of the SAN in their order; emailAddress of
 * the subject only if the SAN has none. What is no address (control characters, NUL, spaces, <>, no "@",
 * non-ASCII outside SmtpUTF8Mailbox, an ASCII local part inside) is left out. STATUS_INVALID: the SAN cannot
 * be read. Free with smime_addresses_free, also after an error.
 */
MUST_USE enum status smime_addresses_read(X509 *cert, char ***addresses_out, size_t *n_out,
                                          struct error *err);
void smime_addresses_free(char **addresses, size_t n);

#endif
