/* What a server said it can do (RFC 5321 §4.1.1.1). */
#ifndef SEALGATE_WIRE_EHLO_H
#define SEALGATE_WIRE_EHLO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

struct ehlo {
    bool starttls;     /* RFC 3207 */
    bool pipelining;   /* RFC 2920 */
    bool eightbitmime; /* RFC 6152 */
    bool smtputf8;     /* RFC 6531 */
    bool size;         /* RFC 1870 */
    uint64_t size_max; /* bytes; 0: no limit said */
    bool dsn;          /* RFC 3461 */
    bool requiretls;   /* RFC 8689 */
    bool chunking;     /* RFC 3030 */
    /* AUTH (RFC 4954): the mechanisms that a client here knows */
    bool auth_plain, auth_scram_sha_1, auth_scram_sha_256;
    bool auth_scram_sha_1_plus, auth_scram_sha_256_plus; /* with channel binding */
};

/* LINES: the texts of the reply to EHLO, each with a LF behind it (reply_parser's text); the first only
 * greets. Unknown and damaged lines are passed over. */
void ehlo_parse(struct span lines, struct ehlo *ehlo_out);

#endif
