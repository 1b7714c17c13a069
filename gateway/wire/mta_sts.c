#include "gateway/wire/mta_sts.h"

#include "gateway/wire/ascii.h"
#include "gateway/wire/field.h"

#define VERSION "STSv1"
#define RECORD_START "v=" VERSION ";"
#define NAME_MAX_LEN 253
#define LABEL_MAX_LEN 63
#define MAX_AGE_DIGITS 10
#define KEY_MAX_LEN 32

const char *sts_mode_word(enum sts_mode mode)
{
    static const char *const words[] = {"none", "testing", "enforce"};
    return words[mode];
}

static bool is_alnum(char c)
{
    return ascii_is_letter(c) || ascii_is_digit(c);
}

/* A key of a field: letters, digits, "_", "-" and ".", of which the first is one of the former. */
static bool is_key(struct span key)
{
    if (key.len == 0 || key.len > KEY_MAX_LEN || !is_alnum(key.p[0]))
        return false;
    for (size_t i = 1; i < key.len; i++)
        if (!is_alnum(key.p[i]) && key.p[i] != '_' && key.p[i] != '-' && key.p[i] != '.')
            return false;
    return true;
}

/* ---- the record ---- */

bool sts_is_record(struct span txt)
{
    return txt.len >= strlen(RECORD_START) && memcmp(txt.p, RECORD_START, strlen(RECORD_START)) == 0;
}

static bool is_id(struct span id)
{
    if (id.len == 0 || id.len > STS_ID_MAX)
        return false;
    for (size_t i = 0; i < id.len; i++)
        if (!is_alnum(id.p[i]))
            return false;
    return true;
}

/* The value of an extension field. */
static bool is_value(struct span value)
{
    for (size_t i = 0; i < value.len; i++)
        if (!ascii_is_printable(value.p[i]) || value.p[i] == ' ' || value.p[i] == '=')
            return false;
    return value.len > 0;
}

enum status sts_record_parse(struct span txt, struct span *id_out, struct error *err)
{
    struct span id = {0};
    if (!sts_is_record(txt))
        return error_set(err, STATUS_INVALID, "the MTA-STS record does not begin with " RECORD_START);
    struct span rest = span_of(txt.p + strlen(RECORD_START), txt.len - strlen(RECORD_START));
    while (rest.len > 0) {
        struct span value = field_without_spaces(field_cut(&rest, ';'));
        if (value.len == 0 && rest.len == 0)
            break; /* a ";" at the end */
        struct span key = field_cut(&value, '=');
        bool is_the_id = key.len == 2 && memcmp(key.p, "id", 2) == 0;
        if (is_the_id ? !is_id(value) || id.len > 0 : !is_key(key) || !is_value(value))
            return error_set(err, STATUS_INVALID, "the MTA-STS record has a field that is none");
        if (is_the_id)
            id = value;
    }
    if (id.len == 0)
        return error_set(err, STATUS_INVALID, "the MTA-STS record has no id");
    *id_out = id;
    return STATUS_OK;
}

/* ---- the policy ---- */

struct seen {
    bool version, mode, max_age;
};

static bool key_is(struct span key, const char *name)
{
    return key.len == strlen(name) && memcmp(key.p, name, key.len) == 0;
}

/* The next line of *REST without its end. */
static struct span next_line(struct span *rest)
{
    struct span line = field_cut(rest, '\n');
    if (line.len > 0 && line.p[line.len - 1] == '\r')
        line.len--;
    return line;
}

static bool is_text(struct span line)
{
    for (size_t i = 0; i < line.len; i++)
        if (ascii_is_control(line.p[i]) && line.p[i] != '\t')
            return false;
    return true;
}

static bool is_host_name(struct span name)
{
    size_t label = 0;
    if (name.len == 0 || name.len > NAME_MAX_LEN)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.p[i];
        if (c == '.' && label == 0)
            return false;
        label = c == '.' ? 0 : label + 1;
        if (label > LABEL_MAX_LEN || (c != '.' && c != '-' && c != '_' && !is_alnum(c)))
            return false;
    }
    return label > 0;
}

static bool is_wildcard(struct span pattern)
{
    return pattern.len > 2 && pattern.p[0] == '*' && pattern.p[1] == '.';
}

