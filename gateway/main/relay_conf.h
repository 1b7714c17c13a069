/* Relay clients, from the configuration to the settings of submission. */
#ifndef SEALGATE_MAIN_RELAY_CONF_H
#define SEALGATE_MAIN_RELAY_CONF_H

#include "conf/conf.h"
#include "gateway/submission/submission.h"

struct relay_clients {
    struct submission_client
        *clients; /* owned, with their networks; strings stay those of the configuration */
    size_t n;
};

/* STATUS_INVALID: a network or certificate is none, or certificates are asked for without tls client-ca. */
MUST_USE enum status relay_clients_from_conf(const struct conf *conf, struct relay_clients *clients_out,
                                             struct error *err);

/* The clients that LISTEN names, for submission_listener; owned by the caller (free). On failure NULL. */
MUST_USE enum status relay_clients_of(const struct relay_clients *clients, const struct conf_listen *listen,
                                      const struct submission_client *const **named_out, struct error *err);

void relay_clients_free(struct relay_clients *clients);

#endif
