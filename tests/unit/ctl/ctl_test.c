/* What sealctl shows to people, and its exit codes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it. */
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "gateway/ctl/ctl.h"

/* Standard output or error goes to a file from capture_begin to capture_end. */
struct capture {
    FILE *stream, *file;
    int saved;
};

static struct capture capture_begin(FILE *stream)
{
    struct capture c = {.stream = stream, .file = tmpfile()};
    assert_non_null(c.file);
    fflush(stream);
    c.saved = dup(fileno(stream));
    assert_true(dup2(fileno(c.file), fileno(stream)) >= 0);
    return c;
}

/* What was written; free it. */
static char *capture_end(struct capture *c)
{
    char *text = calloc(1, 65536);
    fflush(c->stream);
    dup2(c->saved, fileno(c->stream));
    close(c->saved);
    rewind(c->file);
    size_t n = fread(text, 1, 65535, c->file);
    fclose(c->file);
    text[n] = '\0';
    return text;
}

static json_t *json_of(const char *text)
{
    json_error_t why;
    json_t *value = json_loads(text, 0, &why);
    if (!value)
        fail_msg("%s: %s", text, why.text);
    return value;
}

static void expect_table(const char *rows, const char *expected)
{
    static const struct ctl_column columns[] = {{"NAME", "name"}, {"N", "n"}, {"LAST", "last"}};
    json_t *array = json_of(rows);
    struct capture c = capture_begin(stdout);
    ctl_table(array, columns, 3, "nothing here");
    char *text = capture_end(&c);
    assert_string_equal(text, expected);
    free(text);
    json_decref(array);
}

static void columns_are_aligned_by_characters(void **state)
{
    (void)state;
    expect_table(
        "[{\"name\": \"ab\", \"n\": 1, \"last\": \"x\"}, {\"name\": \"gr\\u00fc\\u00dfe\", \"n\": 1000, "
        "\"last\": \"yy\"}]",
        "NAME   N     LAST\n"
        "ab     1     x\n"
        "gr\u00fc\u00dfe  1000  yy\n");
}

static void each_kind_of_value_has_its_word(void **state)
{
    (void)state;
    expect_table("[{\"name\": true, \"n\": false, \"last\": null},"
                 " {\"name\": [\"a\", 2, true], \"n\": 1.5, \"last\": \"\"},"
                 " {\"n\": -7}]",
                 "NAME       N    LAST\n"
                 "yes        no   -\n"
                 "a, 2, yes  1.5  -\n"
                 "-          -7   -\n");
}

/* What came from outside must not reach the terminal as an escape sequence, nor make a second line. */
static void control_characters_are_shown_as_a_question_mark(void **state)
{
    (void)state;
    expect_table("[{\"name\": \"\\u001b[2J\", \"n\": \"a\\nb\\tc\\rd\", \"last\": "
                 "\"\\u007f\\u009b\\u0080\\u00a0\\u0007\"}]",
                 "NAME  N        LAST\n"
                 "?[2J  a?b?c?d  ???\u00a0?\n");
}

static void an_empty_list_says_so(void **state)
{
    (void)state;
    expect_table("[]", "nothing here\n");
    expect_table("{}", "nothing here\n");
}

static void a_cell_that_is_too_long_is_an_ellipsis(void **state)
{
    (void)state;
    char rows[6000];
    memset(rows, 'a', sizeof rows);
    memcpy(rows, "[{\"name\": \"", 11);
    memcpy(rows + 5900, "\"}]", 4);
    expect_table(rows, "NAME  N  LAST\n\u2026     -  -\n");
}

static void fields_nest(void **state)
{
    (void)state;
    json_t *object =
        json_of("{\"ok\": true, \"id\": \"x\", \"to\": [\"a\", \"b\"], \"tls\": {\"level\": \"may\"},"
                " \"recipients\": [{\"name\": \"bob\", \"tries\": [{\"n\": 1}]}, {\"name\": \"c\\u001b\"}],"
                " \"none\": []}");
    struct capture c = capture_begin(stdout);
    ctl_fields(object);
    char *text = capture_end(&c);
    assert_string_equal(text, "id: x\n"
                              "to: a, b\n"
                              "tls:\n"
                              "  level: may\n"
                              "recipients 1:\n"
                              "  name: bob\n"
                              "  tries 1:\n"
                              "    n: 1\n"
                              "recipients 2:\n"
                              "  name: c?\n"
                              "none: \n");
    free(text);
    json_decref(object);
}

