/*
 * Rules: the first that matches decides, per recipient. Pure functions over a settings struct.
 *
 * At RCPT time subject and header are unknown: a rule that asks for them neither matches nor fails, and the
 * decision is POLICY_UNDECIDED until the content is there.
 */
#ifndef SEALGATE_POLICY_POLICY_H
#define SEALGATE_POLICY_POLICY_H

#include <stdbool.h>

#include "base/error.h"
#include "gateway/message/header.h"
#include "gateway/policy/tls_level.h"
#include "keystore/keystore.h"

enum policy_protect { PROTECT_REQUIRE, PROTECT_PREFER, PROTECT_NEVER };
enum policy_missing { MISSING_HOLD, MISSING_REFUSE, MISSING_BOUNCE };

enum policy_headers {
    HEADERS_BY_FORMAT, /* baseline for OpenPGP, none for S/MIME (Outlook shows no inner header) */
    HEADERS_BASELINE,
    HEADERS_SHY,
    HEADERS_NONE,
};
enum policy_sign { SIGN_NEVER, SIGN_PREFER, SIGN_REQUIRE };
enum policy_cipher { CIPHER_AUTO, CIPHER_CBC, CIPHER_GCM };
enum policy_transport { TRANSPORT_AUTO, TRANSPORT_PKCS1, TRANSPORT_OAEP };

/* How a copy is made and sent, beside whom it is sealed to. */
struct policy_treatment {
    enum policy_headers headers;
    bool legacy_display;
    enum policy_sign sign;
    bool inline_pgp;
    enum policy_cipher cipher;       /* of S/MIME */
    enum policy_transport transport; /* of S/MIME, RSA keys */
    bool encrypt_to_self;
    const char *const *archive; /* addresses */
    size_t n_archive;
    bool strip_subject_tag;
    enum tls_level tls; /* the least that the next hop must speak; TLS_LEVEL_NONE: not said by the rule */
};

struct policy_rule {
    const char *name;
    /* Conditions; NULL or 0 entries: not asked. All that are given must match; within one, any entry.
       Addresses: "a@b", "@b" (domain), ".b" (domain and subdomains), with * and ? as wildcards;
       case-insensitive. */
    const char *const *senders; /* against the reverse-path and, when known, every From address */
    size_t n_senders;
    const char *const *recipients;
    size_t n_recipients;
    const char *const *users;
    size_t n_users;
    const char *const *subjects; /* contained in the decoded subject, ignoring case (Unicode NFKC casefold) */
    size_t n_subjects;
    const char *const
        *headers; /* "Name: text": a field so named contains text (decoded, as subjects); "Name:" exists */
    size_t n_headers;
    const char *const *listeners; /* as written in listen "…" */
    size_t n_listeners;
    const char *const *clients; /* names of relay clients, as users */
    size_t n_clients;
    enum policy_protect protect;
    enum policy_missing on_missing_key;
    enum certificate_format formats[2]; /* in order of preference */
    size_t n_formats;                   /* 0: all, by what the recipient prefers */
    struct policy_treatment treatment;
};

/* May recipients of rules A and B have the same copy? Never of two where one demands TLS: delivery is told
 * the one rule that demands it. */
bool policy_same_treatment(const struct policy_rule *a, const struct policy_rule *b);

struct policy_settings {
    const struct policy_rule *rules; /* the last is the default rule and has no conditions */
    size_t n_rules;
};

/*
 * The rule for the notices (DSNs) that this gateway writes itself: PROTECT, whatever format the recipient
 * has, and the default rule's header protection and S/MIME settings. They are sealed to their recipient
 * alone and not signed: archives and signatures belong to the users' mail. Held where PROTECT_REQUIRE finds
 * no certificate, for there is nobody to refuse them to.
 */
struct policy_rule policy_notice_rule(const struct policy_settings *settings, enum policy_protect protect);

/* What is known. Content is NULL before the end of data. */
struct policy_facts {
    const char *reverse_path;
    const char *user; /* NULL: a relay client */
    const char *listener;
    const char *client; /* name of a relay client; NULL: a user */
    const char *recipient;
    bool content_known;
    const char *subject; /* decoded UTF-8 */
    struct span header;  /* all fields */
    char *const *from;   /* From addresses */
    size_t n_from;
};

/* The rule that decides, or NULL: undecided before the content is known. Never NULL when content_known: were
 * there no default rule, it would be one that requires protection. */
const struct policy_rule *policy_match(const struct policy_settings *settings,
                                       const struct policy_facts *facts);

enum policy_action {
    ACTION_SEAL,
    ACTION_CLEAR, /* only by protect = never, or prefer when we looked and no usable certificate is there */
    ACTION_HOLD,
    ACTION_REFUSE, /* 550 for the whole transaction */
    ACTION_BOUNCE, /* accepted, then a DSN */
    ACTION_DEFER,  /* the lookup failed: 451 */
    ACTION_PASS,   /* the client sealed it for this recipient: it goes as it is */
};

/* Outcome of looking for a recipient's certificates. */
enum lookup_state { LOOKUP_DONE, LOOKUP_FAILED };

struct policy_decision {
    enum policy_action action;
    const struct policy_rule *rule;
    const struct certificate *certificate; /* ACTION_SEAL: one of LIST's; else NULL */
    char reason[200]; /* for people when nothing is sealed: "none found", "expired on 2024-05-01", "lookup
                         failed", "rule says never" */
};

/* What the keystore knows of an address. */
struct policy_known {
    const char *address;
    enum lookup_state state;
    const struct certificate_list *list; /* NULL with LOOKUP_FAILED */
};

/*
 * Decides for one recipient. LIST is what the keystore knows (usable first); with LOOKUP_FAILED it is ignored
 * and the action is ACTION_DEFER unless the rule is PROTECT_NEVER (A33: a failed lookup never sends clear).
 * A certificate of the person comes before one of the domain, whatever their formats. Only formats that the
 * rule names count, in its order; where it names none, the one that the person prefers comes first, else the
 * one that last reached them, else OpenPGP.
 */
void policy_decide(const struct policy_rule *rule, enum lookup_state state,
                   const struct certificate_list *list, struct policy_decision *decision_out);

/*
 * The same, where the copy must be sealed to all ARCHIVES (those of the rule) as well: only formats in which
 * each has a usable certificate count. When that leaves none for a recipient who has a certificate, he counts
 * as one without under PROTECT_REQUIRE, and the message is not sent clear under PROTECT_PREFER either: what
 * on_missing_key says is done. An archive whose lookup failed is ACTION_DEFER.
 */
void policy_decide_archived(const struct policy_rule *rule, enum lookup_state state,
                            const struct certificate_list *list, const struct policy_known *archives,
                            size_t n_archives, struct policy_decision *decision_out);

/* The certificate in FORMAT that is used of LIST: the first usable one of the person, else of the domain; or
 * NULL. */
const struct certificate *policy_certificate(const struct certificate_list *list,
                                             enum certificate_format format);

#endif
