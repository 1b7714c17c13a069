#include "gateway/main/auth_conf.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/jobs/sasl_mechanism.h"
#include "gateway/net/peer_pattern.h"
#include "gateway/users/users.h"

static unsigned possible(const struct conf *conf)
{
    unsigned mechanisms = SASL_PLAIN | SASL_LOGIN;
    if (conf->auth_users)
        mechanisms |= SASL_SCRAM_SHA_256 | SASL_SCRAM_SHA_256_PLUS;
    for (size_t i = 0; conf->tls_client_ca && i < conf->n_accounts; i++)
        if (conf->accounts[i].certificates.n > 0)
            mechanisms |= SASL_EXTERNAL;
    return mechanisms;
}

unsigned mechanisms_from_conf(const struct conf *conf)
{
    unsigned allowed = 0;
    for (size_t i = 0; i < conf->auth_mechanisms.n; i++)
        allowed |= sasl_mechanism_find(conf->auth_mechanisms.items[i]);
    return possible(conf) & (conf->auth_mechanisms.n > 0 ? allowed : (unsigned)SASL_ALL_MECHANISMS);
}

struct auth_account *accounts_from_conf(const struct conf *conf, struct error *err)
{
    struct auth_account *accounts = calloc(conf->n_accounts ? conf->n_accounts : 1, sizeof *accounts);
    if (!accounts) {
        error_set(err, STATUS_TEMPORARY, "out of memory for accounts");
        return NULL;
    }
    for (size_t i = 0; i < conf->n_accounts; i++) {
        const struct conf_account *from = &conf->accounts[i];
        accounts[i] = (struct auth_account){.pattern = from->pattern,
                                            .send_as = (const char *const *)from->send_as.items,
                                            .n_send_as = from->send_as.n,
                                            .certificates = (const char *const *)from->certificates.items,
                                            .n_certificates = from->certificates.n};
    }
    return accounts;
}

/* A whole name: no wildcards, and not "@domain" or ".domain". */
static bool is_name(const char *pattern)
{
    return user_name_is_valid(pattern) && !strpbrk(pattern, "*?") && pattern[0] != '@' && pattern[0] != '.';
}

/* A list of the configuration is a wish: what of it cannot be had is told, not passed over. */
static void check_mechanisms(const struct conf *conf, const char *path, struct buf *problems)
{
    for (size_t i = 0; i < conf->auth_mechanisms.n; i++) {
        const char *name = conf->auth_mechanisms.items[i];
        unsigned mechanism = sasl_mechanism_find(name);
        if (!(mechanism & possible(conf)))
            buf_printf(problems, "%s: auth mechanisms: %s cannot be offered: it needs %s\n", path, name,
                       mechanism == SASL_EXTERNAL ? "client-ca in tls and an account with certificates"
                                                  : "a users file");
    }
}

static void check_certificates(const struct conf *conf, const struct conf_account *account, const char *path,
                               struct buf *problems)
{
    if (account->certificates.n > 0 && !is_name(account->pattern))
        buf_printf(problems, "%s: account \"%s\": with certificates, it must be the whole name of a user\n",
                   path, account->pattern);
    if (account->certificates.n > 0 && !conf->tls_client_ca)
        buf_printf(problems, "%s: account \"%s\": certificates need tls { client-ca } to be asked for\n",
                   path, account->pattern);
    for (size_t j = 0; j < account->certificates.n; j++)
        if (!peer_pattern_is_valid(account->certificates.items[j]))
            buf_printf(problems,
                       "%s: account \"%s\": certificate \"%s\" is neither \"sha256:\" and 64 "
                       "hexadecimal digits nor \"subject:\" and a name\n",
                       path, account->pattern, account->certificates.items[j]);
}

void auth_conf_check(const struct conf *conf, const char *path, struct buf *problems)
{
    check_mechanisms(conf, path, problems);
    for (size_t i = 0; i < conf->n_accounts; i++)
        check_certificates(conf, &conf->accounts[i], path, problems);
}
