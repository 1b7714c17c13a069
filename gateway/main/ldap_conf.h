/* From the ldap section of the configuration to the settings of the passwords role. */
#ifndef SEALGATE_MAIN_LDAP_CONF_H
#define SEALGATE_MAIN_LDAP_CONF_H

#include "conf/conf.h"
#include "gateway/passwords/ldap_settings.h"

/* Points into CONF; BIND_PASSWORD is what stands in bind-password-file, NULL without one. */
struct ldap_settings ldap_from_conf(const struct conf *conf, const char *bind_password);

#endif
