/* The verbs of sealctl that the keys role answers (gateway/keys/keys.h). */
#ifndef SEALGATE_KEYS_VERBS_H
#define SEALGATE_KEYS_VERBS_H

#include "gateway/keys/role.h"

struct verb_answer {
    struct certificate_list list; /* "certificates"; owned */
    json_t *more;                 /* other fields; owned; NULL: none */
};

/* Fills ANSWER, also in part when it fails. */
typedef enum status keys_verb_fn(struct keys_role *role, json_t *request, struct verb_answer *answer,
                                 struct error *err);

/* ---- change.c ---- */

MUST_USE enum status keys_add(struct keys_role *role, json_t *request, struct verb_answer *answer,
                              struct error *err);
MUST_USE enum status keys_pin(struct keys_role *role, json_t *request, struct verb_answer *answer,
                              struct error *err);
MUST_USE enum status keys_prefer(struct keys_role *role, json_t *request, struct verb_answer *answer,
                                 struct error *err);

/* A line in the log about a certificate. */
void keys_log_change(const struct keys_role *role, const char *event, const struct certificate *c);

/* The text KEY of REQUEST, which lives as long. STATUS_INVALID: there is none. */
MUST_USE enum status keys_read_text(json_t *request, const char *key, const char **text_out,
                                    struct error *err);

/* "openpgp", "smime", or null for 0. New reference. */
json_t *keys_format_json(enum certificate_format format);

#endif
