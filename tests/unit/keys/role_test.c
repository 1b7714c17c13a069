/* The keys role in a process of its own, asked over its two services. */
#include "tests/unit/keystore/store.h"

#include <openssl/evp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sysexits.h>

#include "gateway/jobs/control_job.h"
#include "gateway/jobs/keys_job.h"
#include "gateway/keys/keys.h"

static const struct call_limits limits = {.taken_ms = 20000, .total_ms = 60000};

struct state {
    struct store s;
    int lookup[2], control[2]; /* [0] ours, [1] the role's */
    int log_fd;
    struct log log;
    pid_t pid;
    struct error err;
};

static struct keys_settings settings_of(struct state *t)
{
    return (struct keys_settings){.log = &t->log,
                                  .keystore = t->s.settings,
                                  .lookup_service = t->lookup[1],
                                  .control_service = t->control[1],
                                  .request_ms = 10000};
}

static void start(struct state *t)
{
    const struct keys_settings settings = settings_of(t);

    t->pid = fork();
    assert_true(t->pid >= 0);
    if (t->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* also when a test ends this program */
        _exit(keys_run(&settings));
    }
}

static int stop(struct state *t, int signum)
{
    int how;

    assert_int_equal(kill(t->pid, signum), 0);
    assert_int_equal(waitpid(t->pid, &how, 0), t->pid);
    return how;
}

static int make(void **state)
{
    struct state *t = calloc(1, sizeof *t);

    assert_non_null(t);
    store_make(&t->s);
    assert_int_equal(ipc_pair(t->lookup, &t->err), STATUS_OK);
    assert_int_equal(ipc_pair(t->control, &t->err), STATUS_OK);
    *state = t;
    return 0;
}

static int drop(void **state)
{
    struct state *t = *state;

    for (int i = 0; i < 2; i++) {
        close(t->lookup[i]);
        close(t->control[i]);
    }
    fixture_free(&t->s.f);
    free(t);
    return 0;
}

static int set_up(void **state)
{
    struct state *t = *state;
    FILE *file = tmpfile();

    assert_non_null(file);
    t->log_fd = dup(fileno(file));
    fclose(file);
    t->log = (struct log){.fd = t->log_fd, .level = LOG_LEVEL_INFO, .role = "keys"};
    start(t);
    return 0;
}

static int tear_down(void **state)
{
    struct state *t = *state;
    int how = t->pid ? stop(t, SIGTERM) : 0;

    close(t->log_fd);
    store_clear(&t->s);
    return WIFEXITED(how) && WEXITSTATUS(how) == 0 ? 0 : -1;
}

/* ---- control ---- */

/* The answer to REQUEST (stolen); a new reference. */
static json_t *ask(struct state *t, json_t *request)
{
    struct ipc_msg reply;
    char *text = json_dumps(request, JSON_COMPACT);

    assert_non_null(text);
    if (call_wait(t->control[0], CONTROL_REQUEST, span_str(text), NULL, 0, limits, &reply, &t->err) !=
        STATUS_OK)
        fail_msg("%s", t->err.text);
    assert_int_equal(reply.type, CONTROL_REPLY);
    json_t *answer = json_loadb((const char *)reply.body.data, reply.body.len, 0, NULL);
    assert_non_null(answer);
    ipc_msg_free(&reply);
    free(text);
    json_decref(request);
    return answer;
}

static json_t *ask_good(struct state *t, json_t *request, size_t n)
{
    json_t *answer = ask(t, request);

    if (!json_is_true(json_object_get(answer, "ok")))
        fail_msg("%s", json_string_value(json_object_get(answer, "error")));
    assert_int_equal(json_array_size(json_object_get(answer, "certificates")), n);
    return answer;
}

static void ask_bad(struct state *t, json_t *request, const char *class)
{
    json_t *answer = ask(t, request);

    assert_true(json_is_false(json_object_get(answer, "ok")));
    assert_string_equal(json_string_value(json_object_get(answer, "class")), class);
    assert_true(json_string_length(json_object_get(answer, "error")) > 0);
    json_decref(answer);
}

static json_t *add_request(struct span file)
{
    char *text = malloc(4 * (file.len / 3 + 1) + 1);

    assert_non_null(text);
    EVP_EncodeBlock((unsigned char *)text, (const unsigned char *)file.p, (int)file.len);
    json_t *request = json_pack("{s:s, s:s}", "verb", "key.add", "data", text);
    free(text);
    return request;
}