static bool is_pattern(struct span pattern)
{
    return is_host_name(is_wildcard(pattern) ? span_of(pattern.p + 2, pattern.len - 2) : pattern);
}

static bool take_mode(struct span value, enum sts_mode *mode_out)
{
    for (int mode = STS_MODE_NONE; mode <= STS_MODE_ENFORCE; mode++)
        if (key_is(value, sts_mode_word((enum sts_mode)mode))) {
            *mode_out = (enum sts_mode)mode;
            return true;
        }
    return false;
}

static bool take_max_age(struct span value, int64_t *seconds_out)
{
    int64_t seconds = 0;
    if (value.len == 0 || value.len > MAX_AGE_DIGITS)
        return false;
    for (size_t i = 0; i < value.len; i++) {
        if (!ascii_is_digit(value.p[i]))
            return false;
        seconds = seconds * 10 + (value.p[i] - '0');
    }
    *seconds_out = seconds;
    return seconds <= STS_MAX_AGE_S;
}

/* NULL, or what is wrong with the field. */
static const char *take_field(struct span key, struct span value, struct seen *seen,
                              struct sts_policy *policy)
{
    const struct seen before = *seen;
    if (key_is(key, "version")) {
        seen->version = true;
        return before.version || key_is(value, VERSION) ? NULL : "version: is not " VERSION;
    }
    if (key_is(key, "mode")) {
        seen->mode = true;
        return before.mode || take_mode(value, &policy->mode) ? NULL
                                                              : "mode: is not enforce, testing or none";
    }
    if (key_is(key, "max_age")) {
        seen->max_age = true;
        return before.max_age || take_max_age(value, &policy->max_age_s)
                   ? NULL
                   : "max_age: is no number from 0 to 31557600";
    }
    if (!key_is(key, "mx"))
        return NULL;
    policy->n_mx++;
    return is_pattern(value) ? NULL : "mx: is no host name";
}

/* Empty lines are not in the grammar, but where a policy ends in one it is the stricter reading that takes
 * it. */
static const char *take_line(struct span line, struct seen *seen, struct sts_policy *policy)
{
    if (!is_text(line))
        return "it has a line with control characters";
    struct span value = field_without_spaces(line);
    if (value.len == 0)
        return NULL;
    if (!memchr(value.p, ':', value.len))
        return "it has a line without \":\"";
    struct span key = field_without_spaces(field_cut(&value, ':'));
    return is_key(key) ? take_field(key, field_without_spaces(value), seen, policy)
                       : "it has a line whose key is none";
}

enum status sts_policy_parse(struct span text, struct sts_policy *policy_out, struct error *err)
{
    struct sts_policy policy = {0};
    struct seen seen = {0};
    const char *wrong = NULL;
    if (text.len > STS_POLICY_MAX)
        return error_set(err, STATUS_LIMIT, "the MTA-STS policy has over %d bytes", STS_POLICY_MAX);
    while (!wrong && text.len > 0)
        wrong = take_line(next_line(&text), &seen, &policy);
    if (!wrong && !seen.version)
        wrong = "version: is missing";
    if (!wrong && !seen.mode)
        wrong = "mode: is missing";
    if (!wrong && !seen.max_age)
        wrong = "max_age: is missing";
    if (!wrong && policy.mode != STS_MODE_NONE && policy.n_mx == 0)
        wrong = "mx: is missing";
    if (wrong)
        return error_set(err, STATUS_INVALID, "the MTA-STS policy is malformed: %s", wrong);
    *policy_out = policy;
    return STATUS_OK;
}

bool sts_policy_next_mx(struct span *rest, struct span *mx_out)
{
    while (rest->len > 0) {
        struct span value = field_without_spaces(next_line(rest));
        struct span key = field_without_spaces(field_cut(&value, ':'));
        if (key_is(key, "mx")) {
            *mx_out = field_without_spaces(value);
            return true;
        }
    }
    return false;
}

static bool matches(struct span pattern, const char *host)
{
    if (!is_wildcard(pattern))
        return span_is(pattern, host);
    const char *dot = strchr(host, '.');
    return dot && dot != host && span_is(span_of(pattern.p + 1, pattern.len - 1), dot);
}

bool sts_policy_allows(struct span text, const char *host)
{
    struct span mx;
    while (sts_policy_next_mx(&text, &mx))
        if (matches(mx, host))
            return true;
    return false;
}
