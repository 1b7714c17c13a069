#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "conf/value.h"

/* Frees every string that the schema puts into the struct of SECTION at BASE. */
static void free_section(void *base, const char *section)
{
    for (const struct conf_key *key = conf_schema(); key->name; key++) {
        if (strcmp(key->section, section) != 0)
            continue;
        void *member = (char *)base + key->offset;
        if (key->type == CONF_STRINGS || key->type == CONF_WORDS)
            conf_strings_free(member);
        else if (key->type == CONF_STRING || key->type == CONF_PATH || key->type == CONF_WORD)
            free(*(char **)member);
    }
}

void conf_free(struct conf *conf)
{
    static const char *const singles[] = {"",      "tls",        "auth",       "ldap",
                                          "keys",  "seal",       "delivery",   "tls-reports",
                                          "queue", "submission", "autoconfig", "limits"};
    for (size_t i = 0; i < sizeof singles / sizeof singles[0]; i++)
        free_section(conf, singles[i]);
    for (size_t i = 0; i < conf->n_listens; i++) {
        free(conf->listens[i].address);
        free_section(&conf->listens[i], "listen");
    }
    for (size_t i = 0; i < conf->n_tls_certificates; i++) {
        free(conf->tls_certificates[i].label);
        free_section(&conf->tls_certificates[i], "tls-certificate");
    }
    for (size_t i = 0; i < conf->n_accounts; i++) {
        free(conf->accounts[i].pattern);
        free_section(&conf->accounts[i], "account");
    }
    for (size_t i = 0; i < conf->n_clients; i++) {
        free(conf->clients[i].name);
        free_section(&conf->clients[i], "client");
    }
    for (size_t i = 0; i < conf->n_signings; i++) {
        free(conf->signings[i].pattern);
        free_section(&conf->signings[i], "signing");
    }
    for (size_t i = 0; i < conf->n_rules; i++) {
        free(conf->rules[i].name);
        free_section(&conf->rules[i], "rule");
        free_section(&conf->rules[i], "when");
    }
    for (size_t i = 0; i < conf->n_tls_policies; i++) {
        free(conf->tls_policies[i].domain);
        free_section(&conf->tls_policies[i], "tls-policy");
    }
    for (size_t i = 0; i < conf->n_retry_policies; i++)
        free(conf->retry_policies[i].domain);
    free(conf->listens);
    free(conf->tls_certificates);
    free(conf->accounts);
    free(conf->clients);
    free(conf->rules);
    free(conf->signings);
    free(conf->tls_policies);
    free(conf->retry_policies);
    *conf = (struct conf){0};
}
