/*
 * libConfuse stops at the first unknown key, and has no line numbers behind the parse and no user pointer in
 * its callbacks. So every value is declared a string (its type is judged later by value.c), a validation
 * callback writes the line into the option's comment, the error function writes its text into the section's
 * comment, and a line with an unknown key is blanked and the rest parsed again.
 */
#include "conf/grammar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/schema.h"

#define KEYS_MAX 32 /* per section, with the end mark */
#define SECTIONS 19
#define UNKNOWN_MAX 100 /* unknown keys reported in one run */
/* libConfuse takes the end of the file for a closing brace: this last key is known only at the top level. */
#define END_KEY "end-of-file"

struct grammar {
    cfg_opt_t sections[SECTIONS][KEYS_MAX];
    cfg_opt_t top[KEYS_MAX];
};

static int remember_line(cfg_t *section, cfg_opt_t *option)
{
    char text[16];
    snprintf(text, sizeof text, "%d", section->line);
    return cfg_opt_setcomment(option, text) == CFG_SUCCESS ? 0 : -1;
}

int grammar_line(cfg_opt_t *option)
{
    const char *text = option ? cfg_opt_getcomment(option) : NULL;
    return text ? atoi(text) : 0;
}

__attribute__((format(printf, 2, 0))) static void remember_error(cfg_t *section, const char *format,
                                                                 va_list ap)
{
    char text[300];
    int n = snprintf(text, sizeof text, "%d ", section->line);
    vsnprintf(text + n, sizeof text - (size_t)n, format, ap);
    free(section->comment);
    section->comment = strdup(text);
}

/* The error of the innermost section that has one. */
static const char *find_error(cfg_t *section)
{
    for (cfg_opt_t *o = section->opts; o->name; o++) {
        if (o->type != CFGT_SEC)
            continue;
        for (unsigned i = 0; i < o->nvalues; i++) {
            const char *text = find_error(o->values[i]->section);
            if (text)
                return text;
        }
    }
    return section->comment;
}

static size_t add_keys(cfg_opt_t *options, const char *section)
{
    size_t n = 0;
    for (const struct conf_key *key = conf_schema(); key->name; key++) {
        if (strcmp(key->section, section) != 0)
            continue;
        bool list = key->type == CONF_STRINGS || key->type == CONF_WORDS;
        cfg_opt_t single = CFG_STR(NULL, NULL, CFGF_NODEFAULT);
        cfg_opt_t many = CFG_STR_LIST(NULL, NULL, CFGF_NODEFAULT);
        options[n] = list ? many : single;
        options[n].name = key->name;
        options[n].validcb = remember_line;
        n++;
    }
    return n;
}

static void add_section(cfg_opt_t *options, size_t *n, const char *name, cfg_opt_t *keys, cfg_flag_t flags)
{
    cfg_opt_t section = CFG_SEC(NULL, NULL, CFGF_NONE);
    section.name = name;
    section.subopts = keys;
    section.flags = flags;
    section.validcb = remember_line;
    options[(*n)++] = section;
}

