/* sealgate.conf(5) is the contract: it names every key in its section, with its range and default, and its
 * examples parse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "conf/conf.h"
#include "conf/schema.h"

#define MANUAL "doc/sealgate.conf.5"
#define TEXT_SIZE 4000

static int read_manual(void **state)
{
    static struct buf text;
    struct error err;
    assert_int_equal(conf_read_file(MANUAL, &text, &err), STATUS_OK);
    *state = &text;
    return 0;
}

static int free_manual(void **state)
{
    buf_free(*state);
    return 0;
}

/* Where the keys of SECTION are described. */
static const char *section_of(const char *manual, const char *section)
{
    char head[80];
    if (strcmp(section, "when") == 0)
        return strstr(section_of(manual, "rule"), "\n.Ic when\n");
    if (*section)
        snprintf(head, sizeof head, "\n.Ss %s ", section);
    else
        snprintf(head, sizeof head, "\n.Ss Top level\n");
    const char *at = strstr(manual, head);
    if (!at)
        fail_msg("no section %s", head + 1);
    return at + 1;
}

/* What stands between the key's item and the next, as one line of text without macros. */
static void description(const char *manual, const struct conf_key *key, char out[TEXT_SIZE])
{
    char item[80];
    const char *section = section_of(manual, key->section), *end = strstr(section, "\n.Ss ");
    snprintf(item, sizeof item, "\n.It Ic %s\n", key->name);
    const char *at = strstr(section, item);
    if (!at || (end && at > end))
        fail_msg("\"%s\" lacks %s", key->section, key->name);
    size_t n = 0;
    for (at += strlen(item); strncmp(at, ".It", 3) != 0 && strncmp(at, ".El", 3) != 0;) {
        const char *line_end = strchr(at, '\n');
        if (*at == '.')
            at += strcspn(at, " \n"), at += *at == ' ';
        for (; at < line_end && n + 2 < TEXT_SIZE; at++)
            out[n++] = *at;
        out[n++] = ' ';
        at = line_end + 1;
    }
    out[n] = '\0';
}

static void number_text(const struct conf_key *key, int64_t value, char *out, size_t size)
{
    static const struct {
        enum conf_type type;
        int64_t factor;
        const char *name;
    } units[] = {{CONF_DURATION, 86400000, "d"},
                 {CONF_DURATION, 3600000, "h"},
                 {CONF_DURATION, 60000, "min"},
                 {CONF_DURATION, 1000, "s"},
                 {CONF_DURATION, 1, "ms"},
                 {CONF_BYTES, INT64_C(1) << 30, "GB"},
                 {CONF_BYTES, INT64_C(1) << 20, "MB"},
                 {CONF_BYTES, 1 << 10, "KB"},
                 {CONF_COUNT, 1, ""}};
    size_t i = 0;
    if (value == 0 && key->type == CONF_DURATION) {
        snprintf(out, size, "0s");
        return;
    }
    while (units[i].type != key->type || value % units[i].factor != 0)
        i++;
    snprintf(out, size, "%lld%s", (long long)(value / units[i].factor), units[i].name);
}

static void expect(const struct conf_key *key, const char *text, const char *one, const char *other)
{
    if (!strcasestr(text, one) && !strcasestr(text, other))
        fail_msg("%s %s: neither \"%s\" nor \"%s\" in: %s", key->section, key->name, one, other, text);
}

static void test_ranges_and_defaults(void **state)
{
    const char *manual = buf_str(*state);
    for (const struct conf_key *key = conf_schema(); key->name; key++) {
        char text[TEXT_SIZE], one[200], other[200], least[40], most[40];
        description(manual, key, text);
        if (key->required)
            expect(key, text, "Required", "Required");
        if (key->type == CONF_COUNT || key->type == CONF_DURATION || key->type == CONF_BYTES) {
            number_text(key, key->min, least, sizeof least);
            number_text(key, key->max, most, sizeof most);
            snprintf(one, sizeof one, "%s to %s", least, most);
            expect(key, text, one, one);
        }
        /* That of a list is said in words. */
        if (!key->fallback || key->type == CONF_WORDS)
            continue;
        snprintf(one, sizeof one, "default %s", key->fallback);
        snprintf(other, sizeof other, "%s (default", key->fallback);
        expect(key, text, one, other);
    }
}

/* EXAMPLE as a whole configuration: what every one needs is added where it lacks. */
static void complete(const char *example, size_t len, char out[TEXT_SIZE])
{
    static const char *const needed[][3] = {
        {"hostname ", NULL, "hostname = \"mail.example.com\"\n"},
        {"listen ", NULL, "listen \"[::]:465\" { tls = implicit }\n"},
        {"tls ", NULL, "tls { certificate = \"/c\" key = \"/k\" }\n"},
        {"auth ", "ldap ", "auth { users = \"/u\" }\n"},
    };
    size_t n = (size_t)snprintf(out, TEXT_SIZE, "\n%.*s", (int)len, example);
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
        char first[20], second[20];
        snprintf(first, sizeof first, "\n%s", needed[i][0]);
        snprintf(second, sizeof second, "\n%s", needed[i][1] ? needed[i][1] : needed[i][0]);
        if (!strstr(out, first) && !strstr(out, second))
            n += (size_t)snprintf(out + n, TEXT_SIZE - n, "%s", needed[i][2]);
    }
}

static void test_examples_parse(void **state)
{
    static const char begin[] = ".Bd -literal\n";
    const char *at = strstr(buf_str(*state), "\n.Sh EXAMPLES\n");
    size_t n = 0;
    assert_non_null(at);
    while ((at = strstr(at, begin))) {
        char text[TEXT_SIZE];
        struct conf conf;
        struct buf problems;
        struct error err;
        at += strlen(begin);
        complete(at, (size_t)(strstr(at, ".Ed\n") - at), text);
        buf_init(&problems, 10000);
        if (conf_parse(span_str(text), "example", &conf, &problems, &err) == STATUS_OK)
            conf_free(&conf);
        else
            fail_msg("%s%s", text, problems.len ? buf_str(&problems) : err.text);
        buf_free(&problems);
        n++;
    }
    assert_true(n >= 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranges_and_defaults),
        cmocka_unit_test(test_examples_parse),
    };
    return cmocka_run_group_tests(tests, read_manual, free_manual);
}
