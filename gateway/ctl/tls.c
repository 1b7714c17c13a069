/* sealctl tls DOMAIN */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "gateway/ctl/ctl.h"

static const char *text_of(json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static void put_line(const char *before, const char *text)
{
    fputs(before, stdout);
    ctl_put(stdout, text);
    putchar('\n');
}

static void put_array(const char *before, json_t *array)
{
    size_t i;
    json_t *item;
    json_array_foreach(array, i, item) put_line(before, json_string_value(item));
}

static void print_host(json_t *host)
{
    const char *verdict = text_of(host, "verdict");
    fputs("host ", stdout);
    ctl_put(stdout, text_of(host, "host"));
    printf(" port %lld\n", (long long)json_integer_value(json_object_get(host, "port")));
    if (text_of(host, "error")) {
        put_line("  not reachable: ", text_of(host, "error"));
        return;
    }
    put_line(verdict && strcmp(verdict, "try") == 0    ? "  demanded: "
             : verdict && strcmp(verdict, "wait") == 0 ? "  nothing is sent for now: "
                                                       : "  nothing is sent there: ",
             text_of(host, "why"));
    put_array("  address ", json_object_get(host, "addresses"));
    if (text_of(host, "match_name"))
        put_line(json_is_true(json_object_get(host, "match_below"))
                     ? "  certificate for a name below, or for "
                     : "  certificate for ",
                 text_of(host, "match_name"));
    if (text_of(host, "dane"))
        put_line("  TLSA records: ", text_of(host, "dane"));
    if (text_of(host, "tlsa_base"))
        put_line("  of ", text_of(host, "tlsa_base"));
    put_array("  TLSA ", json_object_get(host, "tlsa"));
}

static void print_sts(json_t *sts)
{
    const char *mode = text_of(sts, "mode");
    put_line("MTA-STS: ", mode);
    if (text_of(sts, "id")) {
        put_line("  id ", text_of(sts, "id"));
        printf("  fetched %s, holds until %s\n", text_of(sts, "fetched"), text_of(sts, "expires"));
        put_array("  mx ", json_object_get(sts, "mx"));
    }
    if (text_of(sts, "why"))
        put_line("  ", text_of(sts, "why"));
}

static void print_tls(json_t *answer)
{
    size_t i;
    json_t *host;
    put_line("domain ", text_of(answer, "domain"));
    put_line("route ", text_of(answer, "route"));
    if (text_of(answer, "error"))
        put_line("no next hop: ", text_of(answer, "error"));
    else if (text_of(answer, "route") && strcmp(text_of(answer, "route"), "mx") == 0)
        printf("MX record %s, %s by DNSSEC\n",
               json_is_true(json_object_get(answer, "implicit_mx")) ? "missing" : "found",
               json_is_true(json_object_get(answer, "secure")) ? "signed" : "not signed");
    if (json_object_get(answer, "sts"))
        print_sts(json_object_get(answer, "sts"));
    json_array_foreach(json_object_get(answer, "hosts"), i, host) print_host(host);
}

static int tls(struct ctl *ctl)
{
    static const struct option options[] = {{"requiretls", no_argument, NULL, 'r'}, {NULL, 0, NULL, 0}};
    bool requiretls = false;
    int option;
    optind = 0; /* glibc: begin anew; argv[0] is what stands before the options */
    while ((option = getopt_long(ctl->argc + 1, ctl->argv - 1, "", options, NULL)) != -1) {
        if (option != 'r')
            return EX_USAGE;
        requiretls = true;
    }
    if (ctl->argc - (optind - 1) != 1)
        return EX_USAGE;
    return ctl_do(ctl,
                  json_pack("{s:s, s:s, s:b}", "verb", "delivery.tls", "domain", ctl->argv[optind - 1],
                            "requiretls", requiretls),
                  print_tls);
}

const struct ctl_verb ctl_tls_verbs[] = {
    {"tls", NULL, "[--requiretls] DOMAIN", "what delivery would demand there, and why", tls},
    {NULL, NULL, NULL, NULL, NULL},
};
