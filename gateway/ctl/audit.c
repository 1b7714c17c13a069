/* sealctl audit … */
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "gateway/ctl/ctl.h"

#define LIST_LINES 100

static void print_list(json_t *answer)
{
    static const struct ctl_column columns[] = {
        {"SEQ", "seq"},         {"TIME", "time"},     {"EVENT", "event"},
        {"ID", "id"},           {"FROM", "from"},     {"RECIPIENT", "recipient"},
        {"RULE", "rule"},       {"FORMAT", "format"}, {"FINGERPRINT", "fingerprint"},
        {"TLS", "tls_version"}, {"REPLY", "reply"}};
    ctl_table(json_object_get(answer, "entries"), columns, sizeof columns / sizeof columns[0], "no entry");
}

static int list(struct ctl *ctl)
{
    char *end = NULL;
    long limit = ctl->argc == 1 ? strtol(ctl->argv[0], &end, 10) : LIST_LINES;
    if (ctl->argc > 1)
        return EX_USAGE;
    if (end && *end)
        return ctl_do(ctl, json_pack("{s:s, s:s}", "verb", "audit.list", "id", ctl->argv[0]), print_list);
    return ctl_do(ctl, json_pack("{s:s, s:i}", "verb", "audit.list", "limit", (int)limit), print_list);
}

static void print_verified(json_t *answer)
{
    ctl_fields(answer);
}

static int verify(struct ctl *ctl)
{
    return ctl->argc == 0 ? ctl_do(ctl, json_pack("{s:s}", "verb", "audit.verify"), print_verified)
                          : EX_USAGE;
}

/* One JSON object per line, whatever --json says. */
static int export(struct ctl *ctl)
{
    json_t *answer, *entry;
    size_t i;
    if (ctl->argc != 0)
        return EX_USAGE;
    int code = ctl_ask(ctl, json_pack("{s:s}", "verb", "audit.export"), &answer);
    if (code != EX_OK)
        return code;
    json_array_foreach(json_object_get(answer, "entries"), i, entry)
    {
        json_dumpf(entry, stdout, JSON_COMPACT);
        putchar('\n');
    }
    json_decref(answer);
    return fflush(stdout) == 0 ? EX_OK : EX_IOERR;
}

const struct ctl_verb ctl_audit_verbs[] = {
    {"audit", "list", "[N|ID]", "the last N (100) lines, or those of a message", list},
    {"audit", "verify", "", "find a changed, removed or reordered line", verify},
    {"audit", "export", "", "every line as a JSON object", export},
    {NULL, NULL, NULL, NULL, NULL},
};
