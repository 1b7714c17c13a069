#include "gateway/auth/account.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/net/peer_pattern.h"
#include "gateway/policy/pattern.h"

static bool has_certificate(const struct auth_account *account, const struct tls_peer *certificate)
{
    for (size_t i = 0; i < account->n_certificates; i++)
        if (peer_pattern_matches(account->certificates[i], certificate))
            return true;
    return false;
}

const char *account_by_certificate(const struct auth_settings *settings, const struct tls_peer *certificate,
                                   const char *user)
{
    for (size_t i = 0; i < settings->n_accounts; i++) {
        const struct auth_account *account = &settings->accounts[i];
        if ((!*user || strcmp(user, account->pattern) == 0) && has_certificate(account, certificate))
            return account->pattern;
    }
    return NULL;
}

/* Takes over PATTERN, also when it fails. */
static enum status add(struct sasl_result *result, char *pattern, struct error *err)
{
    if (result->n_send_as >= SASL_SEND_AS_MAX) {
        free(pattern);
        return error_set(err, STATUS_LIMIT, "more than %d addresses of a user", SASL_SEND_AS_MAX);
    }
    char **grown = pattern ? reallocarray(result->send_as, result->n_send_as + 1, sizeof *grown) : NULL;
    if (!grown) {
        free(pattern);
        return error_set(err, STATUS_TEMPORARY, "out of memory for the addresses of a user");
    }
    result->send_as = grown;
    result->send_as[result->n_send_as++] = pattern;
    return STATUS_OK;
}

/* An address stands for itself alone: a name like "*@example.org" must not become a pattern (A8). */
static enum status add_address(struct sasl_result *result, const char *address, struct error *err)
{
    if (strpbrk(address, "*?") || address[0] == '@' || address[0] == '.')
        return STATUS_OK;
    return add(result, strdup(address), err);
}

static enum status add_own(const struct auth_settings *settings, const char *user, struct sasl_result *result,
                           struct error *err)
{
    if (strchr(user, '@'))
        return add_address(result, user, err);
    enum status st = STATUS_OK;
    for (size_t i = 0; st == STATUS_OK && i < settings->n_domains; i++) {
        char *address = NULL;
        if (asprintf(&address, "%s@%s", user, settings->domains[i]) < 0)
            return error_set(err, STATUS_TEMPORARY, "out of memory for the addresses of a user");
        st = add_address(result, address, err);
        free(address);
    }
    return st;
}

enum status account_send_as(const struct auth_settings *settings, const char *user, char *const *addresses,
                            size_t n_addresses, struct sasl_result *result, struct error *err)
{
    enum status st = add_own(settings, user, result, err);
    for (size_t i = 0; st == STATUS_OK && i < n_addresses; i++)
        st = add_address(result, addresses[i], err);
    for (size_t i = 0; st == STATUS_OK && i < settings->n_accounts; i++) {
        const struct auth_account *account = &settings->accounts[i];
        if (!pattern_matches(account->pattern, user))
            continue;
        for (size_t j = 0; st == STATUS_OK && j < account->n_send_as; j++)
            st = add(result, strdup(account->send_as[j]), err);
        break;
    }
    return st;
}
