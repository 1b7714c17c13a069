/* ESMTP parameters of MAIL and RCPT (RFC 5321 §4.1.2: esmtp-keyword ["=" esmtp-value]). */
#ifndef SEALGATE_WIRE_PARAM_H
#define SEALGATE_WIRE_PARAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

#define PARAM_ENVID_MAX 100 /* bytes as given, RFC 3461 §4.4 */

enum param_result {
    PARAM_OK,
    PARAM_SYNTAX,    /* no parameter, or a value of the wrong form: 501 5.5.4 */
    PARAM_DUPLICATE, /* the same one twice: 501 5.5.4 */
    PARAM_UNKNOWN,   /* one that was not announced: 555 5.5.4 (RFC 5321 §4.1.1.11) */
    PARAM_BINARY,    /* BODY=BINARYMIME, which was not announced (RFC 3030 §3): 555 5.6.1 */
};

struct mail_params {
    bool has_size;
    uint64_t size; /* bytes (RFC 1870); larger than 64 bits: UINT64_MAX */
    bool has_body;
    bool body_8bit;    /* BODY=8BITMIME (RFC 6152) */
    bool has_auth;     /* AUTH=<> or a mailbox as xtext (RFC 4954 §5); the value is not used */
    bool smtputf8;     /* RFC 6531 */
    bool requiretls;   /* RFC 8689 */
    const char *ret;   /* "FULL" or "HDRS" (RFC 3461 §4.3); NULL: not given; static memory */
    struct span envid; /* valid xtext (RFC 3461 §4.4); len 0: not given */
};

/* NOTIFY (RFC 3461 §4.1): never, or any of the others. */
enum param_notify {
    PARAM_NOTIFY_NEVER = 1,
    PARAM_NOTIFY_SUCCESS = 2,
    PARAM_NOTIFY_FAILURE = 4,
    PARAM_NOTIFY_DELAY = 8,
};

struct rcpt_params {
    unsigned notify;   /* 0: not given */
    struct span orcpt; /* valid (orcpt.h); len 0: not given */
    bool orcpt_8bit;   /* it has bytes over 127: only with SMTPUTF8 (RFC 6533 §3) */
};

/* Parses what follows the path: empty, or " KEY=VALUE KEY …". *WHICH_OUT is the parameter at fault. Spans
 * point into TEXT. */
enum param_result param_parse_mail(struct span text, struct mail_params *params_out, struct span *which_out);
enum param_result param_parse_rcpt(struct span text, struct rcpt_params *params_out, struct span *which_out);

/* "NEVER", "SUCCESS,DELAY", …; NULL for 0. Static memory. */
const char *param_notify_text(unsigned notify);

#endif
