/* The keys of senders and domains to sign with, opened when the first copy needs them. */
#ifndef SEALGATE_SEAL_SIGNERS_H
#define SEALGATE_SEAL_SIGNERS_H

#include "gateway/seal/seal.h"
#include "pgp/sign.h"

struct seal_signers {
    const struct seal_settings *settings;
    struct pgp_engine *engine;   /* in the signing home; NULL: not opened yet */
    struct smime_signer **smime; /* one for each signing; NULL: not opened yet; owned */
};

/* Opens nothing yet. STATUS_TEMPORARY: out of memory. */
MUST_USE enum status seal_signers_open(const struct seal_settings *settings, struct seal_signers *signers_out,
                                       struct error *err);
void seal_signers_close(struct seal_signers *signers);

/* The first signing for FROM with a key of FORMAT, or NULL. FROM NULL: nobody's. */
const struct seal_signing *seal_signing_for(const struct seal_settings *settings, const char *from,
                                            enum certificate_format format);

/* The engine for pgp_sign and pgp_sign_encrypt. */
MUST_USE enum status seal_signers_pgp(struct seal_signers *signers, struct pgp_engine **engine_out,
                                      struct error *err);
struct pgp_signer seal_pgp_signer(const struct seal_signing *signing);

/* The key of SIGNING, fit to sign now. Every failure is STATUS_TEMPORARY: what is configured and cannot sign
 * is the administrator's to mend while mail waits. */
MUST_USE enum status seal_signers_smime(struct seal_signers *signers, const struct seal_signing *signing,
                                        struct smime_signer **signer_out, struct error *err);

/* After a failure: the token may have lost its session, so it is opened anew next time. */
void seal_signers_forget(struct seal_signers *signers, const struct seal_signing *signing);

/* Asks every key whether it can sign now, and logs each that cannot. For the start. */
void seal_signers_check(struct seal_signers *signers);

#endif
