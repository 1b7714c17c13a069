#include "gateway/policy/tls_level.h"

#include <string.h>
#include <strings.h>

const char *tls_level_word(enum tls_level level)
{
    static const char *const words[] = {"none", "may", "encrypt", "verify", "secure", NULL};
    size_t i = (size_t)level;
    return i < sizeof words / sizeof words[0] ? words[i] : NULL;
}

/* How much of DOMAIN the policy names: 0 when it does not apply; an exact name counts most. */
static size_t fit(const struct tls_policy *policy, const char *domain)
{
    size_t name_len = strlen(policy->domain);
    size_t len = strlen(domain);
    if (policy->domain[0] != '.')
        return strcasecmp(policy->domain, domain) == 0 ? name_len + 2 : 0;
    if (strcasecmp(policy->domain + 1, domain) == 0)
        return name_len;
    return len > name_len && strcasecmp(domain + len - name_len, policy->domain) == 0 ? name_len : 0;
}

static const struct tls_policy *best_fit(const struct tls_level_settings *settings, const char *domain)
{
    const struct tls_policy *best = NULL;
    size_t best_fit = 0;
    for (size_t i = 0; i < settings->n_policies; i++) {
        size_t f = fit(&settings->policies[i], domain);
        if (f > best_fit) {
            best = &settings->policies[i];
            best_fit = f;
        }
    }
    return best;
}

struct tls_demand tls_level_decide(const struct tls_level_settings *settings, const struct tls_hop *hop)
{
    const struct tls_policy *policy = best_fit(settings, hop->domain);
    struct tls_demand demand = {
        .level = settings->level, .why = "delivery tls", .requiretls = hop->requiretls};
    bool mx_name_will_do = hop->fixed_route;
    if (policy) {
        demand.level = policy->level;
        demand.why = policy->domain;
    }
    if (hop->requiretls && demand.level != TLS_LEVEL_SECURE) {
        demand.level = TLS_LEVEL_SECURE;
        demand.why = "REQUIRETLS";
        mx_name_will_do = mx_name_will_do || hop->mx_secure;
    }
    if (demand.level == TLS_LEVEL_VERIFY)
        demand.match_name = hop->mx_host;
    else if (demand.level == TLS_LEVEL_SECURE)
        demand.match_name = mx_name_will_do ? hop->mx_host : hop->domain;
    return demand;
}

bool tls_level_allows_clear(enum tls_level level)
{
    return level == TLS_LEVEL_NONE || level == TLS_LEVEL_MAY;
}
