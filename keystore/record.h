/* Certificates as rows of the database. */
#ifndef SEALGATE_KEYSTORE_RECORD_H
#define SEALGATE_KEYSTORE_RECORD_H

#include "keystore/inspect.h"
#include "keystore/private.h"

extern const char *const record_schema[];

/* Row ids. */
struct record_ids {
    int64_t *items; /* owned */
    size_t n;
};
void record_ids_free(struct record_ids *ids);

/*
 * Stores FINDING as judged at NOW, with INTERMEDIATES (may be NULL); a row with the same fingerprint is
 * replaced. Wants a transaction. STATUS_LIMIT: one of its addresses has KEYSTORE_PER_ADDRESS_MAX already.
 */
MUST_USE enum status record_put(struct keystore *ks, const struct finding *finding, int64_t now,
                                const struct smime_certificates *intermediates, int64_t *id_out,
                                struct error *err);

/*
 * Stores a new judgement of row ID, and the addresses when FINDING has any: a certificate that became
 * unreadable keeps its addresses, so that people read why, not "none found". Wants a transaction.
 */
MUST_USE enum status record_update(struct keystore *ks, int64_t id, const struct finding *finding,
                                   int64_t now, struct error *err);

/* STATUS_NOT_FOUND: there is no row ID. INSPECTED_OUT (may be NULL): when it was judged. */
MUST_USE enum status record_load(struct keystore *ks, int64_t id, bool with_bytes,
                                 struct certificate *certificate_out, int64_t *inspected_out,
                                 struct error *err);
MUST_USE enum status record_intermediates(struct keystore *ks, int64_t id,
                                          struct smime_certificates *intermediates_out, struct error *err);

/* Rows with an address of these keys; all rows; rows whose fingerprint ends in HEX (upper-case hex digits).
 */
MUST_USE enum status record_find_address(struct keystore *ks, const struct address_keys *keys,
                                         struct record_ids *ids_out, struct error *err);
MUST_USE enum status record_find_all(struct keystore *ks, struct record_ids *ids_out, struct error *err);
MUST_USE enum status record_find_fingerprint(struct keystore *ks, const char *hex, struct record_ids *ids_out,
                                             struct error *err);

MUST_USE enum status record_delete(struct keystore *ks, int64_t id, struct error *err);

#endif
