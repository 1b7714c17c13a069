/*
 * auth → passwords: is this the user's password? A worker asks the backend (users file, Dovecot, LDAP), one
 * check at a time, so that hashing and a slow backend hold up nobody but who waits for it.
 */
#ifndef SEALGATE_JOBS_PASSWORD_JOB_H
#define SEALGATE_JOBS_PASSWORD_JOB_H

#include "base/pack.h"

enum { PASSWORD_CHECK = 20, PASSWORD_RESULT = 21 };

#define PASSWORD_USER_MAX 256
#define PASSWORD_MAX 1024
#define PASSWORD_ADDRESSES_MAX 1000
#define PASSWORD_TOTAL_MS 75000 /* no check takes longer, whatever the backend and its timeout */

struct password_check {
    char user[PASSWORD_USER_MAX];
    char password[PASSWORD_MAX];
    char client_address[64];
};

enum password_verdict {
    PASSWORD_OK = 1,
    PASSWORD_WRONG,       /* no such user and wrong password look alike (A19) */
    PASSWORD_UNAVAILABLE, /* the backend cannot be asked: 454 4.7.0, never 535 */
};

struct password_result {
    enum password_verdict verdict;
    char user[PASSWORD_USER_MAX]; /* PASSWORD_OK: as the backend writes it */
    char **addresses;             /* PASSWORD_OK: of the user, where the backend knows them (LDAP); owned */
    size_t n_addresses;
    char why[200]; /* PASSWORD_UNAVAILABLE, for the log */
};

void password_check_pack(struct buf *b, const struct password_check *check);
MUST_USE enum status password_check_unpack(struct span bytes, struct password_check *check_out,
                                           struct error *err);
void password_check_wipe(struct password_check *check);
void password_result_pack(struct buf *b, const struct password_result *result);
/* On failure RESULT_OUT is PASSWORD_UNAVAILABLE. */
MUST_USE enum status password_result_unpack(struct span bytes, struct password_result *result_out,
                                            struct error *err);
void password_result_free(struct password_result *result);

#endif
