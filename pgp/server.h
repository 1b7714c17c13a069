/*
 * A gpg that stays, in server mode ("gpg --server", which speaks Assuan): it saves starting one for each
 * message, which costs several times what encrypting 10 KB does. It is a shortcut and nothing more. It knows
 * a few certificates, those that came before, and does small messages; everything else, and whatever it fails
 * at, is a run of gpg by GPGME (pgp/encrypt.c), which also says what is wrong. Like those runs it is not
 * believed: see pgp_check_message.
 */
#ifndef SEALGATE_PGP_SERVER_H
#define SEALGATE_PGP_SERVER_H

#include "pgp/pgp.h"

struct pgp_server;

/* Starts nothing yet. Both strings are copied. NULL: out of memory or descriptors. */
struct pgp_server *pgp_server_new(const char *gpg_path, const char *home);
void pgp_server_free(struct pgp_server *server);

/*
 * Encrypts as pgp_encrypt does; ARMORED_OUT, a buffer of the caller's, gets the message with LF line ends.
 * False: not done, and nothing is said about why. SERVER may be NULL.
 */
bool pgp_server_encrypt(struct pgp_server *server, const struct pgp_recipient *recipients,
                        size_t n_recipients, struct spans plaintext, struct buf *armored_out,
                        char cipher_out[PGP_CIPHER_SIZE]);

/* Remembers certificates that a run of gpg has just encrypted to. */
void pgp_server_learn(struct pgp_server *server, const struct pgp_recipient *recipients, size_t n_recipients);

/* Ends its gpg and forgets all certificates: what it made was wrong. The next message begins afresh. */
void pgp_server_reset(struct pgp_server *server);

#endif
