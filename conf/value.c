#include "conf/value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit durations[] = {{"ms", 1},      {"s", 1000},     {"min", 60000}, {"m", 60000},
                                        {"h", 3600000}, {"d", 86400000}, {NULL, 0}};
static const struct unit sizes[] = {{"B", 1},        {"", 1},         {"KB", 1 << 10},
                                    {"MB", 1 << 20}, {"GB", 1 << 30}, {NULL, 0}};
static const struct unit plain[] = {{"", 1}, {NULL, 0}};

static const struct unit *units_of(enum conf_type type)
{
    if (type == CONF_DURATION)
        return durations;
    return type == CONF_BYTES ? sizes : plain;
}

static const char *example_of(enum conf_type type)
{
    if (type == CONF_DURATION)
        return "a duration such as 500ms, 5s, 10min, 4h or 5d";
    return type == CONF_BYTES ? "a size such as 200KB or 50MB" : "a whole number";
}

static enum status parse_number(const struct conf_key *key, const char *text, int64_t *out, struct error *err)
{
    char *end;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    if (end == text || errno == ERANGE || n < 0)
        return error_set(err, STATUS_INVALID, "\"%s\" is not %s", text, example_of(key->type));
    for (const struct unit *u = units_of(key->type); u->name; u++) {
        if (strcmp(end, u->name) != 0)
            continue;
        int64_t value;
        if (__builtin_mul_overflow((int64_t)n, u->factor, &value) || value < key->min || value > key->max)
            return error_set(err, STATUS_INVALID, "%s is out of range (%lld to %lld%s)", text,
                             (long long)key->min, (long long)key->max,
                             key->type == CONF_DURATION ? " ms"
                             : key->type == CONF_BYTES  ? " bytes"
                                                        : "");
        *out = value;
        return STATUS_OK;
    }
    return error_set(err, STATUS_INVALID, "\"%s\" is not %s", text, example_of(key->type));
}

/* "250/1h" */
static enum status parse_rate(const char *text, struct conf_rate *out, struct error *err)
{
    static const struct conf_key window = {.type = CONF_DURATION, .min = 1000, .max = INT64_C(30) * 86400000};
    char *end;
    errno = 0;
    long long count = strtoll(text, &end, 10);
    if (end == text || errno == ERANGE || count < 1 || count > 1000000000 || *end != '/')
        return error_set(err, STATUS_INVALID, "\"%s\" is not a rate such as 250/1h or 20/10min", text);
    out->count = count;
    return parse_number(&window, end + 1, &out->window_ms, err);
}

static enum status parse_bool(const char *text, bool *out, struct error *err)
{
    if (!strcmp(text, "yes") || !strcmp(text, "true")) {
        *out = true;
        return STATUS_OK;
    }
    if (!strcmp(text, "no") || !strcmp(text, "false")) {
        *out = false;
        return STATUS_OK;
    }
    return error_set(err, STATUS_INVALID, "\"%s\" is neither yes nor no", text);
}

static enum status check_word(const struct conf_key *key, const char *text, struct error *err)
{
    char allowed[200] = "";
    for (const char *const *w = key->words; *w; w++) {
        if (strcmp(*w, text) == 0)
            return STATUS_OK;
        if (strlen(allowed) + strlen(*w) + 3 < sizeof allowed) {
            strcat(allowed, allowed[0] ? ", " : "");
            strcat(allowed, *w);
        }
    }
    return error_set(err, STATUS_INVALID, "\"%s\" is not one of: %s", text, allowed);
}

static enum status check_text(const struct conf_key *key, const char *text, struct error *err)
{
    if (text[0] == '\0')
        return error_set(err, STATUS_INVALID, "must not be empty");
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            return error_set(err, STATUS_INVALID, "holds a control character");
    if (key->type == CONF_PATH && text[0] != '/')
        return error_set(err, STATUS_INVALID, "\"%s\" is not an absolute path", text);
    if (key->words)
        return check_word(key, text, err);
    return STATUS_OK;
}

static enum status set_string(char **member, const char *text, struct error *err)
{
    char *copy = strdup(text);
    if (!copy)
        return error_set(err, STATUS_TEMPORARY, "out of memory");
    free(*member);
    *member = copy;
    return STATUS_OK;
}

void conf_strings_free(struct conf_strings *strings)
{
    for (size_t i = 0; i < strings->n; i++)
        free(strings->items[i]);
    free(strings->items);
    *strings = (struct conf_strings){0};
}

static enum status set_strings(struct conf_strings *member, const char *const *texts, size_t n,
                               struct error *err)
{
    struct conf_strings fresh = {.items = calloc(n ? n : 1, sizeof(char *))};
    enum status st = fresh.items ? STATUS_OK : error_set(err, STATUS_TEMPORARY, "out of memory");
    for (size_t i = 0; st == STATUS_OK && i < n; i++) {
        st = set_string(&fresh.items[i], texts[i], err);
        fresh.n = i + 1;
    }
    if (st != STATUS_OK) {
        conf_strings_free(&fresh);
        return st;
    }
    conf_strings_free(member);
    *member = fresh;
    return STATUS_OK;
}

enum status conf_value_set(void *base, const struct conf_key *key, const char *const *texts, size_t n,
                           struct error *err)
{
    void *member = (char *)base + key->offset;
    bool is_list = key->type == CONF_STRINGS || key->type == CONF_WORDS;
    bool is_text = is_list || key->type == CONF_STRING || key->type == CONF_PATH || key->type == CONF_WORD;
    if (n == 0)
        return error_set(err, STATUS_INVALID, "must not be empty");
    for (size_t i = 0; is_text && i < n; i++) {
        enum status st = check_text(key, texts[i], err);
        if (st != STATUS_OK)
            return st;
    }
    if (is_list)
        return set_strings(member, texts, n, err);
    if (is_text)
        return set_string(member, texts[0], err);
    if (key->type == CONF_RATE)
        return parse_rate(texts[0], member, err);
    if (key->type == CONF_BOOL)
        return parse_bool(texts[0], member, err);
    return parse_number(key, texts[0], member, err);
}
