/*
 * Signing with GPGME: keys of senders and domains, in a GnuPG home of their own whose agent holds them.
 *
 * An engine for it is opened by pgp_engine_open with settings.signing: it may reach the agent, nothing else.
 */
#ifndef SEALGATE_PGP_SIGN_H
#define SEALGATE_PGP_SIGN_H

#include "pgp/pgp.h"

#define PGP_MICALG_SIZE 24

struct pgp_signer {
    const char *fingerprint; /* of the secret key, or of its signing subkey; upper-case hex */
    const char *passphrase;  /* for the agent, or the PIN of the card; NULL: none, or the agent knows it */
};

/*
 * A detached armored signature of TEXT (in CRLF lines, as RFC 3156 §5 wants it), in CRLF lines, in
 * ARMORED_OUT; MICALG_OUT is the parameter for multipart/signed ("pgp-sha512"). Proven: exactly one signature
 * over a binary document, by a key or subkey of that certificate, with SHA-256 or better by GnuPG's word,
 * which GnuPG verifies against TEXT. STATUS_NOT_FOUND: no such secret key; STATUS_DENIED: expired or revoked
 * key; STATUS_INVALID: passphrase or PIN missing, wrong or locked; STATUS_TEMPORARY: agent, card or GnuPG
 * failed. A PIN is tried once, whatever the card asks for. ARMORED_OUT is empty before; any failure leaves it
 * reset.
 */
MUST_USE enum status pgp_sign(struct pgp_engine *engine, const struct pgp_signer *signer, struct spans text,
                              struct buf *armored_out, char micalg_out[PGP_MICALG_SIZE], struct error *err);

/*
 * As pgp_encrypt, with a signature inside (RFC 3156 §6.2: combined). GnuPG's status must say that a key
 * of SIGNER's certificate signed, and nobody else. ENGINE is a signing engine.
 */
MUST_USE enum status pgp_sign_encrypt(struct pgp_engine *engine, const struct pgp_signer *signer,
                                      const struct pgp_recipient *recipients, size_t n_recipients,
                                      struct spans plaintext, const struct sink *armored,
                                      char cipher_out[PGP_CIPHER_SIZE], struct error *err);

struct pgp_signer_facts {
    bool on_card;    /* a wrong PIN counts against the card */
    int64_t expires; /* seconds since 1970: the earlier of primary key and last signing key; 0: never */
};

/*
 * Is the secret key there and fit to sign now? STATUS_NOT_FOUND, STATUS_DENIED (expired, revoked, no signing
 * key), STATUS_TEMPORARY; the text says what to do. Asks no passphrase, and runs no GnuPG for the key that
 * was asked for last.
 */
MUST_USE enum status pgp_signer_check(struct pgp_engine *engine, const char *fingerprint,
                                      struct pgp_signer_facts *facts_out, struct error *err);

#endif
