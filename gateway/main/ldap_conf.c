#include "gateway/main/ldap_conf.h"

struct ldap_settings ldap_from_conf(const struct conf *conf, const char *bind_password)
{
    return (struct ldap_settings){
        .url = conf->ldap_url,
        .start_tls = conf->ldap_start_tls,
        .ca_path = conf->ldap_ca,
        .user_dn = conf->ldap_user_dn,
        .base = conf->ldap_base,
        .filter = conf->ldap_filter,
        .bind_dn = conf->ldap_bind_dn,
        .bind_password = bind_password,
        .address_attributes = (const char *const *)conf->ldap_address_attributes.items,
        .n_address_attributes = conf->ldap_address_attributes.n,
        .timeout_ms = conf->ldap_timeout_ms,
    };
}
