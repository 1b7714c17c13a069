/* From the configuration to limits of failed logins and rates. */
#ifndef SEALGATE_MAIN_GUARD_CONF_H
#define SEALGATE_MAIN_GUARD_CONF_H

#include "conf/conf.h"
#include "gateway/guard/guard.h"

/* All but log and path. The strings stay CONF's, which must live as long; free with guard_conf_free.
 * STATUS_TEMPORARY: out of memory. */
MUST_USE enum status guard_from_conf(const struct conf *conf, struct guard_settings *settings_out,
                                     struct error *err);
void guard_conf_free(struct guard_settings *settings);

#endif
