/*
 * One connection to a directory, over TLS with a verified certificate, for one check. Every wait ends at the
 * session's deadline.
 */
#ifndef SEALGATE_PASSWORDS_LDAP_SESSION_H
#define SEALGATE_PASSWORDS_LDAP_SESSION_H

#include <ldap.h>
#include <stdbool.h>

#include "gateway/passwords/ldap_settings.h"
#include "gateway/passwords/ldap_transport.h"

struct ldap_session {
    LDAP *ld;
    struct ldap_transport transport;
};

/*
 * Connects and, where it is asked for, starts TLS. STATUS_TEMPORARY: unreachable, late, or a certificate that
 * does not verify. End with ldap_session_close, also when it fails.
 */
MUST_USE enum status ldap_session_open(const struct ldap_settings *settings, SSL_CTX *ctx,
                                       struct ldap_session *session_out, struct error *err);
void ldap_session_close(struct ldap_session *session);

/*
 * A simple bind. STATUS_DENIED: the directory says that DN and password do not go together, or that there is
 * no such DN. STATUS_INVALID: an empty password, which would bind as nobody and succeed (RFC 4513 §5.1.2);
 * nothing is sent. STATUS_TEMPORARY: all else.
 */
MUST_USE enum status ldap_session_bind(struct ldap_session *session, const char *dn, const char *password,
                                       struct error *err);

/*
 * Searches SCOPE (LDAP_SCOPE_…) below BASE for one entry. STATUS_OK: *RESULT_OUT holds exactly that one, to
 * be freed with ldap_msgfree. STATUS_NOT_FOUND: none. STATUS_TEMPORARY: several, or an error, one that there
 * is no BASE included.
 */
MUST_USE enum status ldap_session_find(struct ldap_session *session, const char *base, int scope,
                                       const char *filter, const char *const *attributes,
                                       LDAPMessage **result_out, struct error *err);

#endif
