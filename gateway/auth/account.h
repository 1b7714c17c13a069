/* What the configuration says of users: whose a certificate is, and whose mail one may send. */
#ifndef SEALGATE_AUTH_ACCOUNT_H
#define SEALGATE_AUTH_ACCOUNT_H

#include "gateway/auth/auth.h"
#include "gateway/jobs/sasl_job.h"
#include "gateway/net/tls_peer.h"

/*
 * The user to whom the first account gives the certificate, of those that are named USER where that is not
 * "". NULL: nobody. Static as SETTINGS.
 */
const char *account_by_certificate(const struct auth_settings *settings, const struct tls_peer *certificate,
                                   const char *user);

/*
 * The patterns of addresses that are USER's: the name itself when it is an address, else at each of the
 * domains; ADDRESSES, which the backend knows; and send_as of the first account that matches. Put into
 * RESULT, which sasl_result_free frees. STATUS_TEMPORARY: out of memory; STATUS_LIMIT: over
 * SASL_SEND_AS_MAX.
 */
MUST_USE enum status account_send_as(const struct auth_settings *settings, const char *user,
                                     char *const *addresses, size_t n_addresses, struct sasl_result *result,
                                     struct error *err);

#endif
