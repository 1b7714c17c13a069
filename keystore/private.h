/* Shared by the files of the keystore only. */
#ifndef SEALGATE_KEYSTORE_PRIVATE_H
#define SEALGATE_KEYSTORE_PRIVATE_H

#include "base/sql.h"
#include "keystore/keystore.h"
#include "pgp/pgp.h"
#include "smime/smime.h"

/* Certificates of one address: more are refused when added, so that no lookup grows without bound. */
#define KEYSTORE_PER_ADDRESS_MAX 100
/* Bytes of one certificate of either format. */
#define KEYSTORE_BYTES_MAX PGP_CERTIFICATE_MAX

struct keystore {
    struct sql *sql;
    struct pgp_engine *engine;
    struct smime_trust *trust;
    bool case_sensitive;
};

/* Appends one certificate, moved in; on failure (out of memory) it stays the caller's. */
MUST_USE enum status certificate_list_push(struct certificate_list *list, struct certificate *moved,
                                           struct error *err);
void certificate_free(struct certificate *certificate);

/* keystore_lookup at NOW, seconds since 1970. */
MUST_USE enum status keystore_lookup_at(struct keystore *ks, const char *address, int64_t now,
                                        struct certificate_list *list_out, struct error *err);

#endif
