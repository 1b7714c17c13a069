/* From libConfuse's tree to struct conf, judging every value by the schema. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "conf/grammar.h"
#include "conf/value.h"

struct parse {
    const char *path;
    struct buf *problems;
    bool failed; /* out of memory */
};

static void complain(struct parse *p, int line, const char *section, const char *key, const char *what)
{
    if (line > 0)
        buf_printf(p->problems, "%s:%d: ", p->path, line);
    else
        buf_printf(p->problems, "%s: ", p->path);
    buf_printf(p->problems, "%s%s%s: %s\n", section, *section && *key ? " " : "", key, what);
}

static void set(struct parse *p, void *base, const struct conf_key *key, const char *const *texts, size_t n,
                int line)
{
    struct error err;
    enum status st = conf_value_set(base, key, texts, n, &err);
    if (st == STATUS_INVALID)
        complain(p, line, key->section, key->name, err.text);
    else if (st != STATUS_OK)
        p->failed = true;
}

static void set_fallback(struct parse *p, void *base, const struct conf_key *key)
{
    char text[64];
    const char *parts[4];
    size_t n = 0;
    snprintf(text, sizeof text, "%s", key->fallback);
    if (key->type != CONF_WORDS) {
        parts[n++] = text;
    } else {
        char *save;
        for (char *t = strtok_r(text, ",", &save); t && n < 4; t = strtok_r(NULL, ",", &save))
            parts[n++] = t;
    }
    set(p, base, key, parts, n, 0);
}

static void read_key(struct parse *p, cfg_t *section, void *base, const struct conf_key *key,
                     int section_line)
{
    cfg_opt_t *option = section ? cfg_getopt(section, key->name) : NULL;
    unsigned n = option ? cfg_opt_size(option) : 0;
    int line = grammar_line(option);
    if (line > 0) {
        const char **texts = calloc(n ? n : 1, sizeof *texts);
        if (!texts) {
            p->failed = true;
            return;
        }
        for (unsigned i = 0; i < n; i++)
            texts[i] = cfg_opt_getnstr(option, i);
        set(p, base, key, texts, n, line);
        free(texts);
    } else if (option && (option->flags & CFGF_RESET)) {
        /* "key = {}": libConfuse saw the equals sign, but no value came. */
        complain(p, section_line, key->section, key->name, "must not be empty");
    } else if (key->fallback) {
        set_fallback(p, base, key);
    } else if (key->required) {
        complain(p, section_line, key->section, key->name, "is required");
    }
}

/* SECTION may be NULL: not in the file, so defaults and complaints. */
static void read_section(struct parse *p, cfg_t *section, const char *name, void *base, int line)
{
    for (const struct conf_key *key = conf_schema(); key->name; key++)
        if (strcmp(key->section, name) == 0)
            read_key(p, section, base, key, line);
}

static void read_singles(struct parse *p, cfg_t *tree, struct conf *conf)
{
    static const char *const names[] = {"tls",   "auth",       "ldap",       "throttle",
                                        "keys",  "seal",       "delivery",   "tls-reports",
                                        "queue", "submission", "autoconfig", "limits"};
    read_section(p, tree, "", conf, 0);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        cfg_opt_t *option = cfg_getopt(tree, names[i]);
        cfg_t *section = grammar_line(option) > 0 ? cfg_getsec(tree, names[i]) : NULL;
        read_section(p, section, names[i], conf, section ? section->line : 0);
        if (section && strcmp(names[i], "delivery") == 0)
            conf->delivery_route_line = grammar_line(cfg_getopt(section, "route"));
    }
}

static void *grow(struct parse *p, size_t n, size_t size)
{
    void *items = calloc(n ? n : 1, size);
    if (!items)
        p->failed = true;
    return items;
}

static char *copy_title(struct parse *p, cfg_t *section, const char *kind)
{
    const char *title = cfg_title(section);
    if (!title || !*title)
        complain(p, section->line, kind, "", "needs a name, as in: rule \"name\" { … }");
    char *copy = strdup(title ? title : "");
    if (!copy)
        p->failed = true;
    return copy;
}

