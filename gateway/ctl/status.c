/* sealctl status, sealctl explain */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "gateway/ctl/ctl.h"

static void print_status(json_t *answer)
{
    static const struct ctl_column columns[] = {{"ROLE", "role"},
                                                {"INDEX", "index"},
                                                {"PID", "pid"},
                                                {"STARTED", "started"},
                                                {"RESTARTS", "restarts"}};
    printf("configuration: %s\nstarted: %s\n", json_string_value(json_object_get(answer, "configuration")),
           json_string_value(json_object_get(answer, "started")));
    ctl_fields(json_object_get(answer, "queue"));
    ctl_table(json_object_get(answer, "processes"), columns, sizeof columns / sizeof columns[0],
              "no process");
}

static int status(struct ctl *ctl)
{
    return ctl->argc == 0 ? ctl_do(ctl, json_pack("{s:s}", "verb", "status"), print_status) : EX_USAGE;
}

static void print_certificate(json_t *c, const char *indent)
{
    printf("%s%s %s (%s, from %s)", indent, json_string_value(json_object_get(c, "format")),
           json_string_value(json_object_get(c, "fingerprint")),
           json_string_value(json_object_get(c, "algorithm")),
           json_string_value(json_object_get(c, "source")));
    if (!json_is_true(json_object_get(c, "usable")))
        printf(": %s", json_string_value(json_object_get(c, "reason")));
    putchar('\n');
}

static void print_explanation(json_t *answer)
{
    size_t i, k;
    json_t *r, *c;
    json_array_foreach(json_object_get(answer, "recipients"), i, r)
    {
        json_t *certificate = json_object_get(r, "certificate");
        const char *reason = json_string_value(json_object_get(r, "reason"));
        printf("%s\n  rule %s (protect %s): %s%s%s\n", json_string_value(json_object_get(r, "recipient")),
               json_string_value(json_object_get(r, "rule")),
               json_string_value(json_object_get(r, "protect")),
               json_string_value(json_object_get(r, "action")), reason && *reason ? ", because: " : "",
               reason ? reason : "");
        if (json_is_object(certificate))
            print_certificate(certificate, "  sealed with ");
        json_array_foreach(json_object_get(r, "candidates"), k, c) print_certificate(c, "  known: ");
        json_t *tls = json_object_get(r, "tls");
        printf("  next hop %s, TLS %s (%s)\n", json_string_value(json_object_get(tls, "route")),
               json_string_value(json_object_get(tls, "level")),
               json_string_value(json_object_get(tls, "why")));
    }
}

static int explain(struct ctl *ctl)
{
    static const struct option options[] = {{"from", required_argument, NULL, 'f'},
                                            {"to", required_argument, NULL, 't'},
                                            {"subject", required_argument, NULL, 's'},
                                            {"header", required_argument, NULL, 'H'},
                                            {"user", required_argument, NULL, 'u'},
                                            {"listener", required_argument, NULL, 'l'},
                                            {NULL, 0, NULL, 0}};
    json_t *to = json_array(), *headers = json_array();
    json_t *request = json_pack("{s:s, s:o, s:o}", "verb", "explain", "to", to, "headers", headers);
    int option;
    optind = 0; /* glibc: begin anew; argv[0] is what stands before the options */
    while ((option = getopt_long(ctl->argc + 1, ctl->argv - 1, "", options, NULL)) != -1) {
        json_t *value = optarg ? json_string(optarg) : NULL;
        if (option == 't')
            json_array_append_new(to, value);
        else if (option == 'H')
            json_array_append_new(headers, value);
        else if (option != '?')
            json_object_set_new(request,
                                option == 'f'   ? "from"
                                : option == 's' ? "subject"
                                : option == 'u' ? "user"
                                                : "listener",
                                value);
        if (option == '?') {
            json_decref(request);
            return EX_USAGE;
        }
    }
    if (!json_object_get(request, "from") || json_array_size(to) == 0) {
        json_decref(request);
        return EX_USAGE;
    }
    return ctl_do(ctl, request, print_explanation);
}

const struct ctl_verb ctl_status_verbs[] = {
    {"status", NULL, "", "processes and queue", status},
    {"explain", NULL, "--from A --to B [--subject S] [--header H] [--user U]",
     "which rule, certificate, protection and TLS, and why", explain},
    {NULL, NULL, NULL, NULL, NULL},
};
