/*
 * One transferable public key (RFC 4880 §11.1): cut it out of binary data, and read what it says of
 * itself. Nothing is verified here: that is GnuPG's part; this is what can be said without it.
 */
#ifndef SEALGATE_PGP_TRANSFERABLE_H
#define SEALGATE_PGP_TRANSFERABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"
#include "pgp/pgp.h"

/* Packets of one certificate. A flooded one (A14, CVE-2019-13050) is over it; well-signed keys have a few
 * hundred. */
#define PGP_PACKETS_MAX 2000

/*
 * Takes one certificate off the front of *REST and appends it to CERTIFICATE_OUT without what does not
 * belong to it (trust, marker, padding and private packets). STATUS_INVALID: no certificate, damaged,
 * or secret key material; STATUS_LIMIT: over PGP_PACKETS_MAX packets or PGP_CERTIFICATE_MAX bytes.
 */
MUST_USE enum status pgp_transferable_cut(struct span *rest, struct buf *certificate_out, struct error *err);

struct pgp_transferable {
    unsigned version;   /* of the primary key: 3, 4, 6 */
    unsigned algorithm; /* of the primary key (RFC 4880 §9.1) */
    bool primary_known; /* GnuPG 2.2 knows its algorithm and curve */
    size_t n_subkeys;
    unsigned unknown_subkey;                /* algorithm of a subkey that GnuPG 2.2 does not know; 0: none */
    int64_t created;                        /* seconds since 1970 */
    char fingerprint[PGP_FINGERPRINT_SIZE]; /* "" for other versions than 4 and 6 */
};

/* Reads a certificate that pgp_transferable_cut gave. STATUS_INVALID: its primary key is damaged. */
MUST_USE enum status pgp_transferable_read(struct span certificate, struct pgp_transferable *out,
                                           struct error *err);

/*
 * Takes the next user ID off the front of *REST, which stands inside a certificate that
 * pgp_transferable_cut gave; false when there is none. It may be forged or revoked: nothing verified it.
 */
bool pgp_transferable_next_user_id(struct span *rest, struct span *user_id_out);

#endif