static json_t *add_file(struct state *t, const char *name)
{
    struct buf file;

    fixture_read(&t->s.f, name, &file);
    json_t *answer = ask_good(t, add_request(buf_span(&file)), 1);
    buf_free(&file);
    return answer;
}

static json_t *verb(const char *name)
{
    return json_pack("{s:s}", "verb", name);
}

static json_t *verb_with(const char *name, const char *key, const char *value)
{
    return json_pack("{s:s, s:s}", "verb", name, key, value);
}

static json_t *first(json_t *answer)
{
    return json_array_get(json_object_get(answer, "certificates"), 0);
}

static const char *text_of(json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "(none)";
}

static void expect_log(struct state *t, const char *text, bool there)
{
    char bytes[20000];
    ssize_t n = pread(t->log_fd, bytes, sizeof bytes - 1, 0);

    assert_true(n >= 0);
    bytes[n] = '\0';
    if ((strstr(bytes, text) != NULL) != there)
        fail_msg("%s %s in the log: %s", text, there ? "is not" : "is", bytes);
}

static void added_shown_and_removed(void **state)
{
    struct state *t = *state;
    json_t *added = add_file(t, "erin.asc");
    json_t *erin = first(added);
    const char *fingerprint = text_of(erin, "fingerprint");

    assert_string_equal(text_of(erin, "format"), "openpgp");
    assert_string_equal(text_of(erin, "name"), "Erin <erin@example.org>");
    assert_string_equal(text_of(erin, "algorithm"), "cv25519");
    assert_string_equal(text_of(erin, "source"), "local");
    assert_string_equal(text_of(erin, "reason"), "");
    assert_true(json_is_true(json_object_get(erin, "usable")));
    assert_int_equal(strlen(text_of(erin, "added")), 20);
    assert_int_equal(text_of(erin, "expires")[10], 'T');
    json_t *addresses = json_object_get(erin, "addresses");
    assert_int_equal(json_array_size(addresses), 1);
    assert_string_equal(json_string_value(json_array_get(addresses, 0)), "erin@example.org");
    assert_null(json_object_get(erin, "data"));
    expect_log(t, "key-added", true);
    expect_log(t, fingerprint, true);
    expect_log(t, "key-removed", false);

    json_t *shown = ask_good(t, verb_with("key.show", "fingerprint", fingerprint + 24), 1);
    assert_string_equal(text_of(first(shown), "fingerprint"), fingerprint);
    struct buf file;
    fixture_read(&t->s.f, "erin.pgp", &file);
    json_t *again = add_request(buf_span(&file));
    assert_string_equal(text_of(first(shown), "data"), text_of(again, "data"));
    buf_free(&file);

    json_decref(ask_good(t, verb_with("key.remove", "fingerprint", fingerprint), 1));
    expect_log(t, "key-removed", true);
    json_decref(ask_good(t, verb("key.list"), 0));
    ask_bad(t, verb_with("key.show", "fingerprint", fingerprint), "not-found");
    ask_bad(t, verb_with("key.remove", "fingerprint", fingerprint), "not-found");
    json_decref(again);
    json_decref(shown);
    json_decref(added);
}

static void lists(void **state)
{
    struct state *t = *state;
    const char *const files[] = {"user.pgp", "alice.asc", "frank.pgp", "erin.pgp"};

    for (size_t i = 0; i < 4; i++)
        json_decref(add_file(t, files[i]));
    json_t *all = ask_good(t, verb("key.list"), 4);
    assert_true(json_is_null(json_object_get(first(all), "expires"))); /* alice: never */
    json_decref(all);
    json_decref(ask_good(t, json_pack("{s:s, s:i}", "verb", "key.expiring", "days", 60), 1));
    json_decref(ask_good(t, json_pack("{s:s, s:i}", "verb", "key.expiring", "days", 3), 0));

    json_t *found = ask_good(t, verb_with("key.lookup", "address", "frank@example.org"), 1);
    assert_true(json_is_false(json_object_get(first(found), "usable")));
    assert_string_equal(text_of(first(found), "reason"), "revoked");
    json_decref(found);
    json_decref(ask_good(t, verb_with("key.lookup", "address", "nobody@example.org"), 0));
}

