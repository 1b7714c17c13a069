/*
 * Who knows the passwords: the users file, Dovecot, or an LDAP directory. One of them is opened when the role
 * starts; a worker asks it one question at a time and waits.
 */
#ifndef SEALGATE_PASSWORDS_BACKEND_H
#define SEALGATE_PASSWORDS_BACKEND_H

#include "base/error.h"
#include "gateway/jobs/password_job.h"

struct backend {
    void *state;
    /*
     * Fills RESULT, which is zeroed, with a verdict and what belongs to it; errors of the backend are
     * PASSWORD_UNAVAILABLE with the reason in WHY, never PASSWORD_WRONG. Name and password of CHECK are not
     * empty, the name is one that user_name_is_valid takes (A21).
     */
    void (*check)(void *state, const struct password_check *check, struct password_result *result);
    void (*close)(void *state);
};

/* The file is read now, see users_load for the errors. PATH must outlive the backend. A right password is not
 * hashed again for REMEMBER_MS (gateway/users/remembered.h; 0: always). */
MUST_USE enum status backend_users_open(const char *path, int64_t remember_ms, struct backend *backend_out,
                                        struct error *err);

struct dovecot_settings {
    const char *socket_path; /* of the auth service, for clients */
    int64_t timeout_ms; /* for a whole check, the connection included; Dovecot answers FAIL after seconds */
};

/* Does not connect yet. SETTINGS must outlive the backend. STATUS_TEMPORARY: out of memory. */
MUST_USE enum status backend_dovecot_open(const struct dovecot_settings *settings,
                                          struct backend *backend_out, struct error *err);

struct ldap_settings; /* ldap_settings.h */

/* The same for a directory. STATUS_INVALID: settings that ldap_settings_check refuses. */
MUST_USE enum status backend_ldap_open(const struct ldap_settings *settings, struct backend *backend_out,
                                       struct error *err);

/* RESULT becomes PASSWORD_UNAVAILABLE with the printf text as reason; what it held is freed. */
void backend_unavailable(struct password_result *result, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
