/* submission → auth: is this the user's password? */
#ifndef SEALGATE_JOBS_AUTH_JOB_H
#define SEALGATE_JOBS_AUTH_JOB_H

#include "base/pack.h"

enum { AUTH_CHECK = 16, AUTH_RESULT = 17 };

#define AUTH_USER_MAX 256
#define AUTH_PASSWORD_MAX 1024

struct auth_check {
    char user[AUTH_USER_MAX];
    char password[AUTH_PASSWORD_MAX]; /* wiped by auth_check_wipe */
    char client_address[64];
};

enum auth_verdict {
    AUTH_OK = 1,
    AUTH_WRONG,       /* no such user and wrong password look alike (A19): 535 */
    AUTH_UNAVAILABLE, /* the user table cannot be read: 454 4.7.0, never 535 */
};

struct auth_result {
    enum auth_verdict verdict;
    char user[AUTH_USER_MAX]; /* as written in the table */
};

void auth_check_pack(struct buf *b, const struct auth_check *check);
MUST_USE enum status auth_check_unpack(struct span bytes, struct auth_check *check_out, struct error *err);
void auth_check_wipe(struct auth_check *check);
void auth_result_pack(struct buf *b, const struct auth_result *result);
MUST_USE enum status auth_result_unpack(struct span bytes, struct auth_result *result_out, struct error *err);

#endif
