/*
 * The keyring of a gpg in server mode: certificates one behind the other in a memory file, which GnuPG reads
 * as a keyring of the old form ("gnupg-ring:"). Bounded, because GnuPG searches it from the front.
 */
#ifndef SEALGATE_PGP_RING_H
#define SEALGATE_PGP_RING_H

#include "pgp/pgp.h"

#define PGP_RING_MAX 64 /* certificates */

struct pgp_ring;

/* Empty. NULL: out of memory or descriptors. */
struct pgp_ring *pgp_ring_new(void);
void pgp_ring_free(struct pgp_ring *ring);

/* Its place for --keyring, for a process that has inherited pgp_ring_fd as FD. */
int pgp_ring_fd(const struct pgp_ring *ring);

size_t pgp_ring_count(const struct pgp_ring *ring);

/* The number (from 0, in the order of adding) of exactly this certificate; -1: it is not in there. */
int pgp_ring_find(const struct pgp_ring *ring, const struct pgp_recipient *recipient);

/* Adds a certificate, by its file. It stays out when it cannot be read or has no place: the ring is full, or
 * holds another certificate with that fingerprint, of which GnuPG would use the first. False then. */
bool pgp_ring_add(struct pgp_ring *ring, const struct pgp_recipient *recipient);

#endif
