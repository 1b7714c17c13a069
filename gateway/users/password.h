/* Making and checking what the users file keeps of a password. */
#ifndef SEALGATE_USERS_PASSWORD_H
#define SEALGATE_USERS_PASSWORD_H

#include "gateway/users/remembered.h"
#include "gateway/users/users.h"

/*
 * Fills HASH (a new yescrypt hash) and SCRAM of USER, which has none, for a new password. It is prepared with
 * SASLprep for both. STATUS_INVALID: empty, over 511 bytes, or SASLprep refuses it.
 */
MUST_USE enum status user_set_password(struct user *user, const char *password, struct error *err);

/*
 * Is it the user's password, as it is written or as SASLprep writes it? STATUS_OK: yes, *USER_OUT belongs to
 * USERS. STATUS_DENIED: wrong, or no such user. STATUS_TEMPORARY: could not hash (out of memory), which says
 * nothing about the password.
 *
 * A user who is not there costs what one who is there costs: the hash of one of them is computed, always of
 * the same for the same name (A19). REMEMBERED, which may be NULL, spares a user the hash whose password was
 * right not long ago; nobody else.
 */
MUST_USE enum status users_check(const struct users *users, const char *name, const char *password,
                                 struct remembered *remembered, const struct user **user_out,
                                 struct error *err);

#endif