static void each_class_has_its_exit_code(void **state)
{
    static const struct {
        const char *name;
        int code;
    } table[] = {
        {"invalid", EX_DATAERR},    {"limit", EX_DATAERR},      {"not-found", EX_NOINPUT},
        {"denied", EX_NOPERM},      {"temporary", EX_TEMPFAIL}, {"busy", EX_TEMPFAIL},
        {"closed", EX_UNAVAILABLE}, {"internal", EX_SOFTWARE},  {"", EX_SOFTWARE},
        {"nonsense", EX_SOFTWARE},  {NULL, EX_SOFTWARE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        assert_int_equal(ctl_exit_code(table[i].name), table[i].code);
    /* Every category of the gateway is in the table, and none is a success. */
    for (enum status st = STATUS_INVALID; st <= STATUS_INTERNAL; st++)
        if (ctl_exit_code(status_word(st)) == EX_SOFTWARE && st != STATUS_INTERNAL)
            fail_msg("%s has no exit code", status_word(st));
}

static void errors_do_not_reach_the_terminal_as_they_are(void **state)
{
    (void)state;
    struct capture c = capture_begin(stderr);
    int code = ctl_fail(EX_DATAERR, "no message %s", "\x1b]0;x\x07\n\xc2\x9bz");
    char *text = capture_end(&c);
    assert_int_equal(code, EX_DATAERR);
    assert_string_equal(text, "sealctl: no message ?]0;x???z\n");
    free(text);
}

/* ---- with a gateway that answers one line ---- */

struct talk {
    char dir[200], path[300];
    pid_t gateway;
    struct ctl ctl;
};

/* ANSWER NULL: ends the connection without a word. */
static struct talk talk_begin(const char *answer)
{
    struct talk t = {0};
    const char *base = getenv("TMPDIR");
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    snprintf(t.dir, sizeof t.dir, "%s/ctl-XXXXXX", base ? base : "/tmp");
    assert_non_null(mkdtemp(t.dir));
    snprintf(t.path, sizeof t.path, "%s/control", t.dir);
    assert_true(strlen(t.path) < sizeof un.sun_path);
    memcpy(un.sun_path, t.path, strlen(t.path) + 1);
    int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listening, (struct sockaddr *)&un, sizeof un), 0);
    assert_int_equal(listen(listening, 1), 0);
    t.gateway = fork();
    if (t.gateway == 0) {
        char request[4096];
        alarm(30);
        int fd = accept(listening, NULL, NULL);
        if (recv(fd, request, sizeof request, 0) > 0 && answer)
            dprintf(fd, "%s\n", answer);
        _exit(0);
    }
    close(listening);
    return t;
}

static void talk_end(struct talk *t)
{
    assert_int_equal(waitpid(t->gateway, NULL, 0), t->gateway);
    unlink(t->path);
    assert_int_equal(rmdir(t->dir), 0);
}

/* Runs VERB with the arguments against a gateway that answers ANSWER. */
static int run(const struct ctl_verb *verb, const char *answer, bool json, const char *const *args,
               char **out, char **errors)
{
    struct talk t = talk_begin(answer);
    char *argv[16] = {(char[]){"sealctl"}};
    int argc = 0;
    for (; args && args[argc]; argc++)
        argv[argc + 1] = (char *)(uintptr_t)args[argc];
    t.ctl = (struct ctl){.conf = {.control_socket = t.path}, .json = json, .argc = argc, .argv = argv + 1};
    struct capture c_out = capture_begin(stdout), c_errors = capture_begin(stderr);
    int code = verb->run(&t.ctl);
    *errors = capture_end(&c_errors);
    *out = capture_end(&c_out);
    talk_end(&t);
    return code;
}

static const struct ctl_verb *verb_named(const struct ctl_verb *verbs, const char *group, const char *name)
{
    for (; verbs->group; verbs++)
        if (strcmp(verbs->group, group) == 0 && (verbs->name ? name && !strcmp(verbs->name, name) : !name))
            return verbs;
    fail_msg("no verb %s", group);
    return NULL;
}

static void an_error_of_the_gateway_is_told_with_its_code(void **state)
{
    (void)state;
    char *out, *errors;
    const struct ctl_verb *list = verb_named(ctl_key_verbs, "key", "list");
    static const char denied[] = "{\"ok\":false,\"class\":\"denied\",\"error\":\"not \\u001b you\"}";
    assert_int_equal(run(list, denied, false, NULL, &out, &errors), EX_NOPERM);
    assert_string_equal(out, "");
    assert_string_equal(errors, "sealctl: not ? you\n");
    free(out);
    free(errors);
    assert_int_equal(run(list, denied, true, NULL, &out, &errors), EX_NOPERM);
    assert_non_null(strstr(out, "\"class\": \"denied\""));
    free(out);
    free(errors);
}

