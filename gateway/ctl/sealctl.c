/* sealctl(8): the administrator's command. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "gateway/ctl/ctl.h"

#define DEFAULT_CONF "/etc/sealgate/sealgate.conf"

static const struct ctl_verb *const groups[] = {
    ctl_status_verbs, ctl_queue_verbs, ctl_held_verbs, ctl_key_verbs,        ctl_user_verbs,
    ctl_guard_verbs,  ctl_audit_verbs, ctl_tls_verbs,  ctl_tls_report_verbs, ctl_autoconfig_verbs};

static int usage(const char *group)
{
    bool known = false;
    for (size_t g = 0; group && g < sizeof groups / sizeof groups[0]; g++)
        for (const struct ctl_verb *v = groups[g]; v->group; v++)
            known = known || strcmp(v->group, group) == 0;
    fputs("usage: sealctl [-c FILE] [--json] VERB …\n", stderr);
    for (size_t g = 0; g < sizeof groups / sizeof groups[0]; g++) {
        for (const struct ctl_verb *v = groups[g]; v->group; v++) {
            if (known && strcmp(v->group, group) != 0)
                continue;
            char words[80];
            snprintf(words, sizeof words, "%s%s%s %s", v->group, v->name ? " " : "", v->name ? v->name : "",
                     v->usage);
            fprintf(stderr, "  %-46s %s\n", words, v->help);
        }
    }
    return EX_USAGE;
}

static const struct ctl_verb *find_verb(int argc, char **argv, int *words)
{
    for (size_t g = 0; g < sizeof groups / sizeof groups[0]; g++) {
        for (const struct ctl_verb *v = groups[g]; v->group; v++) {
            if (argc < 1 || strcmp(argv[0], v->group) != 0)
                continue;
            if (!v->name || (argc > 1 && strcmp(argv[1], v->name) == 0)) {
                *words = v->name ? 2 : 1;
                return v;
            }
        }
    }
    return NULL;
}

static bool load_conf(const char *path, struct conf *conf)
{
    struct buf text, problems;
    struct error err;
    if (conf_read_file(path, &text, &err) != STATUS_OK) {
        ctl_fail(EX_NOINPUT, "%s", err.text);
        return false;
    }
    buf_init(&problems, 1u << 16);
    enum status st = conf_parse(buf_span(&text), path, conf, &problems, &err);
    if (st != STATUS_OK) {
        fputs(problems.len ? buf_str(&problems) : "", stderr);
        ctl_fail(EX_CONFIG, "%s", err.text);
    }
    buf_free(&problems);
    buf_free(&text);
    return st == STATUS_OK;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    struct ctl ctl = {0};
    const char *path = DEFAULT_CONF;
    int option, words;
    /* "+": options of the verbs (explain --from …) are theirs. */
    while ((option = getopt_long(argc, argv, "+c:", options, NULL)) != -1) {
        if (option == 'c')
            path = optarg;
        else if (option == 'j')
            ctl.json = true;
        else
            return usage(NULL);
    }
    const struct ctl_verb *verb = find_verb(argc - optind, argv + optind, &words);
    if (!verb)
        return usage(argv[optind]);
    ctl.argc = argc - optind - words;
    ctl.argv = argv + optind + words;
    /* "each with --json": wherever it stands. */
    for (int i = 0; i < ctl.argc; i++) {
        if (strcmp(ctl.argv[i], "--json") != 0)
            continue;
        ctl.json = true;
        memmove(&ctl.argv[i], &ctl.argv[i + 1], (size_t)(ctl.argc - i) * sizeof ctl.argv[0]);
        ctl.argc--;
        i--;
    }
    if (!load_conf(path, &ctl.conf))
        return EX_CONFIG;
    int code = verb->run(&ctl);
    conf_free(&ctl.conf);
    return code == EX_USAGE ? usage(verb->group) : code;
}
