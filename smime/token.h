/*
 * Keys on a PKCS#11 token (RFC 7512 URIs), through libp11.
 *
 * A token is opened by the process that uses it: PKCS#11 sessions do not survive fork().
 */
#ifndef SEALGATE_SMIME_TOKEN_H
#define SEALGATE_SMIME_TOKEN_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/error.h"

struct smime_token;

/*
 * Loads MODULE (a path) and logs in with PIN to the one token that URI names. STATUS_INVALID: no module, no
 * PKCS#11 URI, a PIN in the URI, none where one is wanted; STATUS_DENIED: the token refuses the PIN, or has
 * locked it; STATUS_TEMPORARY: no such token is there, or it does not answer.
 * With one try left nothing is tried (STATUS_DENIED): a restarted worker must not lock the token.
 */
MUST_USE enum status smime_token_open(const char *module, const char *uri, const char *pin,
                                      struct smime_token **token_out, struct error *err);
void smime_token_close(struct smime_token *token);

/* Appends the certificate that URI names to CERTS, and behind it the others on the token (its chain). */
MUST_USE enum status smime_token_certificates(struct smime_token *token, const char *uri,
                                              STACK_OF(X509) * certs, struct error *err);

/* The private key that URI names (its "id" or "object"). Free it before the token is closed. */
MUST_USE enum status smime_token_key(struct smime_token *token, const char *uri, EVP_PKEY **key_out,
                                     struct error *err);

#endif
