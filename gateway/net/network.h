/* Sets of IP addresses: "192.0.2.0/24", "2001:db8::/32", "192.0.2.10". An IPv4-mapped address counts as IPv4.
 */
#ifndef SEALGATE_NET_NETWORK_H
#define SEALGATE_NET_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/error.h"

#define NETWORK_PEER_SIZE 46 /* INET6_ADDRSTRLEN */

struct network_address {
    bool v6;
    uint8_t bytes[16]; /* IPv4: the first four, the rest 0 */
};

struct network {
    struct network_address address;
    unsigned bits; /* of the prefix */
};

/* An address without prefix is a network of one. A bit set behind the prefix, or anything else that is not
 * plain, is STATUS_INVALID: it would not be what somebody meant. */
MUST_USE enum status network_parse(const char *text, struct network *network_out, struct error *err);

/* Parses the N TEXTS; *NETWORKS_OUT is owned by the caller (free), NULL for none. */
MUST_USE enum status networks_parse(char *const *texts, size_t n, struct network **networks_out,
                                    struct error *err);

/* False: no IP address. */
bool network_address_of(const struct sockaddr_storage *from, struct network_address *address_out);
/* A peer for people and logs, an IPv4-mapped address as IPv4; "local" when it has no IP address. */
void network_peer_text(const struct sockaddr *peer, char out[NETWORK_PEER_SIZE]);
/* As network_peer_text writes it. */
bool network_address_parse(const char *text, struct network_address *address_out);

/* Is ADDRESS in one of the N NETWORKS? */
bool networks_have(const struct network *networks, size_t n, const struct network_address *address);

/* May somebody out on the internet be told by DNS to be there? Not where the address is private, loopback,
 * link-local, multicast, for documentation or a way to wrap IPv4 (RFC 6890, RFC 8190; A28). */
bool network_is_public(const struct network_address *address);

/* Those of the N_FROM addresses FROM that are public or in one of the N NETWORKS, into OUT (of the same
 * size): where somebody else's DNS may send us (A28). Returns how many. */
size_t networks_keep_allowed(const struct network *networks, size_t n, const struct sockaddr_storage *from,
                             size_t n_from, struct sockaddr_storage *out);

#endif