static void a_source_may_be_named(void **state)
{
    struct state *t = *state;
    struct buf file;

    fixture_read(&t->s.f, "alice.pgp", &file);
    json_t *request = add_request(buf_span(&file));
    json_object_set_new(request, "source", json_string("wkd"));
    json_t *added = ask_good(t, request, 1);
    assert_string_equal(text_of(first(added), "source"), "wkd");
    json_decref(added);
    buf_free(&file);
}

/* SEQUENCE { rfc822Name "\"a,b\"@example.org", rfc822Name "bob@example.org" } */
#define SAN_QUOTED "DER:3024811122612c6222406578616d706c652e6f7267810f626f62406578616d706c652e6f7267"

/* Names from outside neither break the JSON nor make a second line or field in the log. */
static void odd_names_stay_in_their_field(void **state)
{
    struct state *t = *state;
    int today = (int)((time(NULL) - FORGE_NOW) / FORGE_DAY);
    const struct forge_order order = {.key = "P-256",
                                      .subject = "Mallory\"}\n key-removed usable=yes",
                                      .days_from = today - 1,
                                      .days_to = today + 9,
                                      .extensions = {{NID_subject_alt_name, SAN_QUOTED}}};
    struct forged made = forge(&order, NULL);
    json_t *added = ask_good(t, add_request(made.der), 1);
    json_t *addresses = json_object_get(first(added), "addresses");

    assert_int_equal(json_array_size(addresses), 2);
    assert_string_equal(json_string_value(json_array_get(addresses, 0)), "\"a,b\"@example.org");
    assert_string_equal(json_string_value(json_array_get(addresses, 1)), "bob@example.org");
    assert_non_null(strstr(text_of(first(added), "name"), "Mallory"));
    expect_log(t, "addresses=\"\\\"a,b\\\"@example.org, bob@example.org\"", true);
    expect_log(t, "\n key-removed", false);
    json_decref(added);
    json_decref(ask_good(t, verb_with("key.lookup", "address", "\"A,B\"@example.org"), 1));
    forged_free(&made);
}

static void bad_requests_are_told(void **state)
{
    struct state *t = *state;
    const char *const no_base64[] = {"", "A", "AAA", "AA-=", "AAAA AAAA", "\u00fc", "=AAA", "AAAA-BBBB"};

    ask_bad(t, verb("key.none"), "invalid");
    ask_bad(t, verb("key.show"), "invalid");
    ask_bad(t, verb("key.lookup"), "invalid");
    ask_bad(t, verb_with("key.lookup", "address", "no address"), "invalid");
    ask_bad(t, verb("key.remove"), "invalid");
    ask_bad(t, verb("key.add"), "invalid");
    ask_bad(t, verb("key.expiring"), "invalid");
    ask_bad(t, json_pack("{s:s, s:i}", "verb", "key.expiring", "days", -1), "invalid");
    ask_bad(t, json_pack("{s:s, s:I}", "verb", "key.expiring", "days", (json_int_t)1 << 40), "invalid");
    ask_bad(t, verb_with("key.expiring", "days", "3"), "invalid");
    ask_bad(t, json_pack("{s:s, s:s, s:i}", "verb", "key.add", "data", "AAAA", "source", 3), "invalid");
    ask_bad(t, json_pack("[s]", "key.list"), "invalid");
    for (size_t i = 0; i < sizeof no_base64 / sizeof no_base64[0]; i++)
        ask_bad(t, verb_with("key.add", "data", no_base64[i]), "invalid");
    expect_log(t, "key-", false);
}

static void a_failed_inspection_is_told(void **state)
{
    struct state *t = *state;
    struct buf file;

    fixture_read(&t->s.f, "alice.pgp", &file);
    /* It runs, and gpg fails only then. */
    json_decref(ask_good(t, json_pack("{s:s}", "verb", "key.list"), 0));
    fixture_run(&t->s.f, "touch broken");
    ask_bad(t, add_request(buf_span(&file)), "temporary");
    buf_free(&file);
}

