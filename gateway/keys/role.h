/* Shared by the files of the keys role only. */
#ifndef SEALGATE_KEYS_ROLE_H
#define SEALGATE_KEYS_ROLE_H

#include <jansson.h>

#include "base/call.h"
#include "gateway/keys/keys.h"

struct event_base;

struct keys_role {
    const struct keys_settings *settings;
    struct keystore *keystore;
};

/* Handlers of the two services; ARG is the struct keys_role. */
void keys_lookup_request(void *arg, struct request *request);
void keys_control_request(void *arg, struct request *request);

/* A certificate for people and programs (gateway/keys/keys.h); NULL: out of memory. New reference. */
json_t *keys_certificate_json(const struct certificate *certificate, bool with_data);

/* Base64 (RFC 4648 §4; line ends are let pass) appended to OUT; STATUS_INVALID when it is none. */
MUST_USE enum status keys_base64_decode(const char *text, struct buf *out, struct error *err);

#endif
