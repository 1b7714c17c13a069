/* Certificates as rows of the database. */
#ifndef SEALGATE_KEYSTORE_RECORD_H
#define SEALGATE_KEYSTORE_RECORD_H

#include "keystore/inspect.h"
#include "keystore/private.h"

/* For sql_open. */
extern const char *const keystore_schema[];

/* Row ids. */
struct record_ids {
    int64_t *items; /* owned */
    size_t n;
};
void record_ids_free(struct record_ids *ids);

/*
 * Stores FINDING as judged at NOW, with INTERMEDIATES (may be NULL); of a row with the same fingerprint
 * (KNOWN_OUT) pin, domains, what mails told and, without new ones, intermediates stay. Wants a transaction.
 * STATUS_LIMIT: one of its addresses has KEYSTORE_PER_ADDRESS_MAX already.
 */
MUST_USE enum status record_put(struct keystore *ks, const struct finding *finding, int64_t now,
                                const struct smime_certificates *intermediates, int64_t *id_out,
                                bool *known_out, struct error *err);

/* DOMAIN is a key (address_domain_key). STATUS_LIMIT: it has KEYSTORE_PER_ADDRESS_MAX certificates already.
 */
MUST_USE enum status record_bind(struct keystore *ks, int64_t id, const char *domain, struct error *err);

/* What a mail signed at SIGNED_AT told, unless a later one told something already. */
MUST_USE enum status record_mail(struct keystore *ks, int64_t id, unsigned capabilities, int64_t signed_at,
                                 struct error *err);
MUST_USE enum status record_pin(struct keystore *ks, int64_t id, bool pinned, struct error *err);

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
/* Appends them all to LIST. */
MUST_USE enum status record_load_list(struct keystore *ks, const struct record_ids *ids, bool with_bytes,
                                      struct certificate_list *list, struct error *err);
MUST_USE enum status record_intermediates(struct keystore *ks, int64_t id,
                                          struct smime_certificates *intermediates_out, struct error *err);

/* Rows with an address of these keys; bound to DOMAIN (a key); all rows; rows whose fingerprint ends in HEX
 * (upper-case hex digits).
 */
MUST_USE enum status record_find_address(struct keystore *ks, const struct address_keys *keys,
                                         struct record_ids *ids_out, struct error *err);
MUST_USE enum status record_find_domain(struct keystore *ks, const char *domain, struct record_ids *ids_out,
                                        struct error *err);
/* Pinned rows of the format of row FINGERPRINT that have an address or a domain of its own, but itself. */
MUST_USE enum status record_find_pinned_before(struct keystore *ks, const char *fingerprint,
                                               struct record_ids *ids_out, struct error *err);
MUST_USE enum status record_find_all(struct keystore *ks, struct record_ids *ids_out, struct error *err);
MUST_USE enum status record_find_fingerprint(struct keystore *ks, const char *hex, struct record_ids *ids_out,
                                             struct error *err);

MUST_USE enum status record_delete(struct keystore *ks, int64_t id, struct error *err);

#endif
