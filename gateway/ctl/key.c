/* sealctl key … */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "gateway/ctl/ctl.h"

#define FILE_MAX (2u << 20)
#define EXPIRING_DAYS 30

static const struct ctl_column columns[] = {
    {"FORMAT", "format"}, {"FINGERPRINT", "fingerprint"}, {"USABLE", "usable"}, {"EXPIRES", "expires"},
    {"SOURCE", "source"}, {"ADDRESSES", "addresses"},     {"REASON", "reason"}};

static void print_list(json_t *answer)
{
    ctl_table(json_object_get(answer, "certificates"), columns, sizeof columns / sizeof columns[0],
              "no certificate");
}

static void print_one(json_t *answer)
{
    json_t *one = json_array_get(json_object_get(answer, "certificates"), 0);
    json_object_del(one, "data"); /* with --json */
    ctl_fields(one);
}

static int list(struct ctl *ctl)
{
    return ctl->argc == 0 ? ctl_do(ctl, json_pack("{s:s}", "verb", "key.list"), print_list) : EX_USAGE;
}

static int by_fingerprint(struct ctl *ctl, const char *verb, void (*print)(json_t *answer))
{
    if (ctl->argc != 1)
        return EX_USAGE;
    return ctl_do(ctl, json_pack("{s:s, s:s}", "verb", verb, "fingerprint", ctl->argv[0]), print);
}

static int show(struct ctl *ctl)
{
    return by_fingerprint(ctl, "key.show", print_one);
}

static void print_removed(json_t *answer)
{
    (void)answer;
    puts("removed");
}

static int remove_key(struct ctl *ctl)
{
    return by_fingerprint(ctl, "key.remove", print_removed);
}

static int lookup(struct ctl *ctl)
{
    if (ctl->argc != 1)
        return EX_USAGE;
    return ctl_do(ctl, json_pack("{s:s, s:s}", "verb", "key.lookup", "address", ctl->argv[0]), print_list);
}

static int expiring(struct ctl *ctl)
{
    char *end = NULL;
    long days = ctl->argc == 1 ? strtol(ctl->argv[0], &end, 10) : EXPIRING_DAYS;
    if (ctl->argc > 1 || (end && (*end || days < 0)))
        return EX_USAGE;
    return ctl_do(ctl, json_pack("{s:s, s:i}", "verb", "key.expiring", "days", (int)days), print_list);
}

static int add_file(struct ctl *ctl, const char *path)
{
    struct buf file;
    if (!ctl_read_file(path, FILE_MAX, &file))
        return EX_NOINPUT;
    char *text = malloc(4 * (file.len / 3 + 1) + 1);
    if (!text || file.len == 0) {
        free(text);
        buf_free(&file);
        return ctl_fail(EX_DATAERR, "%s is empty", path);
    }
    EVP_EncodeBlock((unsigned char *)text, file.data, (int)file.len);
    int code = ctl_do(ctl, json_pack("{s:s, s:s}", "verb", "key.add", "data", text), print_list);
    free(text);
    buf_free(&file);
    return code;
}

static int add(struct ctl *ctl)
{
    if (ctl->argc < 1)
        return EX_USAGE;
    int code = EX_OK;
    for (int i = 0; i < ctl->argc && code == EX_OK; i++)
        code = add_file(ctl, ctl->argv[i]);
    return code;
}

const struct ctl_verb ctl_key_verbs[] = {
    {"key", "list", "", "every certificate", list},
    {"key", "show", "FINGERPRINT", "one certificate in full", show},
    {"key", "add", "FILE …", "add OpenPGP or S/MIME certificates (\"-\": standard input)", add},
    {"key", "remove", "FINGERPRINT", "forget a certificate", remove_key},
    {"key", "lookup", "ADDRESS", "what mail to ADDRESS would be sealed with", lookup},
    {"key", "expiring", "[DAYS]", "certificates that expire within DAYS (30)", expiring},
    {NULL, NULL, NULL, NULL, NULL},
};
