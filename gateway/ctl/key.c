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
    {"FORMAT", "format"},   {"FINGERPRINT", "fingerprint"}, {"USABLE", "usable"},
    {"PINNED", "pinned"},   {"SOURCE", "source"},           {"EXPIRES", "expires"},
    {"DOMAINS", "domains"}, {"ADDRESSES", "addresses"},     {"REASON", "reason"}};

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

static void print_lookup(json_t *answer)
{
    const char *preferred = json_string_value(json_object_get(answer, "preferred"));

    print_list(answer);
    if (preferred)
        printf("preferred: %s\n", preferred);
}

static int lookup(struct ctl *ctl)
{
    if (ctl->argc != 1)
        return EX_USAGE;
    return ctl_do(ctl, json_pack("{s:s, s:s}", "verb", "key.lookup", "address", ctl->argv[0]), print_lookup);
}

static int expiring(struct ctl *ctl)
{
    char *end = NULL;
    long days = ctl->argc == 1 ? strtol(ctl->argv[0], &end, 10) : EXPIRING_DAYS;
    if (ctl->argc > 1 || (end && (*end || days < 0)))
        return EX_USAGE;
    return ctl_do(ctl, json_pack("{s:s, s:i}", "verb", "key.expiring", "days", (int)days), print_list);
}

static void print_added(json_t *answer)
{
    size_t i;
    json_t *warning;

    print_list(answer);
    json_array_foreach(json_object_get(answer, "warnings"), i, warning)
    {
        fputs("sealctl: warning: ", stderr);
        ctl_put(stderr, json_string_value(warning));
        fputc('\n', stderr);
    }
}

/* DOMAIN NULL: for the addresses in them alone. */
static int add_file(struct ctl *ctl, const char *path, const char *domain)
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
    json_t *request = json_pack("{s:s, s:s, s:s*}", "verb", "key.add", "data", text, "domain", domain);
    int code = ctl_do(ctl, request, print_added);
    free(text);
    buf_free(&file);
    return code;
}

static int add(struct ctl *ctl)
{
    const char *domain = NULL;
    int first = 0;
    if (ctl->argc > 1 && strcmp(ctl->argv[0], "--domain") == 0) {
        domain = ctl->argv[1];
        first = 2;
    }
    if (ctl->argc <= first)
        return EX_USAGE;
    int code = EX_OK;
    for (int i = first; i < ctl->argc && code == EX_OK; i++)
        code = add_file(ctl, ctl->argv[i], domain);
    return code;
}

static int pin(struct ctl *ctl)
{
    bool off = ctl->argc == 2 && strcmp(ctl->argv[0], "--off") == 0;
    if (ctl->argc != 1 + off)
        return EX_USAGE;
    return ctl_do(
        ctl, json_pack("{s:s, s:s, s:b}", "verb", "key.pin", "fingerprint", ctl->argv[off], "pinned", !off),
        print_list);
}

static void print_preference(json_t *answer)
{
    const char *preferred = json_string_value(json_object_get(answer, "preferred"));

    ctl_put(stdout, json_string_value(json_object_get(answer, "address")));
    printf(": %s\n", preferred ? preferred : "no preference");
}

static int prefer(struct ctl *ctl)
{
    if (ctl->argc != 2)
        return EX_USAGE;
    return ctl_do(
        ctl,
        json_pack("{s:s, s:s, s:s}", "verb", "key.prefer", "address", ctl->argv[0], "format", ctl->argv[1]),
        print_preference);
}

const struct ctl_verb ctl_key_verbs[] = {
    {"key", "list", "", "every certificate", list},
    {"key", "show", "FINGERPRINT", "one certificate in full", show},
    {"key", "add", "[--domain DOMAIN] FILE …",
     "add OpenPGP or S/MIME certificates, or a signed mail's (\"-\": standard input)", add},
    {"key", "pin", "[--off] FINGERPRINT", "use a certificate before others, or not any more", pin},
    {"key", "prefer", "ADDRESS|@DOMAIN openpgp|smime|none", "what the person there wants", prefer},
    {"key", "remove", "FINGERPRINT", "forget a certificate", remove_key},
    {"key", "lookup", "ADDRESS", "what mail to ADDRESS would be sealed with", lookup},
    {"key", "expiring", "[DAYS]", "certificates that expire within DAYS (30)", expiring},
    {NULL, NULL, NULL, NULL, NULL},
};
