#include "gateway/policy/tls_level.h"

#include <stdio.h>
#include <string.h>

#include "gateway/wire/domain.h"

const char *tls_level_word(enum tls_level level)
{
    static const char *const words[] = {"none",      "may",    "encrypt", "dane",
                                        "dane-only", "verify", "secure",  NULL};
    size_t i = (size_t)level;
    return i < sizeof words / sizeof words[0] ? words[i] : NULL;
}

static const struct tls_policy *best_fit(const struct tls_level_settings *settings, const char *domain)
{
    const struct tls_policy *best = NULL;
    size_t best_fit = 0;
    for (size_t i = 0; i < settings->n_policies; i++) {
        size_t f = domain_fit(settings->policies[i].domain, domain);
        if (f > best_fit) {
            best = &settings->policies[i];
            best_fit = f;
        }
    }
    return best;
}

static bool is_dane(enum tls_level level)
{
    return level == TLS_LEVEL_DANE || level == TLS_LEVEL_DANE_ONLY;
}

bool tls_level_uses_dane(const struct tls_level_settings *settings)
{
    bool uses = is_dane(settings->level) || settings->rules_dane;
    for (size_t i = 0; i < settings->n_policies; i++)
        uses = uses || is_dane(settings->policies[i].level);
    return uses;
}

/* Does the sender not care for what the recipient's domain demands (RFC 8689 §3)? */
static bool sets_aside(const struct tls_policy *policy, const struct tls_hop *hop)
{
    return !policy && hop->tls_optional && !hop->requiretls;
}

/* What the administrator asks for, before anything is known. */
static struct tls_demand asked_for(const struct tls_level_settings *settings, const struct tls_hop *hop)
{
    const struct tls_policy *policy = best_fit(settings, hop->domain);
    enum tls_level level = policy ? policy->level : settings->level;
    struct tls_demand demand = {.level = level,
                                .asked = level,
                                .why = policy ? policy->domain : "delivery tls",
                                .by_policy = policy != NULL,
                                .requiretls = hop->requiretls};
    if (level == TLS_LEVEL_DANE && sets_aside(policy, hop)) {
        demand.level = TLS_LEVEL_MAY;
        demand.reason = "TLS-Required: No";
    }
    return demand;
}

/* What a level holds a host to, once it is known what its TLSA records say. */
static int strictness(enum tls_level level)
{
    static const int of[] = {
        [TLS_LEVEL_NONE] = 0,   [TLS_LEVEL_MAY] = 1,  [TLS_LEVEL_ENCRYPT] = 2,   [TLS_LEVEL_VERIFY] = 3,
        [TLS_LEVEL_SECURE] = 4, [TLS_LEVEL_DANE] = 4, [TLS_LEVEL_DANE_ONLY] = 4,
    };
    return of[level];
}

bool tls_level_asks_dane(const struct tls_level_settings *settings, const struct tls_hop *hop)
{
    enum tls_level asked = asked_for(settings, hop).level;
    if (is_dane(asked))
        return true;
    /* Nothing is stricter than a policy that is enforced. */
    bool enforced = hop->known.sts == STS_ENFORCE && tls_level_asks_sts(settings, hop);
    return is_dane(hop->rule.level) && !enforced && strictness(asked) < strictness(hop->rule.level);
}

bool tls_level_asks_sts(const struct tls_level_settings *settings, const struct tls_hop *hop)
{
    const struct tls_policy *policy = best_fit(settings, hop->domain);
    enum tls_level level = settings->level;
    return settings->mta_sts && !hop->fixed_route && !policy && !sets_aside(policy, hop) &&
           level != TLS_LEVEL_NONE && level != TLS_LEVEL_DANE_ONLY && level != TLS_LEVEL_SECURE;
}

static void apply_dane(struct tls_demand *demand, const struct tls_known *known)
{
    bool only = demand->level == TLS_LEVEL_DANE_ONLY;
    demand->reason = known->dane_why;
    switch (known->dane) {
    case DANE_USABLE:
        demand->reason = NULL;
        return;
    case DANE_UNUSABLE:
        if (!only)
            demand->level = TLS_LEVEL_ENCRYPT;
        break;
    case DANE_NONE:
        if (!only)
            demand->level = TLS_LEVEL_MAY;
        break;
    case DANE_UNKNOWN:
    case DANE_FAILED:
    default:
        demand->verdict = TLS_WAIT;
        return;
    }
    if (only)
        demand->verdict = TLS_LACKING;
}