/* The caller learns that the role died; the supervisor starts it anew. */
static void a_hung_gpg_ends_the_role(void **state)
{
    struct state *t = *state;
    struct ipc_msg reply;
    struct buf file;
    int how;
    struct keys_settings settings = settings_of(t);
    settings.request_ms = 2000;
    stop(t, SIGKILL);
    fixture_read(&t->s.f, "alice.pgp", &file);
    t->pid = fork();
    if (t->pid == 0) {
        setpgid(0, 0);
        _exit(keys_run(&settings));
    }
    json_t *request = add_request(buf_span(&file));
    char *text = json_dumps(request, JSON_COMPACT);
    /* It runs, and hangs only then. */
    json_decref(ask_good(t, json_pack("{s:s}", "verb", "key.list"), 0));
    fixture_run(&t->s.f, "touch hung");
    assert_int_equal(
        call_wait(t->control[0], CONTROL_REQUEST, span_str(text), NULL, 0, limits, &reply, &t->err),
        STATUS_CLOSED);
    assert_int_equal(waitpid(t->pid, &how, 0), t->pid);
    assert_true(WIFSIGNALED(how) && WTERMSIG(how) == SIGALRM);
    kill(-t->pid, SIGKILL);
    free(text);
    json_decref(request);
    buf_free(&file);
    t->pid = 0;
}

/* ---- lookups ---- */

static enum status look(struct state *t, struct keys_lookup lookup, struct keys_found *found_out)
{
    struct ipc_msg reply;
    struct buf body;

    buf_init(&body, 1 << 20);
    keys_lookup_pack(&body, &lookup);
    enum status st = call_wait(t->lookup[0], KEYS_LOOKUP, buf_span(&body), NULL, 0, limits, &reply, &t->err);
    buf_free(&body);
    if (st != STATUS_OK)
        return st;
    assert_int_equal(reply.type, KEYS_FOUND);
    st = keys_found_unpack(buf_span(&reply.body), found_out, &t->err);
    ipc_msg_free(&reply);
    return st;
}

static char *const asked[] = {(char[]){"ALICE@example.org"}, (char[]){"nobody@example.org"},
                              (char[]){"no address"}, (char[]){"frank@example.org"}};

static void each_address_has_its_answer(void **state)
{
    struct state *t = *state;
    struct keys_found found;

    json_decref(add_file(t, "alice.asc"));
    json_decref(add_file(t, "frank.asc"));
    for (int with_bytes = 0; with_bytes <= 1; with_bytes++) {
        struct keys_lookup lookup = {
            .addresses = (char **)(uintptr_t)asked, .n = 4, .with_bytes = with_bytes};
        assert_int_equal(look(t, lookup, &found), STATUS_OK);
        assert_int_equal(found.n, 4);
        assert_int_equal(found.answers[0].state, LOOKUP_DONE);
        assert_int_equal(found.answers[0].list.n, 1);
        assert_true(found.answers[0].list.items[0].usable);
        assert_int_equal(found.answers[0].list.items[0].bytes.len > 0, with_bytes);
        assert_int_equal(found.answers[0].list.items[0].n_keyids, 1);
        assert_int_equal(found.answers[1].state, LOOKUP_DONE);
        assert_int_equal(found.answers[1].list.n, 0);
        assert_int_equal(found.answers[2].state, LOOKUP_FAILED);
        assert_non_null(strstr(found.answers[2].why, "no address"));
        assert_int_equal(found.answers[3].list.n, 1);
        assert_false(found.answers[3].list.items[0].usable);
        keys_found_free(&found);
    }
}

/* The database becomes unreadable under the running role: the lookups fail, in their answers. */
static void a_failed_lookup_is_never_none_A33(void **state)
{
    struct state *t = *state;
    struct keys_found found;
    struct keys_lookup lookup = {.addresses = (char **)(uintptr_t)asked, .n = 2};

    json_decref(add_file(t, "alice.asc"));
    store_open(&t->s);
    store_sql(&t->s, "ALTER TABLE address RENAME TO gone");
    store_close(&t->s);
    assert_int_equal(look(t, lookup, &found), STATUS_OK);
    assert_int_equal(found.n, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(found.answers[i].state, LOOKUP_FAILED);
        assert_true(found.answers[i].why[0] != '\0');
        assert_int_equal(found.answers[i].list.n, 0);
    }
    keys_found_free(&found);
    ask_bad(t, verb_with("key.lookup", "address", "alice@example.org"), "temporary");
    expect_log(t, "lookup-failed", true);
}

