/* sealctl guard …, and its part of sealctl status */
#include <getopt.h>
#include <stdio.h>
#include <sysexits.h>

#include "gateway/ctl/ctl.h"

#define COLUMNS(columns) columns, sizeof columns / sizeof columns[0]

void ctl_guard_status(json_t *guard)
{
    static const struct ctl_column blocked[] = {
        {"BLOCKED", "kind"}, {"NAME", "name"}, {"FAILURES", "count"}, {"UNTIL", "blocked-until"}};
    static const struct ctl_column clear[] = {{"TRIED WITHOUT TLS", "name"},
                                              {"TIMES", "count"},
                                              {"LAST", "last"},
                                              {"VERB", "verb"},
                                              {"HELO", "helo"}};
    json_t *rows = json_object_get(guard, "blocked");
    if (!json_is_true(json_object_get(guard, "ok")))
        ctl_fields(guard);
    if (json_array_size(rows) > 0) {
        putchar('\n');
        ctl_table(rows, COLUMNS(blocked), "");
    }
    rows = json_object_get(guard, "clear");
    if (json_array_size(rows) > 0) {
        putchar('\n');
        ctl_table(rows, COLUMNS(clear), "");
    }
}

static void print_list(json_t *answer)
{
    static const struct ctl_column columns[] = {{"KIND", "kind"},
                                                {"NAME", "name"},
                                                {"COUNT", "count"},
                                                {"LAST", "last"},
                                                {"BLOCKED UNTIL", "blocked-until"}};
    ctl_table(json_object_get(answer, "rows"), COLUMNS(columns), "nothing");
}

static int list(struct ctl *ctl)
{
    static const struct option options[] = {
        {"blocked", no_argument, NULL, 'b'}, {"clear", no_argument, NULL, 'c'}, {NULL, 0, NULL, 0}};
    const char *select = "all";
    int option;
    optind = 0; /* glibc: begin anew; argv[0] is what stands before the options */
    while ((option = getopt_long(ctl->argc + 1, ctl->argv - 1, "", options, NULL)) != -1) {
        if (option == '?')
            return EX_USAGE;
        select = option == 'b' ? "blocked" : "clear";
    }
    if (optind <= ctl->argc)
        return EX_USAGE;
    return ctl_do(ctl, json_pack("{s:s, s:s}", "verb", "guard.list", "select", select), print_list);
}

static int forget(struct ctl *ctl)
{
    if (ctl->argc != 2)
        return EX_USAGE;
    json_t *request =
        json_pack("{s:s, s:s, s:s}", "verb", "guard.forget", "kind", ctl->argv[0], "name", ctl->argv[1]);
    return request ? ctl_do(ctl, request, NULL) : ctl_fail(EX_DATAERR, "a name is no UTF-8");
}

const struct ctl_verb ctl_guard_verbs[] = {
    {"guard", "list", "[--blocked | --clear]", "failed logins, what was sent, tries without TLS", list},
    {"guard", "forget", "KIND NAME", "begin to count anew; lifts a block", forget},
    {NULL, NULL, NULL, NULL, NULL},
};
