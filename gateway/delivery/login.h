/*
 * One login at a smarthost: the client side of a SASL exchange (RFC 4422) by libgsasl, without I/O. Whether
 * the connection is fit for a password is for the caller to see to.
 */
#ifndef SEALGATE_DELIVERY_LOGIN_H
#define SEALGATE_DELIVERY_LOGIN_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"
#include "gateway/wire/ehlo.h"

/* Is a login bound to the TLS connection (RFC 5929 §1), so that it fails where TLS ends at somebody else? */
enum login_binding {
    LOGIN_BINDING_AUTO,    /* where the host offers it and TLS can */
    LOGIN_BINDING_REQUIRE, /* or there is none */
    LOGIN_BINDING_NEVER,   /* as if TLS could not */
};

struct credentials {
    const char *user; /* NULL: none, nobody logs in */
    const char *password;
    enum login_binding binding;
};

struct login;

/*
 * Takes the best mechanism of those that EHLO offered: SCRAM-SHA-256 (RFC 7677) or SCRAM-SHA-1 (RFC 5802)
 * with channel binding, the same without, PLAIN (RFC 4616). EXPORTER is the tls-exporter of the connection
 * (RFC 9266), copied; empty: it has none, and no binding is used. A host that did not offer to bind is told
 * that we would have (RFC 5802 §6, "y"), so that it sees when somebody took the offer out of its EHLO reply;
 * with LOGIN_BINDING_NEVER that we cannot ("n"). STATUS_DENIED: it offered none of them, or none of those
 * with channel binding that LOGIN_BINDING_REQUIRE wants. Free with login_free.
 */
MUST_USE enum status login_start(const struct credentials *credentials, const struct ehlo *ehlo,
                                 struct span exporter, struct login **login_out, struct error *err);
void login_free(struct login *login);

/* "SCRAM-SHA-256". */
const char *login_mechanism(const struct login *login);

/* Is it bound to the TLS connection? */
bool login_is_bound(const struct login *login);

/* Does the host refuse it too when TLS ends at another than itself? */
bool login_shows_middleman(const struct login *login);

/*
 * Appends the answer to CHALLENGE (not base64 any more; empty at first, for the initial response) to
 * RESPONSE_OUT. STATUS_DENIED: the challenge proves that the host does not know the password, or is none.
 */
MUST_USE enum status login_step(struct login *login, struct span challenge, struct buf *response_out,
                                struct error *err);

/* Is nothing more to be said, so that the host's "235" may be believed? With SCRAM the host has proved itself
 * by then. */
bool login_is_complete(const struct login *login);

#endif
