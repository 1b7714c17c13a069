/* TLS reporting (RFC 8460): the record in DNS by which a domain asks for reports (§3), and its URIs. Pure. */
#ifndef SEALGATE_WIRE_TLSRPT_H
#define SEALGATE_WIRE_TLSRPT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "gateway/wire/domain.h"
#include "gateway/wire/path.h"

#define TLSRPT_URIS_MAX 8    /* of one record; a domain that asks for more gets these */
#define TLSRPT_URI_MAX 1000  /* bytes */
#define TLSRPT_PATH_MAX 1000 /* bytes */

struct tlsrpt_record {
    struct span uris[TLSRPT_URIS_MAX]; /* parts of the record, each of at most TLSRPT_URI_MAX bytes */
    size_t n;                          /* 1 or more */
};

/* Does TXT begin as a record of TLSRPT? All others are passed over; of these there must be just one. */
bool tlsrpt_is_record(struct span txt);

/*
 * STATUS_INVALID: not of the grammar, or without "rua". An URI that may not be ours to use (of another
 * scheme) is an URI all the same: tlsrpt_uri_parse says what it is. Extensions are passed over.
 */
MUST_USE enum status tlsrpt_record_parse(struct span txt, struct tlsrpt_record *record_out,
                                         struct error *err);

enum tlsrpt_scheme { TLSRPT_MAILTO, TLSRPT_HTTPS };

struct tlsrpt_uri {
    enum tlsrpt_scheme scheme;
    char address[PATH_MAX_BYTES]; /* mailto: ASCII, a mailbox of a domain */
    char host[DOMAIN_MAX + 1];    /* https: a host name, never an address */
    uint16_t port;
    char path[TLSRPT_PATH_MAX + 1]; /* begins with "/"; with its query */
};

/*
 * "mailto:reports@example.org" (RFC 6068, of one mailbox and without header fields) or
 * "https://host[:port][/path][?query]" (RFC 3986, without user and fragment). STATUS_INVALID: any other.
 */
MUST_USE enum status tlsrpt_uri_parse(struct span uri, struct tlsrpt_uri *uri_out, struct error *err);

#endif
