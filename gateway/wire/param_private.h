/* What the parameters of MAIL (param_mail.c) and of RCPT (param_rcpt.c) have in common. */
#ifndef SEALGATE_WIRE_PARAM_PRIVATE_H
#define SEALGATE_WIRE_PARAM_PRIVATE_H

#include "gateway/wire/param.h"

struct param {
    struct span keyword;
    struct span value; /* .p NULL: no "=" */
};

/* Takes one parameter into PARAMS (struct mail_params or rcpt_params). */
typedef enum param_result param_set_fn(void *params, const struct param *param);

/* Gives each parameter in TEXT to SET, up to the first at fault. */
enum param_result param_parse(struct span text, param_set_fn *set, void *params, struct span *which_out);

#endif
