/* Where a mail program reads mail, as the configuration says it: "imaps://HOST[:PORT]", or
 * "imap://HOST[:PORT]" with STARTTLS. */
#ifndef SEALGATE_WIRE_IMAP_URL_H
#define SEALGATE_WIRE_IMAP_URL_H

#include <stdbool.h>

#include "base/error.h"

struct imap_url {
    char *host; /* A-labels, lower case; owned */
    unsigned port;
    bool implicit; /* TLS from the first byte; else STARTTLS */
};

/* STATUS_INVALID: URL is neither, or has no host name or a wrong port. On success free host with free. */
MUST_USE enum status imap_url_parse(const char *url, struct imap_url *url_out, struct error *err);

#endif
