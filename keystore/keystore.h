/*
 * Certificates of both kinds, found by address. One SQLite database, written by the keys role alone.
 *
 * Matching: the domain case-insensitive and as A-label (libidn2); the local part case-insensitive unless
 * configured otherwise; "user+tag@d" falls back to "user@d" when it has no certificate of its own. Fitness is
 * judged anew at every lookup by the dates stored, so that a certificate expires by itself.
 *
 * A certificate may be bound to a domain: then it counts for every address there, behind those of the address
 * itself. Subdomains are other domains.
 */
#ifndef SEALGATE_KEYSTORE_KEYSTORE_H
#define SEALGATE_KEYSTORE_KEYSTORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"

enum certificate_format { CERTIFICATE_OPENPGP = 1, CERTIFICATE_SMIME = 2 };

#define CERTIFICATE_FINGERPRINT_SIZE 65
#define CERTIFICATE_KEYIDS_MAX 16

/* "openpgp", "smime". Static memory. */
const char *certificate_format_word(enum certificate_format format);

enum { CAPABILITY_AES256_GCM = 1, CAPABILITY_RSA_OAEP = 2, CAPABILITY_LAST = CAPABILITY_RSA_OAEP };

/* "aes256-gcm", "rsa-oaep". Static memory. */
const char *certificate_capability_word(unsigned capability);

struct certificate {
    enum certificate_format format;
    char fingerprint[CERTIFICATE_FINGERPRINT_SIZE]; /* upper-case hex: OpenPGP primary key, or SHA-256 of DER
                                                     */
    char source[24]; /* "local" (the administrator), later "wkd", "dane", … */
    char algorithm[32];
    bool pinned;           /* by the administrator: used before others, S/MIME without a chain to a root */
    bool for_domain;       /* found under "@domain": a certificate of the domain, not of the person */
    unsigned capabilities; /* CAPABILITY_*, S/MIME: what its owner's programs are known to read */
    int64_t worked_ms;     /* a copy sealed to it last reached its next hop; 0: never, as far as known */
    bool usable;
    char reason[160]; /* why not usable, for people: "expired on 2024-05-01", "revoked"; "" when usable */
    int64_t added;    /* seconds since 1970 */
    int64_t expires;  /* seconds since 1970; 0: never */
    uint64_t keyids[CERTIFICATE_KEYIDS_MAX]; /* OpenPGP: (sub)keys it may be encrypted to */
    size_t n_keyids;
    struct buf bytes; /* binary OpenPGP certificate or DER; owned */
    char *addresses;  /* comma-separated, for people; owned */
    char *domains;    /* it is bound to, A-labels, comma-separated; owned; NULL: none, or not told (jobs) */
    char *name;       /* first user ID or subject, for people; owned, may be NULL */
};

struct certificate_list {
    struct certificate *items; /* owned */
    size_t n;
    enum certificate_format preferred; /* of a lookup: what the person at the address wants; 0: not known */
};
void certificate_list_free(struct certificate_list *list);

struct keystore_settings {
    const char *path; /* database file */
    bool local_part_case_sensitive;
    const char *gpg_path;
    const char *gpg_home;   /* private home for inspecting certificates */
    const char *roots_path; /* PEM trust anchors for S/MIME; NULL: what the administrator adds is trusted */
    const char *const *crl_paths; /* n_crl_paths files with CRLs for S/MIME, see smime/smime.h */
    size_t n_crl_paths;
    bool crl_required; /* what no fresh CRL covers is not usable */
};

struct keystore;

/*
 * Makes the database when there is none; STATUS_INVALID when there was one and it is gone. A damaged one, or
 * one that others may read, is an error too: it is never taken for an empty one.
 */
MUST_USE enum status keystore_open(const struct keystore_settings *settings, struct keystore **ks_out,
                                   struct error *err);
void keystore_close(struct keystore *ks);

