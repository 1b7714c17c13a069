/* Where things lie below the state directory. */
#ifndef SEALGATE_MAIN_PATHS_H
#define SEALGATE_MAIN_PATHS_H

#include "conf/conf.h"

#define PATH_SIZE 512

#define SPOOL_KEY_FILE "spool.key"
#define FOLDER_EMPTY "empty"       /* for roles that need no files */
#define FOLDER_QUEUE "queue"       /* queue.db */
#define FOLDER_KEYS "keys"         /* keys.db, gnupg */
#define FOLDER_SEAL "seal"         /* a GnuPG home per worker */
#define FOLDER_AUTH "auth"         /* secret, guard.db */
#define FOLDER_DELIVERY "delivery" /* sts.db, tlsrpt.db */
/* GnuPG home with the keys to sign with, unless signing-home says another. Made even where nothing signs yet:
 * a reload may add what does, and makes no folders. */
#define FOLDER_SIGNING "signing"

/* "STATE/NAME"; STATUS_INVALID when it would be too long. */
MUST_USE enum status path_in_state(const struct conf *conf, const char *name, char out[PATH_SIZE],
                                   struct error *err);

/* The GnuPG home with the keys to sign with. */
MUST_USE enum status path_signing_home(const struct conf *conf, char out[PATH_SIZE], struct error *err);

/*
 * Makes the state directory and its folders (0700, owned by the service user when run as root), the spool
 * key, and locks the directory for this supervisor: a second gateway on the same state is STATUS_DENIED.
 * *LOCK_FD_OUT stays open for life.
 */
MUST_USE enum status state_prepare(const struct conf *conf, int *lock_fd_out, struct error *err);

#endif
