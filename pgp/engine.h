/* The engine inside: one GPGME context for GnuPG with a home of its own. */
#ifndef SEALGATE_PGP_ENGINE_H
#define SEALGATE_PGP_ENGINE_H

#include <gpgme.h>

#include "pgp/pgp.h"
#include "pgp/server.h"

struct pgp_engine {
    gpgme_ctx_t ctx;           /* kept: setting its engine again would run "gpg --version" again */
    struct pgp_server *server; /* NULL: every message is a run of gpg */
    gpgme_key_t signer; /* the key that signed last: listing it again would run gpg again; NULL: none */
};

/* Fills ERR with WHAT and GPGME's text for CODE; STATUS_TEMPORARY. */
enum status pgp_engine_error(struct error *err, gpgme_error_t code, const char *what);

#endif