/*
 * Adds every certificate in FILE (armored or binary OpenPGP, PEM, DER, PKCS#7), all or none, and lists what
 * was added (also those not usable now, with the reason). One with the same fingerprint replaces the old
 * bytes. CA certificates in S/MIME bundles are skipped unless nothing else is there (then STATUS_INVALID). A
 * certificate without any address is STATUS_INVALID.
 *
 * FILE may also be a signed S/MIME mail (smime/signed.h): the certificate that signed it is added, with what
 * its owner's programs say in it that they read, which counts before the certificate's own extension (RFC
 * 4262 §3) unless a later mail was added before. A mail that proves nothing is STATUS_INVALID.
 */
MUST_USE enum status keystore_add(struct keystore *ks, struct span file, const char *source,
                                  struct certificate_list *added_out, struct error *err);

/*
 * The same; with DOMAIN (not NULL; "partner.example" or "@partner.example", an IDN in either form) each of
 * them is bound to that domain, beside those it was bound to before. STATUS_INVALID: DOMAIN is none.
 */
MUST_USE enum status keystore_add_for_domain(struct keystore *ks, struct span file, const char *source,
                                             const char *domain, struct certificate_list *added_out,
                                             struct error *err);

/*
 * Everything that matches ADDRESS: its own first, then those of its domain; of each usable ones first, of
 * these the pinned first, then newest first. An empty list is STATUS_OK: we looked and there is none. Any
 * failure to look (database, engine) is STATUS_TEMPORARY, never an empty list. An address that is none is
 * STATUS_INVALID.
 */
MUST_USE enum status keystore_lookup(struct keystore *ks, const char *address,
                                     struct certificate_list *list_out, struct error *err);

/*
 * All certificates, or those that expire within DAYS (DAYS >= 0; expired ones included), sorted by first
 * address; without their bytes. They are not inspected anew, only the date is looked at.
 */
MUST_USE enum status keystore_list(struct keystore *ks, struct certificate_list *list_out, struct error *err);
MUST_USE enum status keystore_expiring(struct keystore *ks, int days, struct certificate_list *list_out,
                                       struct error *err);

/* By full fingerprint, or its last 16 or more hex digits when that is unique. STATUS_NOT_FOUND,
 * STATUS_INVALID (ambiguous). */
MUST_USE enum status keystore_show(struct keystore *ks, const char *fingerprint,
                                   struct certificate_list *one_out, struct error *err);
MUST_USE enum status keystore_remove(struct keystore *ks, const char *fingerprint, struct error *err);

/*
 * Pins one (fingerprint as above), or ends that, and judges it anew. A pinned certificate is used before all
 * others of its format that an address has, and needs no chain to a root; dates, usage and revocation count.
 */
MUST_USE enum status keystore_pin(struct keystore *ks, const char *fingerprint, bool pinned,
                                  struct certificate_list *one_out, struct error *err);

/*
 * The pinned certificates that stand before that of FINGERPRINT (all of it), which is not pinned: of its
 * format, with an address or a domain of its own (A15). None is STATUS_OK.
 */
MUST_USE enum status keystore_pinned_before(struct keystore *ks, const char *fingerprint,
                                            struct certificate_list *list_out, struct error *err);

/*
 * What the person at ADDRESS wants, or with "@domain" all there for whom nothing else is known; FORMAT 0:
 * nothing. It stands in lookups, also of tagged addresses. STATUS_INVALID: it is neither.
 */
MUST_USE enum status keystore_prefer(struct keystore *ks, const char *address, enum certificate_format format,
                                     struct error *err);

/* Copies sealed to these certificates reached their next hop at NOW_MS. One transaction; those that are not
 * there (any more) are passed over. */
MUST_USE enum status keystore_worked(struct keystore *ks, char *const *fingerprints, size_t n, int64_t now_ms,
                                     struct error *err);

/*
 * The canonical form by which addresses are compared: A-label lower-case domain, local part unquoted if it
 * need not be quoted, lower-case (ASCII letters) unless case-sensitive. Appended to KEY_OUT. STATUS_INVALID
 * when ADDRESS is no addr-spec. STATUS_TEMPORARY: out of memory.
 */
MUST_USE enum status keystore_address_key(const char *address, bool local_part_case_sensitive,
                                          struct buf *key_out, struct error *err);

#endif
