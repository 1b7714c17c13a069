/* ESMTP parameters of MAIL and RCPT (RFC 5321 §4.1.2: esmtp-keyword ["=" esmtp-value]). */
#ifndef SEALGATE_WIRE_PARAM_H
#define SEALGATE_WIRE_PARAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

enum param_result {
    PARAM_OK,
    PARAM_SYNTAX,    /* no parameter, or a value of the wrong form: 501 5.5.4 */
    PARAM_DUPLICATE, /* the same one twice: 501 5.5.4 */
    PARAM_UNKNOWN,   /* one that was not announced: 555 5.5.4 (RFC 5321 §4.1.1.11) */
};

struct mail_params {
    bool has_size;
    uint64_t size; /* bytes (RFC 1870); larger than 64 bits: UINT64_MAX */
    bool has_body;
    bool body_8bit; /* BODY=8BITMIME (RFC 6152) */
    bool has_auth;  /* AUTH=<> or a mailbox as xtext (RFC 4954 §5); the value is not used */
};

/* Parses what follows the path: empty, or " KEY=VALUE KEY …". *WHICH_OUT is the parameter at fault. */
enum param_result param_parse_mail(struct span text, struct mail_params *params_out, struct span *which_out);

/* RCPT: none is announced, so that every well-formed one is PARAM_UNKNOWN. */
enum param_result param_parse_rcpt(struct span text, struct span *which_out);

#endif
