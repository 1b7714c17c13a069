/* sealctl status, sealctl explain */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "gateway/ctl/ctl.h"

static void put_member(const char *before, json_t *object, const char *key, const char *behind)
{
    fputs(before, stdout);
    ctl_put(stdout, json_string_value(json_object_get(object, key)));
    fputs(behind, stdout);
}

/* How many recipients were delivered to in which way. */
static void print_ways(json_t *delivery)
{
    const char *way, *between = ": ";
    json_t *n, *delivered = json_object_get(delivery, "delivered");
    if (!delivered) {
        put_member("delivery: ", delivery, "error", "\n");
        return;
    }
    put_member("delivered since ", delivery, "since", "");
    json_object_foreach(delivered, way, n)
    {
        printf("%s%lld %s", between, (long long)json_integer_value(n), way);
        between = ", ";
    }
    putchar('\n');
}

static void print_reports(json_t *reports)
{
    const char *what, *between = "TLS reports: ";
    json_t *n;
    json_object_foreach(reports, what, n)
    {
        printf("%s%s %lld", between, what, (long long)json_integer_value(n));
        between = ", ";
    }
    if (reports)
        putchar('\n');
}

static void print_status(json_t *answer)
{
    static const struct ctl_column columns[] = {{"ROLE", "role"},
                                                {"INDEX", "index"},
                                                {"PID", "pid"},
                                                {"STARTED", "started"},
                                                {"RESTARTS", "restarts"}};
    put_member("configuration: ", answer, "configuration", "\n");
    put_member("started: ", answer, "started", "\n");
    ctl_fields(json_object_get(answer, "queue"));
    print_ways(json_object_get(answer, "delivery"));
    print_reports(json_object_get(json_object_get(answer, "delivery"), "tls_reports"));
    ctl_table(json_object_get(answer, "processes"), columns, sizeof columns / sizeof columns[0],
              "no process");
    ctl_guard_status(json_object_get(answer, "guard"));
}

static int status(struct ctl *ctl)
{
    return ctl->argc == 0 ? ctl_do(ctl, json_pack("{s:s}", "verb", "status"), print_status) : EX_USAGE;
}

static void print_certificate(json_t *c, const char *before)
{
    put_member(before, c, "format", " ");
    put_member("", c, "fingerprint", " (");
    put_member("", c, "algorithm", ", from ");
    put_member("", c, "source", ")");
    if (!json_is_true(json_object_get(c, "usable")))
        put_member(": ", c, "reason", "");
    putchar('\n');
}

static void print_treatment(json_t *treatment)
{
    size_t i;
    json_t *address;
    put_member("  header protection ", treatment, "header_protection", ", sign ");
    put_member("", treatment, "sign", "");
    json_array_foreach(json_object_get(treatment, "archive"), i, address)
        printf(", archive %s", json_string_value(address));
    if (json_is_true(json_object_get(treatment, "encrypt_to_self")))
        printf(", sealed to the sender as well");
    putchar('\n');
}

static void print_recipient(json_t *r)
{
    size_t i;
    json_t *candidate;
    json_t *certificate = json_object_get(r, "certificate"), *tls = json_object_get(r, "tls");
    json_t *rule = json_object_get(tls, "rule_level");
    put_member("", r, "recipient", "\n");
    put_member("  rule ", r, "rule", " (protect ");
    put_member("", r, "protect", "): ");
    put_member("", r, "action", "");
    if (json_string_length(json_object_get(r, "reason")) > 0)
        put_member(", because: ", r, "reason", "");
    putchar('\n');
    if (json_is_object(certificate))
        print_certificate(certificate, "  sealed with ");
    json_array_foreach(json_object_get(r, "candidates"), i, candidate)
        print_certificate(candidate, "  known: ");
    print_treatment(json_object_get(r, "treatment"));
    put_member("  next hop ", tls, "route", ", TLS ");
    put_member("", tls, "level", " (");
    put_member("", tls, "why", ")");
    /* DANE and MTA-STS are not asked here: they may change what the rule adds to. */
    if (json_is_string(rule) && !json_equal(rule, json_object_get(tls, "level")))
        put_member(", by its rule at least ", tls, "rule_level", "");
    putchar('\n');
}

static void print_explanation(json_t *answer)
{
    size_t i;
    json_t *recipient;
    json_array_foreach(json_object_get(answer, "recipients"), i, recipient) print_recipient(recipient);
}

static int explain(struct ctl *ctl)
{
    static const struct option options[] = {
        {"from", required_argument, NULL, 'f'},    {"to", required_argument, NULL, 't'},
        {"subject", required_argument, NULL, 's'}, {"header", required_argument, NULL, 'H'},
        {"user", required_argument, NULL, 'u'},    {"listener", required_argument, NULL, 'l'},
        {"client", required_argument, NULL, 'c'},  {NULL, 0, NULL, 0}};
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
                                : option == 'c' ? "client"
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
    {"status", NULL, "", "processes, queue, who is blocked, who tries without TLS", status},
    {"explain", NULL, "--from A --to B [--subject S] [--header H] [--user U | --client C] [--listener L]",
     "which rule, certificate, protection and TLS, and why", explain},
    {NULL, NULL, NULL, NULL, NULL},
};