static void no_answer_is_no_success(void **state)
{
    static const char *const answers[] = {NULL, "", "garbage", "[]", "{}", "{\"ok\":1}"};
    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        char *out, *errors;
        int code = run(verb_named(ctl_key_verbs, "key", "list"), answers[i], false, NULL, &out, &errors);
        assert_int_not_equal(code, EX_OK);
        assert_string_equal(out, "");
        assert_true(strlen(errors) > 0);
        free(out);
        free(errors);
    }
}

static void a_gateway_that_is_not_there_is_unavailable(void **state)
{
    (void)state;
    char path[] = "/nonexistent/control";
    struct ctl ctl = {.conf = {.control_socket = path}};
    json_t *answer = NULL;
    struct capture c = capture_begin(stderr);
    int code = ctl_ask(&ctl, json_pack("{s:s}", "verb", "status"), &answer);
    char *errors = capture_end(&c);
    assert_int_equal(code, EX_UNAVAILABLE);
    assert_non_null(strstr(errors, path));
    free(errors);
}

static void explain_shows_no_control_characters(void **state)
{
    static const char answer[] =
        "{\"ok\":true,\"recipients\":[{\"recipient\":\"bob@example.com\",\"rule\":\"default\",\"protect\":"
        "\"require\",\"action\":\"hold\",\"reason\":\"none \\u001bfound\",\"certificate\":null,"
        "\"candidates\":[{\"format\":\"smime\",\"fingerprint\":\"AB\",\"algorithm\":\"RSA\",\"source\":"
        "\"local\","
        "\"usable\":false,\"reason\":\"issuer \\u001b[2J\"}],"
        "\"treatment\":{\"header_protection\":\"baseline\",\"sign\":\"never\",\"archive\":[\"a@example.org\"]"
        ","
        "\"encrypt_to_self\":true},"
        "\"tls\":{\"level\":\"may\",\"why\":\"delivery tls\",\"route\":\"mx\"}}]}";
    static const char *const args[] = {"--from", "alice@example.org", "--to", "bob@example.com", NULL};
    (void)state;
    char *out, *errors;
    assert_int_equal(run(verb_named(ctl_status_verbs, "explain", NULL), answer, false, args, &out, &errors),
                     EX_OK);
    assert_string_equal(
        out, "bob@example.com\n"
             "  rule default (protect require): hold, because: none ?found\n"
             "  known: smime AB (RSA, from local): issuer ?[2J\n"
             "  header protection baseline, sign never, archive a@example.org, sealed to the sender "
             "as well\n"
             "  next hop mx, TLS may (delivery tls)\n");
    assert_string_equal(errors, "");
    free(out);
    free(errors);
}

static void status_shows_who_is_blocked_and_who_is_in_clear(void **state)
{
    (void)state;
    static const char answer[] =
        "{\"ok\":true,\"configuration\":\"c\",\"started\":\"s\",\"processes\":[],\"queue\":{\"ok\":true},"
        "\"guard\":{\"ok\":true,\"blocked\":[{\"kind\":\"user\",\"name\":\"a\\u001b\",\"count\":50,"
        "\"blocked-until\":\"U\"}],\"clear\":[{\"name\":\"192.0.2.9\",\"count\":3,\"last\":\"L\",\"verb\":"
        "\"MAIL\","
        "\"helo\":null}]},\"delivery\":{\"ok\":true,\"since\":\"S\",\"delivered\":{\"dane-ee\":2,\"clear\":0}"
        "}}";
    char *out, *errors;
    assert_int_equal(run(verb_named(ctl_status_verbs, "status", NULL), answer, false, NULL, &out, &errors),
                     EX_OK);
    assert_string_equal(
        out, "configuration: c\nstarted: s\ndelivered since S: 2 dane-ee, 0 clear\nno process\n"
             "\nBLOCKED  NAME  FAILURES  UNTIL\nuser     a?    50        U\n"
             "\nTRIED WITHOUT TLS  TIMES  LAST  VERB  HELO\n192.0.2.9          3      L     MAIL  -\n");
    free(out);
    free(errors);
}

