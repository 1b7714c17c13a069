/* The private GnuPG home and its gpg.conf. */
#ifndef SEALGATE_PGP_HOME_H
#define SEALGATE_PGP_HOME_H

#include <stdbool.h>

#include "base/error.h"

/*
 * Makes folder PATH with mode 0700 if it is missing, and writes our gpg.conf into it; other processes may
 * use the same home at the same time. STATUS_DENIED: it is not ours alone; STATUS_TEMPORARY: I/O errors.
 */
MUST_USE enum status pgp_home_prepare(const char *path, bool for_signing, struct error *err);

/* ---- its databases ---- */

#define PGP_HOME_PATH_SIZE 256

/* Is the trust database there? Nothing is said of the keybox: where no keyring is used there is none. */
bool pgp_home_has_databases(const char *path);

/* Makes an empty folder in HOME for another GnuPG home, its path in ASIDE_OUT. Remove with pgp_home_remove.
 */
MUST_USE enum status pgp_home_aside(const char *home, char aside_out[PGP_HOME_PATH_SIZE], struct error *err);

/*
 * Gives HOME the trust database of ASIDE, and its keybox where HOME has no keyring yet; each appears complete
 * or not at all. What HOME has already stays as it is. STATUS_TEMPORARY: ASIDE has no trust database, or I/O
 * errors.
 */
MUST_USE enum status pgp_home_adopt(const char *home, const char *aside, struct error *err);

/* Removes the folder ASIDE with the files in it. */
void pgp_home_remove(const char *aside);

#endif
