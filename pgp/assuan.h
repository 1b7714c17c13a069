/* One gpg in server mode ("gpg --server"): starting it, a message over its Assuan connection, its end. */
#ifndef SEALGATE_PGP_ASSUAN_H
#define SEALGATE_PGP_ASSUAN_H

#include <sys/types.h>

#include "pgp/pgp.h"

struct pgp_assuan;

/*
 * Starts GPG_PATH with HOME and the keyring that RING_FD holds (pgp/ring.h). NULL: it does not work, or is no
 * gpg. No time limit: the caller is a worker with a deadline.
 */
struct pgp_assuan *pgp_assuan_start(const char *gpg_path, const char *home, int ring_fd);

/* Waits for its end. NULL is allowed. */
void pgp_assuan_stop(struct pgp_assuan *gpg);

/*
 * Encrypts PLAINTEXT to the certificates with these fingerprints, each named once, as pgp_encrypt does, but
 * with LF line ends, and appends it to ARMORED_OUT. False: something went wrong; GPG is of no use any more
 * then. At most PGP_ASSUAN_RECIPIENTS_MAX of them.
 */
#define PGP_ASSUAN_RECIPIENTS_MAX                                                                            \
    32 /* their status lines must fit into a pipe, read when the run is over                                 \
        */
MUST_USE bool pgp_assuan_encrypt(struct pgp_assuan *gpg, const char *const *fingerprints, size_t n,
                                 struct spans plaintext, struct buf *armored_out,
                                 char cipher_out[PGP_CIPHER_SIZE]);

#endif
