/* sealctl audit … */
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "gateway/ctl/ctl.h"

#define LIST_LINES 100

static void print_list(json_t *answer)
{
    static const struct ctl_column columns[] = {{"SEQ", "seq"},
                                                {"TIME", "time"},
                                                {"EVENT", "event"},
                                                {"ID", "id"},
                                                {"FROM", "from"},
                                                {"RECIPIENT", "recipient"},
                                                {"RULE", "rule"},
                                                {"FORMAT", "format"},
                                                {"HOST", "host"},
                                                {"TLS", "out_tls_version"},
                                                {"REASON", "reason"},
                                                {"REPLY", "reply"},
                                                {"FINGERPRINT", "fingerprint"}};
    ctl_table(json_object_get(answer, "lines"), columns, sizeof columns / sizeof columns[0], "no line");
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

/* A broken trail is told by the exit code too. */
static int verify(struct ctl *ctl)
{
    json_t *answer;
    if (ctl->argc != 0)
        return EX_USAGE;
    int code = ctl_ask(ctl, json_pack("{s:s}", "verb", "audit.verify"), &answer);
    if (code != EX_OK)
        return code;
    bool intact = json_is_true(json_object_get(answer, "intact"));
    if (ctl->json) {
        json_dumpf(answer, stdout, JSON_INDENT(2));
        putchar('\n');
    } else {
        ctl_fields(answer);
    }
    json_decref(answer);
    if (fflush(stdout) != 0)
        return EX_IOERR;
    return intact ? EX_OK : ctl_fail(EX_DATAERR, "the audit trail was changed");
}

static void print_lines(json_t *lines)
{
    size_t i;
    json_t *line;
    json_array_foreach(lines, i, line)
    {
        json_dumpf(line, stdout, JSON_COMPACT);
        putchar('\n');
    }
}

/* One JSON object per line, whatever --json says; asked for page by page. */
static int export(struct ctl *ctl)
{
    json_int_t after = 0;
    bool more = ctl->argc == 0;
    if (!more)
        return EX_USAGE;
    while (more) {
        json_t *answer;
        int code = ctl_ask(ctl, json_pack("{s:s, s:I}", "verb", "audit.export", "after", after), &answer);
        if (code != EX_OK)
            return code;
        print_lines(json_object_get(answer, "lines"));
        more = json_is_integer(json_object_get(answer, "next"));
        after = json_integer_value(json_object_get(answer, "next"));
        json_decref(answer);
    }
    return fflush(stdout) == 0 ? EX_OK : EX_IOERR;
}

const struct ctl_verb ctl_audit_verbs[] = {
    {"audit", "list", "[N|ID]", "the last N (100) lines, or those of a message", list},
    {"audit", "verify", "", "find a changed, removed or reordered line", verify},
    {"audit", "export", "", "every line as a JSON object", export},
    {NULL, NULL, NULL, NULL, NULL},
};
