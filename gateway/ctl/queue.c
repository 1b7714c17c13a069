/* sealctl queue …, sealctl held … */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "gateway/ctl/ctl.h"

static const struct ctl_column columns[] = {
    {"ID", "id"},     {"STATE", "state"}, {"FROM", "from"},      {"RECIPIENT", "address"},
    {"RULE", "rule"}, {"NEXT", "next"},   {"TRIES", "attempts"}, {"REASON", "why"}};

/* The answer groups recipients by message; the table has a row for each. */
static void add_rows(json_t *rows, json_t *message)
{
    size_t i;
    json_t *recipient;
    json_array_foreach(json_object_get(message, "recipients"), i, recipient)
    {
        json_t *reply = json_object_get(recipient, "reply");
        json_object_set(recipient, "id", json_object_get(message, "id"));
        json_object_set(recipient, "from", json_object_get(message, "from"));
        json_object_set(recipient, "why",
                        json_is_string(reply) ? reply : json_object_get(recipient, "reason"));
        json_array_append(rows, recipient);
    }
}

static void print_list(json_t *answer)
{
    size_t i;
    json_t *message, *rows = json_array();
    json_array_foreach(json_object_get(answer, "messages"), i, message) add_rows(rows, message);
    ctl_table(rows, columns, sizeof columns / sizeof columns[0], "nothing");
    if (json_is_true(json_object_get(answer, "more")))
        puts("… and more");
    json_decref(rows);
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

/* A part at a time, so that mail goes on between them. */
static int retry_all(struct ctl *ctl)
{
    json_int_t recipients = 0, after = 0;
    json_t *answer = NULL;
    do {
        json_decref(answer);
        int code = ctl_ask(ctl, json_pack("{s:s, s:b, s:I}", "verb", "queue.retry", "all", 1, "after", after),
                           &answer);
        if (code != EX_OK)
            return code;
        recipients += json_integer_value(json_object_get(answer, "recipients"));
        after = json_integer_value(json_object_get(answer, "next"));
    } while (after > 0);
    json_object_set_new(answer, "recipients", json_integer(recipients));
    json_object_del(answer, "next");
    int code = ctl_show(ctl, answer, print_fields);
    json_decref(answer);
    return code;
}

static int queue_retry(struct ctl *ctl)
{
    if (ctl->argc == 1 && strcmp(ctl->argv[0], "all") == 0)
        return retry_all(ctl);
    return id_verb(ctl, "queue.retry");
}

static int queue_status(struct ctl *ctl)
{
    return ctl->argc == 0 ? ctl_do(ctl, json_pack("{s:s}", "verb", "queue.status"), print_fields) : EX_USAGE;
}

/* The gateway tells a name inside its queue folder. */
static int queue_backup(struct ctl *ctl)
{
    json_t *answer;
    if (ctl->argc != 0)
        return EX_USAGE;
    int code = ctl_ask(ctl, json_pack("{s:s}", "verb", "queue.backup"), &answer);
    if (code != EX_OK)
        return code;
    const char *file = json_string_value(json_object_get(answer, "file"));
    json_object_set_new(answer, "file", json_sprintf("%s/queue/%s", ctl->conf.state_dir, file ? file : ""));
    if (ctl->json) {
        json_dumpf(answer, stdout, JSON_COMPACT);
        putchar('\n');
    } else {
        ctl_fields(answer);
    }
    json_decref(answer);
    return EX_OK;
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
    {"queue", "status", "", "counts, and the destinations that cannot be reached", queue_status},
    {"queue", "retry", "ID|all", "try again now", queue_retry},
    {"queue", "hold", "ID", "keep a message until it is released", queue_hold},
    {"queue", "release", "ID", "let go what queue hold kept", queue_release},
    {"queue", "remove", "ID", "delete a message without telling anyone", queue_remove},
    {"queue", "backup", "", "copy the queue and the audit trail into one file", queue_backup},
    {NULL, NULL, NULL, NULL, NULL},
};

const struct ctl_verb ctl_held_verbs[] = {
    {"held", "list", "", "messages that wait for a key", held_list},
    {"held", "show", "ID", "one of them", held_show},
    {"held", "release", "ID", "seal and send it, if its key is here now (never clear)", held_release},
    {"held", "return", "ID", "give it back to its sender", held_return},
    {NULL, NULL, NULL, NULL, NULL},
};