enum status grammar_open(struct grammar **grammar_out, struct error *err)
{
    static const struct {
        const char *name;
        cfg_flag_t flags;
    } sections[] = {{"listen", CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES},
                    {"tls", CFGF_NONE},
                    {"tls-certificate", CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES},
                    {"auth", CFGF_NONE},
                    {"ldap", CFGF_NONE},
                    {"account", CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES},
                    {"client", CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES},
                    {"throttle", CFGF_NONE},
                    {"keys", CFGF_NONE},
                    {"seal", CFGF_NONE},
                    {"signing", CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES},
                    {"delivery", CFGF_NONE},
                    {"tls-policy", CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES},
                    {"tls-reports", CFGF_NONE},
                    {"queue", CFGF_NONE},
                    {"retry-policy", CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES},
                    {"submission", CFGF_NONE},
                    {"autoconfig", CFGF_NONE},
                    {"limits", CFGF_NONE}};
    _Static_assert(sizeof sections / sizeof sections[0] == SECTIONS, "one table each");
    struct grammar *g = calloc(1, sizeof *g + 2 * KEYS_MAX * sizeof(cfg_opt_t));
    if (!g)
        return error_set(err, STATUS_TEMPORARY, "out of memory for the configuration");
    size_t n = add_keys(g->top, "");
    cfg_opt_t end = CFG_STR(END_KEY, NULL, CFGF_NODEFAULT);
    g->top[n++] = end;
    for (size_t i = 0; i < SECTIONS; i++) {
        add_keys(g->sections[i], sections[i].name);
        add_section(g->top, &n, sections[i].name, g->sections[i], sections[i].flags);
    }
    cfg_opt_t *when = (cfg_opt_t *)(g + 1);
    cfg_opt_t *rule = when + KEYS_MAX;
    add_keys(when, "when");
    size_t rule_n = add_keys(rule, "rule");
    add_section(rule, &rule_n, "when", when, CFGF_NODEFAULT);
    add_section(g->top, &n, "rule", rule, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES);
    *grammar_out = g;
    return STATUS_OK;
}

void grammar_close(struct grammar *grammar)
{
    free(grammar);
}

/* Blanks line LINE (from 1) of TEXT. False when it opens a block, whose end could not be found. */
static bool blank_line(char *text, int line)
{
    char *at = text;
    for (int i = 1; i < line && at; i++) {
        at = strchr(at, '\n');
        at = at ? at + 1 : NULL;
    }
    if (!at)
        return false;
    size_t len = strcspn(at, "\n");
    bool opens = memchr(at, '{', len) && !memchr(at, '}', len);
    memset(at, ' ', len);
    return !opens;
}

static bool is_unknown_key(const char *text)
{
    return strncmp(text, "no such option", 14) == 0;
}

/* Notes the parse error of TREE; true when its line was blanked and the rest can be tried. */
static bool note_error(cfg_t *tree, char *text, const char *path, struct buf *problems)
{
    const char *error = find_error(tree);
    if (!error) {
        buf_printf(problems, "%s: syntax error\n", path);
        return false;
    }
    const char *why = strchr(error, ' ') + 1;
    int line = atoi(error);
    if (!is_unknown_key(why)) {
        buf_printf(problems, "%s:%d: %s\n", path, line, why);
        return false;
    }
    const char *name = strchr(why, '\'');
    size_t len = name ? strcspn(name + 1, "'") : 0;
    if (span_eq(span_of(name + 1, len), span_str(END_KEY))) {
        buf_printf(problems, "%s:%d: the file ends inside a section: a } is missing\n", path, line - 1);
        return false;
    }
    buf_printf(problems, "%s:%d: unknown key \"%.*s\"; see sealgate.conf(5) for the keys of this section\n",
               path, line, (int)len, name ? name + 1 : "");
    return blank_line(text, line);
}

enum status grammar_parse(struct grammar *grammar, struct span text, const char *path, struct buf *problems,
                          cfg_t **tree_out, struct error *err)
{
    *tree_out = NULL;
    char *copy = NULL;
    if (memchr(text.p ? text.p : "", '\0', text.len))
        return error_set(err, STATUS_INVALID, "%s: holds a NUL byte", path);
    if (asprintf(&copy, "%.*s\n" END_KEY " = reached\n", (int)text.len, text.p) < 0)
        return error_set(err, STATUS_TEMPORARY, "%s: out of memory", path);
    enum status st = STATUS_OK;
    for (int tries = 0; tries < UNKNOWN_MAX; tries++) {
        cfg_t *tree = cfg_init(grammar->top, CFGF_NONE);
        if (!tree) {
            st = error_set(err, STATUS_TEMPORARY, "out of memory for the configuration");
            break;
        }
        cfg_set_error_function(tree, remember_error);
        if (cfg_parse_buf(tree, copy) == CFG_SUCCESS) {
            *tree_out = tree;
            break;
        }
        bool again = note_error(tree, copy, path, problems);
        cfg_free(tree);
        if (!again)
            break;
    }
    free(copy);
    return st;
}
