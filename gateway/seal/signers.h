/* The keys of senders and domains to sign with, opened when the first copy needs them. */
#ifndef SEALGATE_SEAL_SIGNERS_H
#define SEALGATE_SEAL_SIGNERS_H

#include "gateway/seal/seal.h"
#include "pgp/sign.h"

struct seal_signers {
    const struct seal_settings *settings;
    struct pgp_engine *engine;   /* in the signing home; NULL: not opened yet */
    struct smime_signer **smime; /* one for each signing; NULL: not opened yet; owned */
    int64_t *warned_ms;          /* for each signing and format: when its expiry was last announced; owned */
};

/* Opens nothing yet. STATUS_TEMPORARY: out of memory. */
MUST_USE enum status seal_signers_open(const struct seal_settings *settings, struct seal_signers *signers_out,
                                       struct error *err);
void seal_signers_close(struct seal_signers *signers);

/* The first signing for FROM with a key of FORMAT, or NULL. FROM NULL: nobody's. */
const struct seal_signing *seal_signing_for(const struct seal_settings *settings, const char *from,
                                            enum certificate_format format);

/*
 * May the key of FORMAT sign now? STATUS_DENIED: it may not any more, or not yet (expired, revoked, its
 * usage); STATUS_TEMPORARY: it is missing, its token or PIN fails, …; the text says which. One that expires
 * soon is logged, once a day.
 */
MUST_USE enum status seal_signing_check(struct seal_signers *signers, const struct seal_signing *signing,
                                        enum certificate_format format, struct error *err);

/* pgp_sign with the key of SIGNING. Whatever is wrong with the key is STATUS_TEMPORARY: what is configured
 * and cannot sign is the administrator's to mend while mail waits. */
MUST_USE enum status seal_signers_pgp_sign(struct seal_signers *signers, const struct seal_signing *signing,
                                           struct spans text, struct buf *armored_out,
                                           char micalg_out[PGP_MICALG_SIZE], struct error *err);

/* pgp_sign_encrypt, likewise. */
MUST_USE enum status seal_signers_pgp_encrypt(struct seal_signers *signers,
                                              const struct seal_signing *signing,
                                              const struct pgp_recipient *recipients, size_t n_recipients,
                                              struct spans plaintext, const struct sink *armored,
                                              char cipher_out[PGP_CIPHER_SIZE], struct error *err);

/* The S/MIME key of SIGNING, fit to sign now. Every failure is STATUS_TEMPORARY. */
MUST_USE enum status seal_signers_smime(struct seal_signers *signers, const struct seal_signing *signing,
                                        struct smime_signer **signer_out, struct error *err);

/* After a failure with STATUS of the S/MIME key: the token may have lost its session, so it is opened anew
 * next time; a PIN that was refused is not tried again. */
void seal_signers_forget(struct seal_signers *signers, const struct seal_signing *signing,
                         enum status status);

/* Asks every key whether it can sign now, and logs each that cannot. For the start. */
void seal_signers_check(struct seal_signers *signers);

#endif