static void read_listens(struct parse *p, cfg_t *tree, struct conf *conf)
{
    unsigned n = cfg_size(tree, "listen");
    if (n == 0)
        complain(p, 0, "listen", "",
                 "at least one is required, as in: listen \"[::]:465\" { tls = implicit }");
    conf->listens = grow(p, n, sizeof *conf->listens);
    for (unsigned i = 0; i < n && !p->failed; i++) {
        cfg_t *section = cfg_getnsec(tree, "listen", i);
        conf->n_listens = i + 1;
        conf->listens[i].address = copy_title(p, section, "listen");
        read_section(p, section, "listen", &conf->listens[i], section->line);
    }
}

/* Sections of KIND, each a struct of SIZE bytes whose first member is the title, with its line (an int) at
 * LINE_AT unless that is 0. */
static void *read_titled(struct parse *p, cfg_t *tree, const char *kind, size_t size, size_t line_at,
                         size_t *n_out)
{
    unsigned n = cfg_size(tree, kind);
    char *items = grow(p, n, size);
    for (unsigned i = 0; i < n && !p->failed; i++) {
        cfg_t *section = cfg_getnsec(tree, kind, i);
        *n_out = i + 1;
        *(char **)(void *)(items + i * size) = copy_title(p, section, kind);
        if (line_at > 0)
            *(int *)(void *)(items + i * size + line_at) = section->line;
        read_section(p, section, kind, items + i * size, section->line);
    }
    return items;
}

static void read_titles(struct parse *p, cfg_t *tree, struct conf *conf)
{
    conf->tls_policies = read_titled(p, tree, "tls-policy", sizeof *conf->tls_policies,
                                     offsetof(struct conf_tls_policy, line), &conf->n_tls_policies);
    conf->retry_policies = read_titled(p, tree, "retry-policy", sizeof *conf->retry_policies,
                                       offsetof(struct conf_retry_policy, line), &conf->n_retry_policies);
    conf->tls_certificates =
        read_titled(p, tree, "tls-certificate", sizeof *conf->tls_certificates, 0, &conf->n_tls_certificates);
    conf->accounts = read_titled(p, tree, "account", sizeof *conf->accounts, 0, &conf->n_accounts);
    conf->clients = read_titled(p, tree, "client", sizeof *conf->clients, 0, &conf->n_clients);
    conf->signings = read_titled(p, tree, "signing", sizeof *conf->signings, 0, &conf->n_signings);
}

static bool has_client(const struct conf *conf, const char *name)
{
    for (size_t i = 0; i < conf->n_clients; i++)
        if (strcmp(conf->clients[i].name, name) == 0)
            return true;
    return false;
}

/* What no single key can say. */
static void check_together(struct parse *p, const struct conf *conf)
{
    char text[200];
    int backends = !!conf->auth_users + !!conf->auth_dovecot + !!conf->ldap_url;
    if (backends != 1)
        complain(p, 0, "auth", "",
                 backends ? "users, dovecot and ldap { url } exclude each other: keep one"
                          : "one of users, dovecot or an ldap section with url is required");
    for (size_t i = 0; i < conf->n_listens; i++) {
        const struct conf_strings *names = &conf->listens[i].clients;
        for (size_t k = 0; k < names->n; k++) {
            if (has_client(conf, names->items[k]))
                continue;
            snprintf(text, sizeof text, "there is no client \"%.100s\" { … }", names->items[k]);
            complain(p, 0, "listen", "clients", text);
        }
    }
    for (size_t i = 0; i < conf->n_signings; i++)
        if (!conf->signings[i].openpgp && !conf->signings[i].smime_certificate)
            complain(p, 0, "signing", conf->signings[i].pattern,
                     "needs openpgp or smime-certificate: a key to sign with");
    for (size_t i = 0; i < conf->n_clients; i++)
        if (conf->clients[i].networks.n + conf->clients[i].certificates.n == 0)
            complain(p, 0, "client", conf->clients[i].name, "needs networks or certificates to be known by");
}

static bool has_conditions(const struct conf_rule *rule)
{
    return rule->sender.n || rule->recipient.n || rule->user.n || rule->subject.n || rule->header.n ||
           rule->listener.n || rule->client.n;
}