static void a_damaged_request_is_dropped_and_the_next_answered(void **state)
{
    struct state *t = *state;
    struct ipc_msg reply;
    struct keys_found found;
    struct keys_lookup none = {0};

    assert_int_equal(call_wait(t->lookup[0], KEYS_LOOKUP, span_str("junk"), NULL, 0, limits, &reply, &t->err),
                     STATUS_CLOSED);
    assert_int_equal(call_wait(t->lookup[0], 999, span_str(""), NULL, 0, limits, &reply, &t->err),
                     STATUS_CLOSED);
    assert_int_equal(look(t, none, &found), STATUS_OK);
    assert_int_equal(found.n, 0);
    keys_found_free(&found);
    expect_log(t, "lookup-dropped", true);
}

/* What queue says of certificates stands in later answers. */
static void what_worked_is_told_to_who_asks(void **state)
{
    struct state *t = *state;
    struct ipc_msg reply;
    struct buf body;
    struct keys_found found;
    struct keys_lookup lookup = {.addresses = (char **)(uintptr_t)asked, .n = 1};
    json_t *added = add_file(t, "alice.asc");
    char *fingerprints[] = {(char *)(uintptr_t)text_of(first(added), "fingerprint"), (char[]){"GONE"}};
    struct keys_worked worked = {.fingerprints = fingerprints, .n = 2};

    assert_true(json_is_null(json_object_get(first(added), "worked")));
    buf_init(&body, 1 << 20);
    keys_worked_pack(&body, &worked);
    if (call_wait(t->lookup[0], KEYS_WORKED, buf_span(&body), NULL, 0, limits, &reply, &t->err) != STATUS_OK)
        fail_msg("%s", t->err.text);
    assert_int_equal(reply.type, KEYS_DONE);
    ipc_msg_free(&reply);
    buf_free(&body);
    assert_int_equal(look(t, lookup, &found), STATUS_OK);
    assert_true(found.answers[0].list.items[0].worked_ms / 1000 >= time(NULL) - 60);
    keys_found_free(&found);
    json_t *shown = ask_good(t, verb_with("key.show", "fingerprint", fingerprints[0]), 1);
    assert_int_equal(strlen(text_of(first(shown), "worked")), 20);
    json_decref(shown);
    json_decref(added);
}

/* ---- pins, domains, preferences ---- */

static json_t *domain_request(struct span file, const char *domain)
{
    json_t *request = add_request(file);
    json_object_set_new(request, "domain", json_string(domain));
    return request;
}

static void a_domain_certificate_is_shown_as_such(void **state)
{
    struct state *t = *state;
    struct keys_found found;
    struct keys_lookup lookup = {.addresses = (char *[]){(char[]){"any@partner.example"}}, .n = 1};
    struct forged made = store_forge("email:gate@example.net", 100, NULL);
    json_t *added = ask_good(t, domain_request(made.der, "@Partner.EXAMPLE"), 1);
    json_t *domains = json_object_get(first(added), "domains");

    assert_int_equal(json_array_size(domains), 1);
    assert_string_equal(json_string_value(json_array_get(domains, 0)), "partner.example");
    assert_true(json_is_false(json_object_get(first(added), "for_domain")));
    expect_log(t, "domains=partner.example", true);
    json_t *seen = ask_good(t, verb_with("key.lookup", "address", "any@partner.example"), 1);
    assert_true(json_is_true(json_object_get(first(seen), "for_domain")));
    assert_int_equal(look(t, lookup, &found), STATUS_OK);
    assert_true(found.answers[0].list.n == 1 && found.answers[0].list.items[0].for_domain);
    keys_found_free(&found);
    ask_bad(t, domain_request(made.der, "no domain"), "invalid");
    json_decref(seen);
    json_decref(added);
    forged_free(&made);
}

static void another_one_beside_a_pinned_one_is_told_A15(void **state)
{
    struct state *t = *state;
    struct forged old = store_forge("email:bob@example.org", 100, NULL);
    struct forged newer = store_forge("email:bob@example.org", 100, NULL);
    json_t *first_added = ask_good(t, add_request(old.der), 1);
    const char *pinned = text_of(first(first_added), "fingerprint");

    assert_int_equal(json_array_size(json_object_get(first_added, "warnings")), 0);
    json_t *pin = verb_with("key.pin", "fingerprint", pinned);
    json_object_set_new(pin, "pinned", json_true());
    json_t *answer = ask_good(t, pin, 1);
    assert_true(json_is_true(json_object_get(first(answer), "pinned")));
    expect_log(t, "key-pinned", true);
    expect_log(t, "key-behind-pinned", false);

    json_t *added = ask_good(t, add_request(newer.der), 1);
    json_t *warnings = json_object_get(added, "warnings");
    assert_int_equal(json_array_size(warnings), 1);
    assert_non_null(strstr(json_string_value(json_array_get(warnings, 0)), pinned));
    assert_non_null(strstr(json_string_value(json_array_get(warnings, 0)), "stays in use"));
    expect_log(t, "level=warning event=key-behind-pinned", true);
    json_t *seen = ask_good(t, verb_with("key.lookup", "address", "bob@example.org"), 2);
    assert_string_equal(text_of(first(seen), "fingerprint"), pinned);
    json_decref(seen);
    json_decref(added);
    json_decref(answer);
    json_decref(first_added);
    forged_free(&old);
    forged_free(&newer);
}

