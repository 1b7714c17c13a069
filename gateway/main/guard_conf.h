/* From the configuration to what the guard counts (gateway/guard/guard.h). */
#ifndef SEALGATE_MAIN_GUARD_CONF_H
#define SEALGATE_MAIN_GUARD_CONF_H

#include "conf/conf.h"
#include "gateway/guard/guard.h"
#include "gateway/submission/submission.h"

/* Points into CONF; free with guard_conf_free. Log and path are left to the caller. STATUS_TEMPORARY: out of
 * memory. */
MUST_USE enum status guard_from_conf(const struct conf *conf, struct guard_settings *settings_out,
                                     struct error *err);
/* Which rates submission must ask about. */
struct submission_rates guard_rates_in(const struct conf *conf);
void guard_conf_free(struct guard_settings *settings);

#endif