/* It would look as if the rule could make less of what the destination demands. */
static void check_rule_tls(struct parse *p, cfg_t *section, const struct conf_rule *rule)
{
    char text[200];
    if (!rule->tls || (strcmp(rule->tls, "none") != 0 && strcmp(rule->tls, "may") != 0))
        return;
    snprintf(
        text, sizeof text,
        "\"%s\" demands nothing, and a rule never lowers what delivery tls or a tls-policy demands; leave "
        "it out, or write encrypt, dane, dane-only, verify or secure",
        rule->tls);
    complain(p, grammar_line(cfg_getopt(section, "tls")), "rule", "tls", text);
}

static void read_rule(struct parse *p, cfg_t *section, struct conf_rule *rule, bool last)
{
    rule->name = copy_title(p, section, "rule");
    read_section(p, section, "rule", rule, section->line);
    if (cfg_size(section, "when") > 0)
        read_section(p, cfg_getsec(section, "when"), "when", rule, section->line);
    if (p->failed)
        return;
    check_rule_tls(p, section, rule);
    bool is_default = strcmp(rule->name, "default") == 0;
    if (is_default && has_conditions(rule))
        complain(p, section->line, "rule default", "",
                 "decides for all that is left and takes no when { … }");
    if (is_default && !last)
        complain(p, section->line, "rule default", "", "must be the last rule: the first match wins");
    if (!is_default && !has_conditions(rule))
        complain(p, section->line, "rule", rule->name, "has no when { … }; name it default and put it last");
}

/* Without a default rule, what no rule matches is held: nothing leaves clear that no rule sent clear (promise
 * 2). */
static void add_default_rule(struct parse *p, struct conf *conf)
{
    struct conf_rule *rule = &conf->rules[conf->n_rules++];
    rule->name = strdup("default");
    rule->protect = strdup("require");
    if (!rule->name || !rule->protect)
        p->failed = true;
    for (const struct conf_key *key = conf_schema(); key->name; key++)
        if (strcmp(key->section, "rule") == 0 && key->fallback)
            set_fallback(p, rule, key);
}

static void read_rules(struct parse *p, cfg_t *tree, struct conf *conf)
{
    unsigned n = cfg_size(tree, "rule");
    conf->rules = grow(p, n + 1, sizeof *conf->rules);
    for (unsigned i = 0; i < n && !p->failed; i++) {
        conf->n_rules = i + 1;
        read_rule(p, cfg_getnsec(tree, "rule", i), &conf->rules[i], i + 1 == n);
    }
    if (!p->failed && (n == 0 || strcmp(conf->rules[n - 1].name, "default") != 0))
        add_default_rule(p, conf);
}

static void default_control_socket(struct parse *p, struct conf *conf)
{
    if (!conf->control_socket && conf->state_dir &&
        asprintf(&conf->control_socket, "%s/control.sock", conf->state_dir) < 0) {
        conf->control_socket = NULL;
        p->failed = true;
    }
}

enum status conf_parse(struct span text, const char *path, struct conf *conf_out, struct buf *problems_out,
                       struct error *err)
{
    struct grammar *grammar;
    struct parse p = {.path = path, .problems = problems_out};
    cfg_t *tree = NULL;
    *conf_out = (struct conf){0};
    enum status st = grammar_open(&grammar, err);
    if (st != STATUS_OK)
        return st;
    st = grammar_parse(grammar, text, path, problems_out, &tree, err);
    if (st == STATUS_OK && tree) {
        read_singles(&p, tree, conf_out);
        read_listens(&p, tree, conf_out);
        read_rules(&p, tree, conf_out);
        read_titles(&p, tree, conf_out);
        check_together(&p, conf_out);
        default_control_socket(&p, conf_out);
        cfg_free(tree);
    }
    grammar_close(grammar);
    if (st == STATUS_OK && (p.failed || problems_out->failed))
        st = error_set(err, STATUS_TEMPORARY, "%s: out of memory", path);
    if (st == STATUS_OK && problems_out->len > 0)
        st = error_set(err, STATUS_INVALID, "%s: the configuration has errors", path);
    if (st != STATUS_OK)
        conf_free(conf_out);
    return st;
}
