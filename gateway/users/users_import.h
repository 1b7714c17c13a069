/* Users as other programs keep them: htpasswd, crypt(5), Dovecot's passwd-file, and our own file. */
#ifndef SEALGATE_USERS_USERS_IMPORT_H
#define SEALGATE_USERS_USERS_IMPORT_H

#include "gateway/users/users.h"

/*
 * Reads TEXT, called PATH in messages. A line is one of
 *
 *     name:hash                      crypt(5) of a safe kind; further fields are passed over
 *     name:{SCHEME}hash              CRYPT, SHA512-CRYPT, SHA256-CRYPT, BLF-CRYPT: the same
 *     name:{SCRAM-SHA-256}iterations,salt,StoredKey,ServerKey
 *     name:{PLAIN}password           or CLEARTEXT: hashed here
 *     name:hash:SCRAM-SHA-256$…      as in our users file
 *
 * Blank lines and # comments are passed over. Every problem is one line "PATH:LINE: what" in PROBLEMS; then,
 * all or nothing, the result is STATUS_INVALID and USERS_OUT empty. A name of EXISTING (may be NULL) is a
 * problem too. STATUS_TEMPORARY: out of memory.
 */
MUST_USE enum status users_import(struct span text, const char *path, const struct users *existing,
                                  struct users *users_out, struct buf *problems, struct error *err);

#endif