static json_t *prefer_request(const char *address, const char *format)
{
    return json_pack("{s:s, s:s, s:s}", "verb", "key.prefer", "address", address, "format", format);
}

static void a_preference_stands_in_lookups(void **state)
{
    struct state *t = *state;
    struct keys_found found;
    struct keys_lookup lookup = {.addresses = (char **)(uintptr_t)asked, .n = 2};
    json_t *answer = ask_good(t, prefer_request("Alice@example.org", "smime"), 0);

    assert_string_equal(text_of(answer, "preferred"), "smime");
    assert_string_equal(text_of(answer, "address"), "Alice@example.org");
    json_decref(answer);
    assert_int_equal(look(t, lookup, &found), STATUS_OK);
    assert_int_equal(found.answers[0].list.preferred, CERTIFICATE_SMIME);
    assert_int_equal(found.answers[1].list.preferred, 0);
    keys_found_free(&found);
    answer = ask_good(t, verb_with("key.lookup", "address", "alice@example.org"), 0);
    assert_string_equal(text_of(answer, "preferred"), "smime");
    json_decref(answer);
    answer = ask_good(t, prefer_request("alice@example.org", "none"), 0);
    assert_true(json_is_null(json_object_get(answer, "preferred")));
    json_decref(answer);
    ask_bad(t, prefer_request("alice@example.org", "pgp"), "invalid");
    ask_bad(t, prefer_request("alice", "smime"), "invalid");
    ask_bad(t, verb_with("key.prefer", "address", "alice@example.org"), "invalid");
    ask_bad(t, verb_with("key.pin", "fingerprint", "0123456789ABCDEF"), "invalid");
}

/* ---- the process ---- */

/* kill -9 at work: what was added is there for the next process, and requests wait for it. */
static void a_killed_role_loses_nothing_R1(void **state)
{
    struct state *t = *state;
    struct keys_found found;
    struct keys_lookup lookup = {.addresses = (char **)(uintptr_t)asked, .n = 1};

    json_decref(add_file(t, "alice.asc"));
    assert_true(WIFSIGNALED(stop(t, SIGKILL)));
    start(t);
    assert_int_equal(look(t, lookup, &found), STATUS_OK);
    assert_int_equal(found.answers[0].list.n, 1);
    keys_found_free(&found);
}

static void it_does_not_start_on_a_keystore_open_to_others_A26(void **state)
{
    struct state *t = *state;

    json_decref(add_file(t, "alice.asc"));
    assert_int_equal(stop(t, SIGTERM), 0);
    t->pid = 0;
    fixture_run(&t->s.f, "chmod 640 ks.db");
    const struct keys_settings settings = settings_of(t);
    assert_int_equal(keys_run(&settings), EX_CONFIG);
    expect_log(t, "chmod 600", true);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(added_shown_and_removed),
        TEST(lists),
        TEST(a_source_may_be_named),
        TEST(odd_names_stay_in_their_field),
        TEST(bad_requests_are_told),
        TEST(a_failed_inspection_is_told),
        TEST(a_hung_gpg_ends_the_role),
        TEST(each_address_has_its_answer),
        TEST(a_failed_lookup_is_never_none_A33),
        TEST(a_damaged_request_is_dropped_and_the_next_answered),
        TEST(what_worked_is_told_to_who_asks),
        TEST(a_domain_certificate_is_shown_as_such),
        TEST(another_one_beside_a_pinned_one_is_told_A15),
        TEST(a_preference_stands_in_lookups),
        TEST(a_killed_role_loses_nothing_R1),
        TEST(it_does_not_start_on_a_keystore_open_to_others_A26),
    };

    return cmocka_run_group_tests(tests, make, drop);
}
