/* From configuration to the settings of policy and TLS levels, as several roles take them. */
#ifndef SEALGATE_MAIN_POLICY_CONF_H
#define SEALGATE_MAIN_POLICY_CONF_H

#include "conf/conf.h"
#include "gateway/policy/policy.h"
#include "gateway/policy/tls_level.h"

/* The strings stay CONF's, which must live as long. Free the arrays with policy_conf_free,
 * tls_level_conf_free. */
MUST_USE enum status policy_from_conf(const struct conf *conf, struct policy_settings *settings_out,
                                      struct error *err);
/* WORD of the schema: "require", "prefer", "never". */
enum policy_protect policy_protect_from_conf(const char *word);
MUST_USE enum status tls_level_from_conf(const struct conf *conf, struct tls_level_settings *settings_out,
                                         struct error *err);
void policy_conf_free(struct policy_settings *settings);
void tls_level_conf_free(struct tls_level_settings *settings);

#endif
