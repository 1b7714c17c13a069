#include "gateway/main/policy_conf.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* The schema allows only these words, so nothing falls through to the last line but its own word. */
enum policy_protect policy_protect_from_conf(const char *word)
{
    if (strcmp(word, "never") == 0)
        return PROTECT_NEVER;
    return strcmp(word, "prefer") == 0 ? PROTECT_PREFER : PROTECT_REQUIRE;
}

static enum policy_missing missing_from(const char *word)
{
    if (strcmp(word, "refuse") == 0)
        return MISSING_REFUSE;
    return strcmp(word, "bounce") == 0 ? MISSING_BOUNCE : MISSING_HOLD;
}

/* The index of WORD in WORDS, which the schema allows alone; NULL is the first. */
static unsigned index_of(const char *word, const char *const *words)
{
    unsigned i = 0;
    while (word && words[i] && strcmp(word, words[i]) != 0)
        i++;
    return i;
}

static enum tls_level level_from(const char *word)
{
    for (enum tls_level l = TLS_LEVEL_NONE; l < TLS_LEVEL_SECURE; l++)
        if (strcmp(word, tls_level_word(l)) == 0)
            return l;
    return TLS_LEVEL_SECURE;
}

static struct policy_treatment treatment_from(const struct conf_rule *from,
                                              const struct conf_strings *archive)
{
    static const char *const headers[] = {"", "baseline", "shy", "none", NULL};
    static const char *const sign[] = {"never", "prefer", "require", NULL};
    static const char *const cipher[] = {"auto", "aes-256-cbc", "aes-256-gcm", NULL};
    static const char *const transport[] = {"auto", "pkcs1", "oaep", NULL};
    if (from->archive.n > 0)
        archive = &from->archive;
    return (struct policy_treatment){.headers = index_of(from->header_protection, headers),
                                     .legacy_display = from->legacy_display,
                                     .sign = index_of(from->sign, sign),
                                     .inline_pgp =
                                         from->openpgp_form && strcmp(from->openpgp_form, "inline") == 0,
                                     .cipher = index_of(from->smime_cipher, cipher),
                                     .transport = index_of(from->smime_key_transport, transport),
                                     .encrypt_to_self = from->encrypt_to_self,
                                     .archive = (const char *const *)archive->items,
                                     .n_archive = archive->n,
                                     .strip_subject_tag = from->strip_subject_tag,
                                     .tls = from->tls ? level_from(from->tls) : TLS_LEVEL_NONE};
}

static enum status formats_from(const struct conf_rule *from, struct policy_rule *rule, struct error *err)
{
    if (from->formats.n > 2)
        return error_set(err, STATUS_INVALID, "rule %s: formats names more than two", from->name);
    for (size_t i = 0; i < from->formats.n; i++)
        rule->formats[rule->n_formats++] =
            strcmp(from->formats.items[i], "smime") == 0 ? CERTIFICATE_SMIME : CERTIFICATE_OPENPGP;
    if (rule->n_formats == 2 && rule->formats[0] == rule->formats[1])
        return error_set(err, STATUS_INVALID, "rule %s: formats names %s twice", from->name,
                         from->formats.items[0]);
    return STATUS_OK;
}

/* Each is a certificate more in every copy, and a lookup more for every message. */
#define ARCHIVES_MAX 8

static enum status check_archives(const struct policy_rule *rule, struct error *err)
{
    const struct policy_treatment *t = &rule->treatment;
    struct buf key;
    if (t->n_archive > ARCHIVES_MAX)
        return error_set(err, STATUS_INVALID, "rule %s: archive names more than %d addresses", rule->name,
                         ARCHIVES_MAX);
    for (size_t i = 0; i < t->n_archive; i++) {
        buf_init(&key, 4096);
        enum status st = keystore_address_key(t->archive[i], true, &key, NULL);
        buf_free(&key);
        if (st != STATUS_OK)
            return error_set(err, STATUS_INVALID, "rule %s: archive: \"%.200s\" is no mail address",
                             rule->name, t->archive[i]);
    }
    return STATUS_OK;
}

static enum status rule_from(const struct conf *conf, const struct conf_rule *from, struct policy_rule *rule,
                             struct error *err)
{
    *rule = (struct policy_rule){
        .name = from->name,
        .senders = (const char *const *)from->sender.items,
        .n_senders = from->sender.n,
        .recipients = (const char *const *)from->recipient.items,
        .n_recipients = from->recipient.n,
        .users = (const char *const *)from->user.items,
        .n_users = from->user.n,
        .subjects = (const char *const *)from->subject.items,
        .n_subjects = from->subject.n,
        .headers = (const char *const *)from->header.items,
        .n_headers = from->header.n,
        .listeners = (const char *const *)from->listener.items,
        .n_listeners = from->listener.n,
        .clients = (const char *const *)from->client.items,
        .n_clients = from->client.n,
        .protect = policy_protect_from_conf(from->protect),
        .on_missing_key = missing_from(from->on_missing_key),
        .treatment = treatment_from(from, &conf->keys_archive),
    };
    for (size_t i = 0; i < rule->n_headers; i++)
        if (!strchr(rule->headers[i], ':'))
            return error_set(err, STATUS_INVALID,
                             "rule %s: header \"%s\" lacks a colon, as in \"X-Class: secret\"", from->name,
                             rule->headers[i]);
    enum status st = check_archives(rule, err);
    return st == STATUS_OK ? formats_from(from, rule, err) : st;
}

enum status policy_from_conf(const struct conf *conf, struct policy_settings *settings_out, struct error *err)
{
    struct policy_rule *rules = calloc(conf->n_rules, sizeof *rules);
    if (!rules)
        return error_set(err, STATUS_TEMPORARY, "out of memory for the rules");
    for (size_t i = 0; i < conf->n_rules; i++) {
        enum status st = rule_from(conf, &conf->rules[i], &rules[i], err);
        if (st != STATUS_OK) {
            free(rules);
            return st;
        }
    }
    *settings_out = (struct policy_settings){.rules = rules, .n_rules = conf->n_rules};
    return STATUS_OK;
}

static bool rules_ask_dane(const struct conf *conf)
{
    for (size_t i = 0; i < conf->n_rules; i++) {
        const char *tls = conf->rules[i].tls;
        if (tls && (level_from(tls) == TLS_LEVEL_DANE || level_from(tls) == TLS_LEVEL_DANE_ONLY))
            return true;
    }
    return false;
}

enum status tls_level_from_conf(const struct conf *conf, struct tls_level_settings *settings_out,
                                struct error *err)
{
    size_t n = conf->n_tls_policies;
    struct tls_policy *policies = calloc(n ? n : 1, sizeof *policies);
    if (!policies)
        return error_set(err, STATUS_TEMPORARY, "out of memory for the TLS policies");
    for (size_t i = 0; i < n; i++)
        policies[i] =
            (struct tls_policy){conf->tls_policies[i].domain, level_from(conf->tls_policies[i].level)};
    *settings_out = (struct tls_level_settings){.level = level_from(conf->delivery_tls),
                                                .policies = policies,
                                                .n_policies = n,
                                                .mta_sts = conf->delivery_mta_sts,
                                                .rules_dane = rules_ask_dane(conf)};
    return STATUS_OK;
}

void policy_conf_free(struct policy_settings *settings)
{
    free((void *)(uintptr_t)settings->rules);
    *settings = (struct policy_settings){0};
}

void tls_level_conf_free(struct tls_level_settings *settings)
{
    free((void *)(uintptr_t)settings->policies);
    *settings = (struct tls_level_settings){0};
}
