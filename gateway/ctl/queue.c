/* sealctl queue …, sealctl held … */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "gateway/ctl/ctl.h"

static const struct ctl_column columns[] = {
    {"ID", "id"},     {"STATE", "state"},         {"FORMAT", "format"},
    {"FROM", "from"}, {"RECIPIENT", "recipient"}, {"TRIES", "attempts"},
    {"NEXT", "next"}, {"REASON", "reason"}};

static void print_list(json_t *answer)
{
    ctl_table(json_object_get(answer, "recipients"), columns, sizeof columns / sizeof columns[0], "nothing");
}

static void print_fields(json_t *answer)
{
    ctl_fields(answer);
}

static int list_verb(struct ctl *ctl, const char *verb)
{
    return ctl->argc == 0 ? ctl_do(ctl, json_pack("{s:s}", "verb", verb), print_list) : EX_USAGE;
}

static int id_verb(struct ctl *ctl, const char *verb)
{
    if (ctl->argc != 1)
        return EX_USAGE;
    return ctl_do(ctl, json_pack("{s:s, s:s}", "verb", verb, "id", ctl->argv[0]), print_fields);
}

static int queue_list(struct ctl *ctl)
{
    return list_verb(ctl, "queue.list");
}

static int queue_show(struct ctl *ctl)
{
    return id_verb(ctl, "queue.show");
}

static int queue_retry(struct ctl *ctl)
{
    if (ctl->argc == 1 && strcmp(ctl->argv[0], "all") == 0)
        return ctl_do(ctl, json_pack("{s:s, s:b}", "verb", "queue.retry", "all", 1), print_fields);
    return id_verb(ctl, "queue.retry");
}

static int queue_hold(struct ctl *ctl)
{
    return id_verb(ctl, "queue.hold");
}

static int queue_release(struct ctl *ctl)
{
    return id_verb(ctl, "queue.release");
}

static int queue_remove(struct ctl *ctl)
{
    return id_verb(ctl, "queue.remove");
}

static int held_list(struct ctl *ctl)
{
    return list_verb(ctl, "held.list");
}

static int held_show(struct ctl *ctl)
{
    return id_verb(ctl, "held.show");
}

static int held_release(struct ctl *ctl)
{
    return id_verb(ctl, "held.release");
}

static int held_return(struct ctl *ctl)
{
    return id_verb(ctl, "held.return");
}

const struct ctl_verb ctl_queue_verbs[] = {
    {"queue", "list", "", "every recipient not yet delivered", queue_list},
    {"queue", "show", "ID", "one message with its copies and recipients", queue_show},
    {"queue", "retry", "ID|all", "try again now", queue_retry},
    {"queue", "hold", "ID", "keep a message until it is released", queue_hold},
    {"queue", "release", "ID", "let go what queue hold kept", queue_release},
    {"queue", "remove", "ID", "delete a message without telling anyone", queue_remove},
    {NULL, NULL, NULL, NULL, NULL},
};

const struct ctl_verb ctl_held_verbs[] = {
    {"held", "list", "", "messages that wait for a key", held_list},
    {"held", "show", "ID", "one of them", held_show},
    {"held", "release", "ID", "seal and send it, if its key is here now (never clear)", held_release},
    {"held", "return", "ID", "give it back to its sender", held_return},
    {NULL, NULL, NULL, NULL, NULL},
};
