/* sealctl tls-report …: what TLS sessions came to, and the reports of it (RFC 8460). */
#include <getopt.h>
#include <stdio.h>
#include <sysexits.h>

#include "gateway/ctl/ctl.h"

struct arguments {
    const char *day, *domain; /* NULL: not given */
};

/* False: usage. */
static bool read_arguments(struct ctl *ctl, struct arguments *out)
{
    static const struct option options[] = {{"day", required_argument, NULL, 'd'}, {NULL, 0, NULL, 0}};
    int option;
    *out = (struct arguments){0};
    optind = 0; /* glibc: begin anew; argv[0] is what stands before the options */
    while ((option = getopt_long(ctl->argc + 1, ctl->argv - 1, "", options, NULL)) != -1) {
        if (option != 'd')
            return false;
        out->day = optarg;
    }
    int n = ctl->argc - (optind - 1);
    if (n == 1)
        out->domain = ctl->argv[optind - 1];
    return n <= 1;
}

static json_t *request_of(const char *verb, const struct arguments *a)
{
    return json_pack("{s:s, s:s*, s:s*}", "verb", verb, "day", a->day, "domain", a->domain);
}

static void print_list(json_t *answer)
{
    static const struct ctl_column columns[] = {
        {"DAY", "day"},       {"DOMAIN", "domain"}, {"GOOD", "successful"}, {"FAILED", "failed"},
        {"REPORT", "report"}, {"DUE", "due"},       {"TRIES", "attempts"},  {"WHY", "why"}};
    ctl_table(json_object_get(answer, "days"), columns, sizeof columns / sizeof columns[0],
              "no TLS session is recorded");
}

static int list(struct ctl *ctl)
{
    struct arguments a;
    if (!read_arguments(ctl, &a) || a.domain)
        return EX_USAGE;
    return ctl_do(ctl, request_of("delivery.tls-report.list", &a), print_list);
}

/* As it is sent, but laid out. All of it is printable ASCII already. */
static void print_report(json_t *answer)
{
    json_dumpf(json_object_get(answer, "report"), stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
    putchar('\n');
}

static int show(struct ctl *ctl)
{
    struct arguments a;
    if (!read_arguments(ctl, &a) || !a.domain)
        return EX_USAGE;
    return ctl_do(ctl, request_of("delivery.tls-report.show", &a), print_report);
}

static void print_sent(json_t *answer)
{
    printf("reports due now: %lld\n", (long long)json_integer_value(json_object_get(answer, "reports")));
}

static int send_now(struct ctl *ctl)
{
    struct arguments a;
    if (!read_arguments(ctl, &a))
        return EX_USAGE;
    return ctl_do(ctl, request_of("delivery.tls-report.send", &a), print_sent);
}

const struct ctl_verb ctl_tls_report_verbs[] = {
    {"tls-report", "list", "[--day DAY]", "TLS sessions by day and domain, and what became of the reports",
     list},
    {"tls-report", "show", "[--day DAY] DOMAIN", "the report of a day (default: yesterday) as JSON", show},
    {"tls-report", "send", "[--day DAY] [DOMAIN]", "the reports of a day (default: yesterday) leave now",
     send_now},
    {NULL, NULL, NULL, NULL, NULL},
};
