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

#endif
