/* Where and how an LDAP directory is asked. */
#ifndef SEALGATE_PASSWORDS_LDAP_SETTINGS_H
#define SEALGATE_PASSWORDS_LDAP_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct ldap_settings {
    const char *url;     /* ldaps://host[:port] or ldap://host[:port] */
    bool start_tls;      /* with ldap:// only, and needed there */
    const char *ca_path; /* PEM, trust anchors; NULL: the system's */

    const char *user_dn; /* %u is the user; or NULL, and the next two: */
    const char *base, *filter;
    const char *bind_dn, *bind_password; /* who searches; both NULL: anonymous */

    const char *const *address_attributes;
    size_t n_address_attributes;
    int64_t timeout_ms; /* for a whole check */
};

/*
 * Do the settings fit together, and are names and filter well-formed? Nothing is asked over the network.
 * STATUS_INVALID says which setting, and why.
 */
MUST_USE enum status ldap_settings_check(const struct ldap_settings *settings, struct error *err);

#endif