static void apply_sts(struct tls_demand *demand, const struct tls_hop *hop)
{
    const struct tls_known *known = &hop->known;
    switch (known->sts) {
    case STS_NONE:
        return;
    case STS_TESTING:
        demand->test_name = hop->mx_host;
        if (!known->sts_has_host)
            demand->reason = "mta-sts testing: its policy does not name the host";
        return;
    case STS_ENFORCE:
        demand->level = demand->asked = TLS_LEVEL_SECURE;
        demand->why = "mta-sts enforce";
        demand->reason = known->sts_has_host ? NULL : "its policy does not name the host";
        demand->verdict = known->sts_has_host ? TLS_TRY : TLS_LACKING;
        return;
    case STS_UNKNOWN:
    case STS_FAILED:
    default:
        demand->reason = known->sts_why ? known->sts_why : "nobody asked for the MTA-STS policy";
        demand->verdict = TLS_WAIT;
        return;
    }
}

/* Where usable TLSA records are, the level is still dane and the policy says nothing (RFC 8461 §2). */
static bool sts_counts(const struct tls_level_settings *settings, const struct tls_hop *hop,
                       const struct tls_demand *demand)
{
    return demand->verdict == TLS_TRY && !is_dane(demand->level) && tls_level_asks_sts(settings, hop);
}

/* Whose name the certificate must carry: the MX host's, or the domain's. */
static void set_name(struct tls_demand *demand, const struct tls_hop *hop, bool of_host)
{
    if (demand->level != TLS_LEVEL_VERIFY && demand->level != TLS_LEVEL_SECURE)
        return;
    demand->match_name = of_host ? hop->mx_host : hop->domain;
    /* What is below a top-level domain is not its own. */
    demand->match_below = !of_host && strchr(hop->domain, '.');
}

/* Where the destination cannot be connected to anyway, that is the word. */
static void apply_rule(struct tls_demand *demand, const struct tls_hop *hop)
{
    struct tls_demand raised = *demand;
    if (hop->rule.level == TLS_LEVEL_NONE || demand->verdict != TLS_TRY)
        return;
    raised.level = raised.asked = hop->rule.level;
    raised.why = hop->rule.name ? hop->rule.name : "";
    raised.by_rule = true;
    raised.reason = NULL;
    if (is_dane(raised.level))
        apply_dane(&raised, &hop->known);
    if (strictness(raised.level) > strictness(demand->level))
        *demand = raised;
}

struct tls_demand tls_level_decide(const struct tls_level_settings *settings, const struct tls_hop *hop)
{
    struct tls_demand demand = asked_for(settings, hop);
    /* Of an address literal the host is what the sender named, no DNS between. */
    bool mx_name_will_do = hop->fixed_route || hop->domain[0] == '[', enforced = false;
    if (is_dane(demand.level))
        apply_dane(&demand, &hop->known);
    if (sts_counts(settings, hop, &demand)) {
        apply_sts(&demand, hop);
        enforced = hop->known.sts == STS_ENFORCE;
    }
    apply_rule(&demand, hop);
    if (hop->requiretls && demand.verdict == TLS_TRY && !is_dane(demand.level) &&
        demand.level != TLS_LEVEL_SECURE) {
        demand.level = demand.asked = TLS_LEVEL_SECURE;
        demand.why = "REQUIRETLS";
        demand.by_policy = demand.by_rule = false;
        demand.reason = NULL;
        mx_name_will_do = mx_name_will_do || hop->known.mx_secure;
    }
    set_name(&demand, hop, demand.level == TLS_LEVEL_VERIFY || mx_name_will_do || enforced);
    return demand;
}

bool tls_level_allows_clear(enum tls_level level)
{
    return level == TLS_LEVEL_NONE || level == TLS_LEVEL_MAY;
}

bool tls_level_authenticates(enum tls_level level)
{
    return level != TLS_LEVEL_NONE && level != TLS_LEVEL_MAY && level != TLS_LEVEL_ENCRYPT;
}

void tls_demand_source(const struct tls_demand *demand, char *words, size_t size)
{
    if (demand->by_rule)
        snprintf(words, size, "rule \"%.200s\"", demand->why);
    else
        snprintf(words, size, "%s%s", demand->by_policy ? "tls-policy " : "", demand->why);
}

void tls_demand_words(const struct tls_demand *demand, char *words, size_t size)
{
    char source[300];
    const char *asked = demand->asked != demand->level ? tls_level_word(demand->asked) : NULL;
    const char *reason = demand->reason;
    tls_demand_source(demand, source, sizeof source);
    snprintf(words, size, "level %s by %s%s%s%s%s%s", tls_level_word(demand->level), source,
             asked || reason ? " (" : "", asked ? asked : "", asked && reason ? ": " : "",
             reason ? reason : "", asked || reason ? ")" : "");
}
