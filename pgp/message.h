/*
 * Whose OpenPGP message is it? Reads what others made (A12), in any armor and with any packet lengths that
 * RFC 4880 allows, and says which keys can open it. Never decrypts.
 */
#ifndef SEALGATE_PGP_MESSAGE_H
#define SEALGATE_PGP_MESSAGE_H

#include "pgp/pgp.h"

#define PGP_MESSAGE_KEYS_MAX 1024

struct pgp_message {
    uint64_t *keyids; /* of each PKESK, in order; owned; 0: a hidden recipient */
    size_t n_keyids;
};

/*
 * DATA is one encrypted message and nothing else: armored (headers and white space around it allowed, right
 * CRC24 if there is one) or binary; PKESK version 3 packets, at least one; no SKESK; then exactly one SEIPD
 * version 1 packet that consumes the rest and can hold a literal packet and MDC. STATUS_INVALID with the
 * reason: anything else, so also marker packets, SED, AEAD (tag 20), indeterminate lengths, text before or
 * behind, two messages, version 6 PKESK. STATUS_LIMIT: more than PGP_MESSAGE_KEYS_MAX. What it holds does not
 * grow with the message. Free with pgp_message_free.
 */
MUST_USE enum status pgp_message_read(struct span data, struct pgp_message *message_out, struct error *err);
void pgp_message_free(struct pgp_message *message);

#endif
