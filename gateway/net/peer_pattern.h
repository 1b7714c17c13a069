/* Client certificates as the configuration names them: "sha256:HEX", or "subject:CN=alice,O=Example". */
#ifndef SEALGATE_NET_PEER_PATTERN_H
#define SEALGATE_NET_PEER_PATTERN_H

#include <stdbool.h>

#include "gateway/net/tls_peer.h"

/* "sha256:" and 64 hexadecimal digits, with or without colons between the bytes; or "subject:" and a name. */
bool peer_pattern_is_valid(const char *pattern);

/* Is PEER (from tls_peer_get, which returned true) the one that is named? The subject must be the same to the
 * byte: RFC 2253 as tls_peer writes it. */
bool peer_pattern_matches(const char *pattern, const struct tls_peer *peer);

#endif
