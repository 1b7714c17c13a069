/* `sealgate -n`: everything about a configuration that can be known before it runs. */
#ifndef SEALGATE_MAIN_CHECK_H
#define SEALGATE_MAIN_CHECK_H

#include "conf/conf.h"

/*
 * Parses TEXT as PATH and, when the grammar is good, tries what it names: listen addresses, certificate and
 * key, who knows the passwords, trust anchors, route, rules, relay clients, what mail programs are told, gpg.
 * Every problem is a line in PROBLEMS. STATUS_OK: CONF_OUT is set, free with conf_free.
 */
MUST_USE enum status check_configuration(struct span text, const char *path, struct conf *conf_out,
                                         struct buf *problems, struct error *err);

#endif
