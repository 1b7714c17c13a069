/* The one place that decides which TLS a destination must speak (Postfix's names and meaning). Pure. */
#ifndef SEALGATE_POLICY_TLS_LEVEL_H
#define SEALGATE_POLICY_TLS_LEVEL_H

#include <stdbool.h>
#include <stddef.h>

enum tls_level {
    TLS_LEVEL_NONE, /* never STARTTLS */
    TLS_LEVEL_MAY,  /* STARTTLS when offered, certificate not looked at; clear when it is not offered or fails
                     */
    TLS_LEVEL_ENCRYPT, /* STARTTLS or defer; certificate not looked at */
    TLS_LEVEL_VERIFY,  /* and a trusted certificate for the MX host name */
    TLS_LEVEL_SECURE, /* and a trusted certificate for the recipient's domain (or the fixed route's host name)
                       */
};

/* "none", "may", …; NULL-terminated table for configuration, index = level. */
const char *tls_level_word(enum tls_level level);

struct tls_policy {
    const char *domain; /* "partner.example", or ".partner.example" for it and its subdomains */
    enum tls_level level;
};

struct tls_level_settings {
    enum tls_level level; /* default */
    const struct tls_policy *policies;
    size_t n_policies;
};

struct tls_demand {
    enum tls_level level;
    const char *match_name; /* the name the certificate must carry (verify, secure); else NULL */
    const char *why;        /* the domain of the tls-policy that decided, or "delivery tls"; from SETTINGS, or
                               static */
};

/* The policy for the domain itself decides, else the one for its nearest parent, else the default.
 * DOMAIN: recipient's domain, as A-label; MX_HOST: the host connected to. */
struct tls_demand tls_level_decide(const struct tls_level_settings *settings, const char *domain,
                                   const char *mx_host, bool fixed_route);

/* May a message whose copy is not sealed, or any message, leave in clear at this level after STARTTLS was not
 * offered or failed? Only may and none. */
bool tls_level_allows_clear(enum tls_level level);

#endif
