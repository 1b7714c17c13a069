/*
 * OpenPGP with GPGME: inspect a certificate, encrypt, check what came out.
 *
 * Knows nothing of SMTP, policy or the database. One engine per process; not for several threads.
 * GnuPG is never trusted to have succeeded: pgp_check_message parses every output (pitfalls: success
 * with empty or truncated ciphertext when gpg dies).
 */
#ifndef SEALGATE_PGP_PGP_H
#define SEALGATE_PGP_PGP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/sink.h"
#include "base/span.h"

#define PGP_FINGERPRINT_SIZE 65        /* hex and NUL; 40 digits for v4, 64 for v6 */
#define PGP_SUBKEYS_MAX 16             /* encryption subkeys looked at in one certificate */
#define PGP_CERTIFICATE_MAX (1u << 20) /* bytes of one certificate; larger is refused unread (A14) */

/* ---- engine ---- */

struct pgp_engine_settings {
    const char *gpg_path; /* "/usr/bin/gpg" */
    const char *home;     /* private folder, 0700, short path (socket limit); gpg.conf is written there */
    bool signing;         /* HOME holds keys to sign with, which its agent knows (pgp/sign.h) */
};

struct pgp_engine;

/*
 * Prepares HOME (makes it if missing, writes gpg.conf: batch, trust-model direct, no-auto-key-locate,
 * no-auto-check-trustdb, no-random-seed-file, disable-dirmngr, …) and one GPGME context kept for the
 * life of the engine. Never touches any other GnuPG home.
 */
MUST_USE enum status pgp_engine_open(const struct pgp_engine_settings *settings,
                                     struct pgp_engine **engine_out, struct error *err);
void pgp_engine_close(struct pgp_engine *engine);

/* ---- certificates ---- */

enum pgp_fitness {
    PGP_USABLE,
    PGP_EXPIRED, /* the primary key, or every encryption subkey */
    PGP_REVOKED,
    PGP_NO_ENCRYPTION_KEY, /* "wrong usage": no (sub)key that may encrypt */
    PGP_UNSUPPORTED,       /* v6, v3, or algorithms this GnuPG does not know */
    PGP_INVALID,           /* damaged, no valid self-signature, secret key material, … */
};

struct pgp_certificate_info {
    enum pgp_fitness fitness;
    char reason[160]; /* for people: "expired on 2024-05-01", "revoked", … ; "" when usable */
    char fingerprint[PGP_FINGERPRINT_SIZE]; /* of the primary key, upper-case hex; "": v3, or damaged */
    char algorithm[32]; /* of the encryption subkey that will be used, "rsa3072", "cv25519" */
    int64_t created;    /* seconds since 1970 */
    int64_t expires; /* seconds since 1970: the earlier of primary key and last encryption subkey; 0: never */
    uint64_t encryption_keyids[PGP_SUBKEYS_MAX]; /* valid encryption (sub)keys now */
    size_t n_encryption_keyids;
    char **addresses; /* addr-spec of each valid, not revoked user ID, as written there; owned */
    size_t n_addresses;
    char *user_id; /* first valid user ID for people, UTF-8; owned, may be NULL */
};

/*
 * Cuts a file with armored or binary OpenPGP certificates into single binary certificates (transferable
 * public keys, RFC 4880 §11.1), without running gpg, so that each is stored and used alone (pitfalls: a
 * file with two certificates silently uses the first). Appends to LIST; at most MAX certificates.
 * STATUS_INVALID: not OpenPGP, damaged, or it holds secret key material; STATUS_LIMIT: too large or too
 * many. Free with pgp_certificates_free.
 */
struct pgp_certificates {
    struct buf *items; /* each one binary certificate */
    size_t n;
};
MUST_USE enum status pgp_certificates_split(struct span file, size_t max, struct pgp_certificates *list_out,
                                            struct error *err);
void pgp_certificates_free(struct pgp_certificates *list);

/*
 * Inspects one binary certificate without importing it (gpgme_op_keylist_from_data_start; validity is
 * judged at NOW, seconds since 1970, by the dates and flags gpg reports). A certificate that cannot be used
 * is STATUS_OK with a fitness and a reason; a failed run of gpg is STATUS_TEMPORARY, never a fitness (the
 * field says PGP_INVALID then). The addresses of a revoked certificate and, unverified, of an unsupported one
 * are given too, so that people can read why it is not used. A certificate over PGP_CERTIFICATE_MAX bytes or
 * 2000 packets, with secret key material, or of another version than 4 is judged without gpg (A14). What is
 * costly to verify, as keys of 16384 bits, has no bound here: the caller is a worker with a deadline. Free
 * with pgp_certificate_info_free.
 */
MUST_USE enum status pgp_certificate_inspect(struct pgp_engine *engine, struct span certificate, int64_t now,
                                             struct pgp_certificate_info *info_out, struct error *err);
void pgp_certificate_info_free(struct pgp_certificate_info *info);

/* ---- sealing ---- */

struct pgp_recipient {
    const char *certificate_path; /* file with exactly one binary certificate (gpg --file) */
    /* Of its primary key, when a file at this path never holds another certificate: then the certificate may
     * be remembered from run to run. NULL: not so. */
    const char *fingerprint;
};

#define PGP_CIPHER_SIZE 16

/*
 * Encrypts PLAINTEXT as one armored OpenPGP message (PKESK per recipient, SEIPD with MDC, no compression,
 * literal data in binary mode) into the sink ARMORED, with CRLF line ends (RFC 3156 §3). ALWAYS_TRUST,
 * NO_ENCRYPT_TO, NO_COMPRESS, no user's gpg.conf. CIPHER_OUT is the algorithm that GnuPG chose by the
 * recipients' preferences ("AES256"). An unusable certificate is STATUS_TEMPORARY with its path in the text;
 * a failure of the sink is passed on. After any failure what the sink got is to be thrown away: it may be a
 * message for the other recipients. No time limit in here: the caller is a worker with a deadline. The result
 * is not proven yet: call pgp_check_message.
 */
MUST_USE enum status pgp_encrypt(struct pgp_engine *engine, const struct pgp_recipient *recipients,
                                 size_t n_recipients, struct spans plaintext, const struct sink *armored,
                                 char cipher_out[PGP_CIPHER_SIZE], struct error *err);

/*
 * What pgp_encrypt made for certificates seen before, it may have from a gpg that stays (pgp/server.h). One
 * whose output is not what it should be is ended by this, so that it does not do the same to the next
 * message.
 */
void pgp_engine_doubt(struct pgp_engine *engine);

/* The key IDs, of which exactly one PKESK must name one, of one intended recipient. */
struct pgp_expected {
    const uint64_t *keyids;
    size_t n_keyids;
};

/*
 * Proves, by our own packet walk (RFC 4880 §4, §6), that ARMORED is one whole armored message: header and
 * tail line, CRC24 right, one PKESK for each expected recipient and none else (no hidden key ID 0, no SKESK;
 * recipients that share a key share its PKESK), then exactly one SEIPD version 1 packet whose lengths consume
 * every byte, and that it is at least PLAINTEXT_LEN bytes long, with no bytes before or behind. Not so:
 * STATUS_INTERNAL and a text that says what.
 */
MUST_USE enum status pgp_check_message(struct span armored, const struct pgp_expected *expected,
                                       size_t n_expected, size_t plaintext_len, struct error *err);

#endif
