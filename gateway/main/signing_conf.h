/* The signing sections as settings of the seal role, with the files they name. */
#ifndef SEALGATE_MAIN_SIGNING_CONF_H
#define SEALGATE_MAIN_SIGNING_CONF_H

#include "base/buf.h"
#include "conf/conf.h"
#include "gateway/seal/seal.h"

struct signing_files {
    struct buf certificate, key;
    char *openpgp_passphrase, *smime_passphrase;
};

struct signing_conf {
    struct seal_signing *items;  /* owned, as is what they point to but for the strings of CONF */
    struct signing_files *files; /* one for each */
    size_t n;
};

/*
 * Reads passphrases, certificates and keys: called while the process may still read files of root's, before
 * it drops its rights. A private key or passphrase that others can read is STATUS_DENIED (A26). The text
 * names section and file. Free with signing_conf_free, which wipes them.
 */
MUST_USE enum status signing_from_conf(const struct conf *conf, struct signing_conf *signing_out,
                                       struct error *err);
void signing_conf_free(struct signing_conf *signing);

/* Judges every section as the seal role will: each problem is a line in PROBLEMS. Tokens are not asked. */
void signing_conf_check(const struct conf *conf, const char *path, struct buf *problems);

/* Appends a line "PATH: note: …" for each certificate that may not sign now: expired, its usage. */
void signing_conf_notes(const struct conf *conf, const char *path, struct buf *notes);

#endif