/* Names and errors came from DNS. */
static void tls_shows_no_control_characters(void **state)
{
    (void)state;
    static const char answer[] =
        "{\"ok\":true,\"domain\":\"example.com\",\"route\":\"mx\",\"secure\":true,\"implicit_mx\":false,"
        "\"hosts\":["
        "{\"host\":\"a\\u001b[2J\",\"port\":25,\"verdict\":\"wait\",\"level\":\"dane\",\"why\":\"W\\u0007\","
        "\"addresses\":[\"192.0.2.1\"],\"match_name\":null,\"dane\":\"failed\",\"tlsa_base\":null,\"tlsa\":[]"
        "},"
        "{\"host\":\"b\",\"port\":25,\"error\":\"E\\n\"}]}";
    static const char *const args[] = {"example.com", NULL};
    const struct ctl_verb *tls = verb_named(ctl_tls_verbs, "tls", NULL);
    char *out, *errors;
    assert_int_equal(run(tls, answer, false, args, &out, &errors), EX_OK);
    assert_string_equal(out, "domain example.com\nroute mx\nMX record found, signed by DNSSEC\n"
                             "host a?[2J port 25\n  nothing is sent for now: W?\n  address 192.0.2.1\n"
                             "  TLSA records: failed\nhost b port 25\n  not reachable: E?\n");
    free(out);
    free(errors);
}

static void a_changed_audit_trail_fails(void **state)
{
    (void)state;
    const struct ctl_verb *verify = verb_named(ctl_audit_verbs, "audit", "verify");
    char *out, *errors;
    assert_int_equal(run(verify, "{\"ok\":true,\"intact\":true}", false, NULL, &out, &errors), EX_OK);
    free(out);
    free(errors);
    assert_int_equal(run(verify, "{\"ok\":true,\"intact\":false}", false, NULL, &out, &errors), EX_DATAERR);
    assert_string_equal(out, "intact: no\n");
    free(out);
    free(errors);
}

/* Each verb, and every option in its usage. */
static void the_manual_names_each_verb(void **state)
{
    (void)state;
    static const struct ctl_verb *const groups[] = {ctl_status_verbs, ctl_queue_verbs, ctl_held_verbs,
                                                    ctl_key_verbs,    ctl_user_verbs,  ctl_guard_verbs,
                                                    ctl_audit_verbs,  ctl_tls_verbs,   ctl_autoconfig_verbs};
    struct buf manual;
    struct error err;
    assert_int_equal(conf_read_file("doc/sealctl.8", &manual, &err), STATUS_OK);
    for (size_t g = 0; g < sizeof groups / sizeof groups[0]; g++) {
        for (const struct ctl_verb *v = groups[g]; v->group; v++) {
            char item[80], line[400];
            snprintf(item, sizeof item, "\n.It Ic %s%s%s", v->group, v->name ? " " : "",
                     v->name ? v->name : "");
            const char *at = strstr(buf_str(&manual), item);
            if (!at)
                fail_msg("sealctl(8) lacks: %s", item + 1);
            snprintf(line, sizeof line, "%.*s", (int)strcspn(at + 1, "\n"), at + 1);
            for (const char *option = strstr(v->usage, "--"); option; option = strstr(option + 2, "--")) {
                snprintf(item, sizeof item, "Fl -%.*s", (int)strspn(option + 2, "abcdefghijklmnopqrstuvwxyz"),
                         option + 2);
                if (!strstr(line, item))
                    fail_msg("sealctl(8) lacks %s in: %s", item, line);
            }
        }
    }
    buf_free(&manual);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_aligned_by_characters),
        cmocka_unit_test(each_kind_of_value_has_its_word),
        cmocka_unit_test(control_characters_are_shown_as_a_question_mark),
        cmocka_unit_test(an_empty_list_says_so),
        cmocka_unit_test(a_cell_that_is_too_long_is_an_ellipsis),
        cmocka_unit_test(fields_nest),
        cmocka_unit_test(each_class_has_its_exit_code),
        cmocka_unit_test(errors_do_not_reach_the_terminal_as_they_are),
        cmocka_unit_test(an_error_of_the_gateway_is_told_with_its_code),
        cmocka_unit_test(no_answer_is_no_success),
        cmocka_unit_test(a_gateway_that_is_not_there_is_unavailable),
        cmocka_unit_test(explain_shows_no_control_characters),
        cmocka_unit_test(status_shows_who_is_blocked_and_who_is_in_clear),
        cmocka_unit_test(tls_shows_no_control_characters),
        cmocka_unit_test(a_changed_audit_trail_fails),
        cmocka_unit_test(the_manual_names_each_verb),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
