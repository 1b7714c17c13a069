/* The one place that decides which TLS a destination must speak (Postfix's names and meaning). Pure. */
#ifndef SEALGATE_POLICY_TLS_LEVEL_H
#define SEALGATE_POLICY_TLS_LEVEL_H

#include <stdbool.h>
#include <stddef.h>

/* The queue stores the numbers. */
enum tls_level {
    TLS_LEVEL_NONE, /* never STARTTLS */
    TLS_LEVEL_MAY,  /* STARTTLS when offered, certificate not looked at; clear when it is not offered or fails
                     */
    TLS_LEVEL_ENCRYPT,   /* STARTTLS or defer; certificate not looked at */
    TLS_LEVEL_DANE,      /* as the host's TLSA records say (RFC 7672); may when there are none */
    TLS_LEVEL_DANE_ONLY, /* and nothing without usable ones */
    TLS_LEVEL_VERIFY,    /* and a trusted certificate for the MX host name */
    TLS_LEVEL_SECURE, /* and a trusted certificate for the recipient's domain or a host below it (or the fixed
                         route's host name) */
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
    bool mta_sts;    /* look for the policies of domains; never for a fixed route */
    bool rules_dane; /* a rule asks for DANE */
};

/* What the rule that decided for a message demands of the way to the next hop. */
struct tls_rule {
    enum tls_level level; /* TLS_LEVEL_NONE: nothing */
    const char *name;
};

/* Is DANE asked for anywhere? */
bool tls_level_uses_dane(const struct tls_level_settings *settings);

/* What DNS says of a host's TLSA records (RFC 7672 §2.1). */
enum dane_state {
    DANE_UNKNOWN, /* nobody asked */
    DANE_FAILED,  /* bogus, an error, or no answer: nothing is known, and nothing may be concluded */
    DANE_NONE,    /* none; or the answers (MX, address, TLSA) are not all secure, so that they do not count */
    DANE_UNUSABLE, /* secure ones, but none that can be used (§3.1: usages 0 and 1, unknown digests …) */
    DANE_USABLE,
};

/* What the domain's MTA-STS policy says (RFC 8461). */
enum sts_state {
    STS_UNKNOWN, /* nobody asked */
    STS_FAILED,  /* a policy may be there, but we cannot get at it: nothing may be concluded */
    STS_NONE,    /* none is known, or its mode is none */
    STS_TESTING,
    STS_ENFORCE,
};

/* What was found out about the destination. All zero: nothing. */
struct tls_known {
    bool mx_secure; /* DNSSEC vouches for the MX record that named the host */
    enum dane_state dane;
    const char *dane_why; /* for people, where DANE is not USABLE; or NULL */
    enum sts_state sts;
    bool sts_has_host;   /* the policy names the host */
    const char *sts_why; /* for people, where STS is FAILED */
};

/* Where a message is about to go. */
struct tls_hop {
    const char *domain;  /* the recipient's, as A-label */
    const char *mx_host; /* the host connected to */
    bool fixed_route;    /* the administrator named that host */
    bool requiretls;     /* the sender demands TLS all the way (RFC 8689 §2) */
    bool tls_optional;   /* the sender would rather have it delivered (TLS-Required: No, RFC 8689 §3) */
    struct tls_rule rule;
    struct tls_known known;
};

enum tls_verdict {
    TLS_TRY,    /* connect, and demand what LEVEL says */
    TLS_WAIT,   /* what decides could not be found out: no connection now, later perhaps */
    TLS_LACKING /* as things stand the host cannot meet the demand: no connection */
};

struct tls_demand {
    enum tls_level
        level; /* what the connection must meet; with another verdict than TLS_TRY, what was asked for */
    enum tls_verdict verdict;
    const char *match_name; /* the name the certificate must carry (verify, secure); else NULL */
    bool match_below;       /* or one below it */
    const char *why; /* the domain of the tls-policy or the name of the rule that decided, "delivery tls",
                        "mta-sts enforce" or "REQUIRETLS"; from SETTINGS, HOP's, or static */
    bool by_policy;  /* a tls-policy is for the domain: WHY is that one's, unless: */
    bool by_rule;    /* WHY is a rule's name */
    enum tls_level asked; /* the level that WHY names; LEVEL may be another for what is known */
    const char *reason;   /* why LEVEL or VERDICT is not simply that; one of HOP's strings, static, or NULL */
    const char *test_name; /* of a policy in testing: the name the certificate should carry; else NULL. What
                              is wrong with it is only told */
    bool requiretls;       /* a host that cannot meet it may never get the message: the next one, or none */
};

/*
 * The policy for the domain itself decides, else the one for its nearest parent, else the default.
 *
 * dane (RFC 7672 §2.2): usable TLSA records demand what they say; only unusable ones demand encrypt; none,
 * may. What could not be found out is never taken for "none": TLS_WAIT. dane-only takes nothing but usable
 * ones. A message with TLS-Required: No ignores the recipient's DANE where only the default asks for it; what
 * the administrator demands stands (RFC 8689 §3).
 *
 * MTA-STS counts where only the default asks, and for less than it demands (may, encrypt, verify, or dane
 * where there are no usable records: RFC 8461 §2, DANE comes first). A policy to be enforced then demands
 * secure with a certificate for the MX host, which must be one of the policy's. TLS-Required: No sets it
 * aside too.
 *
 * The message's rule only raises that: of the two levels, each with what is known, the stricter counts, in
 * the order none, may, encrypt, verify, secure; DANE that holds is as strict as secure. Where they are alike
 * the destination's stands, with its name for the certificate. TLS-Required: No sets no rule aside.
 *
 * secure takes a certificate for the domain or, as Postfix does (nexthop, dot-nexthop), for any name below
 * it, whatever the MX record says.
 *
 * REQUIRETLS raises whatever they say to secure, but for DANE or MTA-STS that holds; then a host named by a
 * secure MX record is to show a certificate for its own name (RFC 8689 §4.2.1). match_name is one of HOP's
 * strings.
 */
struct tls_demand tls_level_decide(const struct tls_level_settings *settings, const struct tls_hop *hop);

/* Must HOP's TLSA records be known before it can be decided? Of known only the MTA-STS policy is looked at.
 */
bool tls_level_asks_dane(const struct tls_level_settings *settings, const struct tls_hop *hop);

/* Must the policy of HOP's domain be known? known is not looked at. */
bool tls_level_asks_sts(const struct tls_level_settings *settings, const struct tls_hop *hop);

/* May a message whose copy is not sealed, or any message, leave in clear at this level after STARTTLS was not
 * offered or failed? Only may and none. */
bool tls_level_allows_clear(enum tls_level level);

/* Must the peer's certificate be looked at? */
bool tls_level_authenticates(enum tls_level level);

/* Who demands it, for people: "delivery tls", "tls-policy partner.example", "rule \"confidential\"". */
void tls_demand_source(const struct tls_demand *demand, char *words, size_t size);

/* The decision for people: "level may by delivery tls (dane: the MX record is not signed)". */
void tls_demand_words(const struct tls_demand *demand, char *words, size_t size);

#endif
