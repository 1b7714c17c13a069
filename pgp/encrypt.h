/* One encrypting run of GnuPG, with or without a signature inside. */
#ifndef SEALGATE_PGP_ENCRYPT_H
#define SEALGATE_PGP_ENCRYPT_H

#include "pgp/pgp.h"
#include "pgp/stream.h"

struct pgp_run {
    bool sign; /* by the signers that the context has */
    char cipher[PGP_CIPHER_SIZE];
    gpgme_error_t code; /* of the run; what the sink said is in output */
    struct pgp_input input;
    struct pgp_output output;
};

/* The cipher that GnuPG names with the status line BEGIN_ENCRYPTION, by the line's ARGS: "<mdc method>
 * <algorithm>". */
void pgp_cipher_begun(const char *args, char cipher_out[PGP_CIPHER_SIZE]);

/* As pgp_encrypt, with RUN zeroed but for sign. */
MUST_USE enum status pgp_run_encrypt(gpgme_ctx_t ctx, const struct pgp_recipient *recipients,
                                     size_t n_recipients, struct spans plaintext, const struct sink *armored,
                                     struct pgp_run *run, struct error *err);

#endif
