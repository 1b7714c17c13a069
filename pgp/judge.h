/* Is this certificate fit to encrypt to? From what GnuPG verified and our own clock. */
#ifndef SEALGATE_PGP_JUDGE_H
#define SEALGATE_PGP_JUDGE_H

#include <gpgme.h>

#include "pgp/pgp.h"
#include "pgp/transferable.h"

/*
 * Fills INFO (zeroed before) from KEY as GnuPG lists it and READ as we read it. STATUS_TEMPORARY: out of
 * memory, or GnuPG lists another certificate than it was given.
 */
MUST_USE enum status pgp_judge(gpgme_key_t key, const struct pgp_transferable *read, int64_t now,
                               struct pgp_certificate_info *info, struct error *err);

/* Sets fitness and reason. */
void pgp_judge_as(struct pgp_certificate_info *info, enum pgp_fitness fitness, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Adds the address of USER_ID, if it has one and INFO has it not yet, and keeps the first text for people. */
MUST_USE enum status pgp_judge_add_user_id(struct pgp_certificate_info *info, struct span user_id,
                                           struct error *err);

#endif
