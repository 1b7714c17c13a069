/* The gpg that stays: real ones, and ones that fail. A program that stands for gpg counts how often it is
 * started. */
#include "tests/unit/pgp/fixture.h"

#include <signal.h>
#include <sys/wait.h>

#define OUT_MAX (4u << 20)
#define COUNTING "exec /usr/bin/gpg \"$@\""

struct state {
    struct fixture f;
    char paths[3][100];
    struct pgp_recipient recipients[3]; /* a, b, and a again with another subkey instead of the first */
    struct pgp_certificate_info info[3];
    struct pgp_expected expected[3];
};

static int set_up(void **state)
{
    static const char *const names[] = {"a", "b", "a2"};
    struct state *s = calloc(1, sizeof *s);
    struct pgp_engine *engine;

    assert_non_null(s);
    fixture_make(&s->f);
    fixture_run(
        &s->f, "fpr() { gpg --list-keys --with-colons $1@example.org | awk -F: '/^fpr/{print $10; exit}'; }; "
               "for n in a b; do gpg --quick-gen-key $n@example.org ed25519 cert,sign never; "
               "gpg --quick-add-key $(fpr $n) cv25519 encr never; gpg --export $(fpr $n) > $n; done; "
               "printf 'key 1\\nrevkey\\ny\\n0\\n\\ny\\nsave\\n' | command gpg --no-tty --command-fd 0 "
               "--pinentry-mode loopback --passphrase '' --edit-key $(fpr a) 2>>gpg.log; "
               "gpg --quick-add-key $(fpr a) cv25519 encr never; gpg --export $(fpr a) > a2");
    engine = fixture_engine(&s->f, "/usr/bin/gpg");
    for (size_t i = 0; i < 3; i++) {
        snprintf(s->paths[i], sizeof s->paths[i], "%s/%s", s->f.dir, names[i]);
        fixture_inspect(&s->f, engine, names[i], &s->info[i]);
        assert_int_equal(s->info[i].fitness, PGP_USABLE);
        s->recipients[i] = (struct pgp_recipient){s->paths[i], s->info[i].fingerprint};
        s->expected[i] = (struct pgp_expected){s->info[i].encryption_keyids, s->info[i].n_encryption_keyids};
    }
    pgp_engine_close(engine);
    assert_string_equal(s->info[0].fingerprint, s->info[2].fingerprint);
    assert_int_not_equal(s->info[0].encryption_keyids[0], s->info[2].encryption_keyids[0]);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct state *s = *state;

    for (size_t i = 0; i < 3; i++)
        pgp_certificate_info_free(&s->info[i]);
    fixture_free(&s->f);
    free(s);
    return 0;
}

/* An engine whose gpg is counted from now on. */
static struct pgp_engine *counted(struct state *s, const char *body)
{
    char path[100];

    fixture_fake_gpg(&s->f, "fake", body, path);
    fixture_run(&s->f, "rm -f runs");
    return fixture_engine(&s->f, path);
}

static enum status encrypt_to(struct pgp_engine *engine, const struct pgp_recipient *recipients, size_t n,
                              const char *text, struct buf *out, struct error *err)
{
    const struct span piece = span_str(text);
    struct sink sink = sink_to_buf(out);
    char cipher[PGP_CIPHER_SIZE];
    enum status status;

    buf_init(out, OUT_MAX);
    status = pgp_encrypt(engine, recipients, n, (struct spans){.items = &piece, .n = 1}, &sink, cipher, err);
    if (status == STATUS_OK)
        assert_string_equal(cipher, "AES256");
    return status;
}

/* Sealed to recipients FROM … FROM+N-1, and whole? */
static void assert_sealed(struct state *s, struct pgp_engine *engine, size_t from, size_t n, const char *text)
{
    struct error err;
    struct buf out;

    if (encrypt_to(engine, s->recipients + from, n, text, &out, &err) != STATUS_OK ||
        pgp_check_message(buf_span(&out), s->expected + from, n, strlen(text), &err) != STATUS_OK)
        fail_msg("%s", err.text);
    fixture_write(&s->f, "sealed", buf_span(&out));
    buf_free(&out);
}

static void assert_opens(struct state *s, const char *text)
{
    struct buf back;

    fixture_run(&s->f, "gpg --decrypt sealed > opened");
    fixture_read(&s->f, "opened", &back);
    assert_true(span_eq(buf_span(&back), span_str(text)));
    buf_free(&back);
}

static void one_gpg_for_all_messages_but_the_first(void **state)
{
    struct state *s = *state;
    struct pgp_engine *engine = counted(s, COUNTING);

    for (int i = 0; i < 20; i++) {
        char text[40];

        snprintf(text, sizeof text, "Message %d.\r\n\n\r", i);
        assert_sealed(s, engine, 0, 1, text);
        assert_opens(s, text);
    }
    assert_int_equal(fixture_count_runs(&s->f), 2);
    pgp_engine_close(engine);
}

static void the_message_is_as_one_that_a_run_makes(void **state)
{
    struct state *s = *state;
    struct pgp_engine *engine = counted(s, COUNTING);

    for (int i = 0; i < 3; i++) {
        assert_sealed(s, engine, 0, 2,
                      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
        fixture_run(
            &s->f,
            "gpg --list-packets sealed 2>&1 | sed -E 's/keyid [0-9A-F]+/keyid/; s/created [0-9]+/created/; "
            "/^#/d; /data: /d; /^gpg: /d; /length: /d' > p%d; test ! -e p0 || cmp p0 p%d; "
            "grep -q 'mode b' p%d; ! grep compressed p%d; test $(grep -c \"$(printf '\\r')\\$\" sealed) = "
            "$(wc -l < sealed)",
            i, i, i, i);
    }
    assert_int_equal(fixture_count_runs(&s->f), 2);
    fixture_run(&s->f, "rm p?");
    pgp_engine_close(engine);
}

static void a_new_certificate_is_learnt(void **state)
{
    struct state *s = *state;
    struct pgp_engine *engine = counted(s, COUNTING);

    for (int i = 0; i < 3; i++)
        assert_sealed(s, engine, 0, 1, "to a"); /* 2 runs */
    for (int i = 0; i < 3; i++)
        assert_sealed(s, engine, 1, 1, "to b"); /* 2 runs */
    for (int i = 0; i < 3; i++)
        assert_sealed(s, engine, 0, 2, "to both"); /* none */
    assert_int_equal(fixture_count_runs(&s->f), 4);
    pgp_engine_close(engine);
}

static void a_changed_certificate_takes_the_place_of_the_old_one(void **state)
{
    struct state *s = *state;
    struct pgp_engine *engine = counted(s, COUNTING);

    for (int round = 0; round < 2; round++)
        for (size_t who = 0; who <= 2; who += 2)
            for (int i = 0; i < 3; i++)
                assert_sealed(s, engine, who, 1, "to the right subkey");
    assert_int_equal(fixture_count_runs(&s->f), 8);
    pgp_engine_close(engine);
}

static void the_same_certificate_twice_is_one_recipient(void **state)
{
    struct state *s = *state;
    struct pgp_engine *engine = counted(s, COUNTING);
    struct pgp_recipient twice[] = {s->recipients[0], s->recipients[0]};

    for (int i = 0; i < 3; i++) {
        struct error err;
        struct buf out;

        assert_int_equal(encrypt_to(engine, twice, 2, "hello", &out, &err), STATUS_OK);
        assert_int_equal(pgp_check_message(buf_span(&out), s->expected, 1, 5, &err), STATUS_OK);
        buf_free(&out);
    }
    assert_int_equal(fixture_count_runs(&s->f), 2);
    pgp_engine_close(engine);
}

static void a_path_that_may_change_is_never_remembered(void **state)
{
    struct state *s = *state;
    struct pgp_engine *engine = counted(s, COUNTING);
    struct pgp_recipient changing = {.certificate_path = s->paths[0]};
    struct error err;
    struct buf out;

    for (int i = 0; i < 3; i++) {
        assert_int_equal(encrypt_to(engine, &changing, 1, "hello", &out, &err), STATUS_OK);
        buf_free(&out);
    }
    assert_int_equal(fixture_count_runs(&s->f), 3);
    pgp_engine_close(engine);
}

static void large_messages_have_a_run_of_their_own(void **state)
{
    struct state *s = *state;
    struct pgp_engine *engine = counted(s, COUNTING);
    char *text = malloc(600001);

    assert_non_null(text);
    memset(text, 'x', 600000);
    text[600000] = '\0';
    for (int i = 0; i < 3; i++)
        assert_sealed(s, engine, 0, 1, text);
    assert_int_equal(fixture_count_runs(&s->f), 3);
    free(text);
    pgp_engine_close(engine);
}

/* Kills every child of this process: the gpg that stays. */
static int kill_children(int signal_number)
{
    char path[64];
    int n = 0, pid;
    FILE *file;

    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    file = fopen(path, "r");
    assert_non_null(file);
    while (fscanf(file, "%d", &pid) == 1)
        n += kill(pid, signal_number) == 0;
    fclose(file);
    return n;
}

static void R5_a_killed_gpg_is_replaced(void **state)
{
    struct state *s = *state;
    struct pgp_engine *engine = counted(s, COUNTING);

    for (int i = 0; i < 5; i++) {
        assert_sealed(s, engine, 0, 1, "first");
        assert_sealed(s, engine, 0, 1, "second");
        assert_int_equal(kill_children(SIGKILL), 1);
    }
    /* A run and a start, then for each kill a run in the place of the one that failed and a new start. */
    assert_int_equal(fixture_count_runs(&s->f), 10);
    pgp_engine_close(engine);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

/* What only its server mode does: messages are made by runs of it all the same, and it is given up in the
 * end. */
static void R5_a_server_that_fails_costs_nothing_but_time(void **state)
{
    static const char *const modes[] = {
        "exit 0",
        "exit 2",
        "kill -9 $$",
        "echo hello; exit 0",
        "exec /usr/bin/gpg --homedir /nonexistent --server",
        "exec /usr/bin/gpg --version",
    };
    struct state *s = *state;

    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        char body[300];
        struct pgp_engine *engine;

        snprintf(body, sizeof body, "case \"$*\" in *--server*) %s;; esac; exec /usr/bin/gpg \"$@\"",
                 modes[i]);
        engine = counted(s, body);
        for (int k = 0; k < 6; k++) {
            assert_sealed(s, engine, 0, 1, "hello");
            assert_opens(s, "hello");
        }
        assert_int_equal(fixture_count_runs(&s->f), 6 + 3);
        pgp_engine_close(engine);
    }
}

/* A server that says OK to everything, and what it then leaves: HOW is Python on the descriptor "out". */
static void lying(const struct fixture *f, const char *how, char *body, size_t size)
{
    char text[2000];

    snprintf(text, sizeof text,
             "import os, socket, sys\n"
             "s = socket.socket(fileno=int(os.environ['_assuan_connection_fd']))\n"
             "status = int(sys.argv[sys.argv.index('--status-fd') + 1])\n"
             "fds, rest = [], b''\n"
             "s.sendall(b'OK ready\\n')\n"
             "while True:\n"
             "    more, new, _, _ = socket.recv_fds(s, 4096, 4)\n"
             "    if not more: break\n"
             "    fds += new\n"
             "    rest += more\n"
             "    while b'\\n' in rest:\n"
             "        line, _, rest = rest.partition(b'\\n')\n"
             "        if line == b'ENCRYPT':\n"
             "            out = os.fdopen(os.dup(fds[-1]), 'wb', buffering=0)\n"
             "            %s\n"
             "        if not line.startswith(b'#'): s.sendall(b'OK\\n')\n",
             how);
    fixture_write(f, "lying.py", span_str(text));
    snprintf(body, size,
             "case \"$*\" in *--server*) exec /usr/bin/python3 %s/lying.py \"$@\";; esac; exec /usr/bin/gpg "
             "\"$@\"",
             f->dir);
}

#define SAYS_DONE "os.write(status, b'[GNUPG:] BEGIN_ENCRYPTION 2 9\\n[GNUPG:] END_ENCRYPTION\\n'); "

static void R5_success_without_the_words_or_the_bytes_is_none(void **state)
{
    static const char *const hows[] = {
        "pass",
        SAYS_DONE,
        "out.write(b'hello')",
        "out.write(b'hello'); os.write(status, b'[GNUPG:] BEGIN_ENCRYPTION 2 9\\n')",
        "out.write(b'hello'); os.write(status, b'[GNUPG:] END_ENCRYPTION\\n')",
        SAYS_DONE "out.write(bytes(8 << 20))",
    };
    struct state *s = *state;

    for (size_t i = 0; i < sizeof hows / sizeof *hows; i++) {
        struct pgp_engine *engine;
        char body[300];

        lying(&s->f, hows[i], body, sizeof body);
        engine = counted(s, body);
        for (int k = 0; k < 3; k++) {
            assert_sealed(s, engine, 0, 1, "hello");
            assert_opens(s, "hello");
        }
        pgp_engine_close(engine);
    }
}

static void R5_output_that_is_refused_is_not_made_twice(void **state)
{
    struct state *s = *state;
    struct pgp_engine *engine;
    struct error err;
    struct buf out;
    char body[300];

    lying(&s->f, SAYS_DONE "out.write(b'hello')", body, sizeof body);
    engine = counted(s, body);
    assert_sealed(s, engine, 0, 1, "hello");
    assert_int_equal(encrypt_to(engine, s->recipients, 1, "hello", &out, &err), STATUS_OK);
    assert_int_equal(pgp_check_message(buf_span(&out), s->expected, 1, 5, &err), STATUS_INTERNAL);
    buf_free(&out);
    pgp_engine_doubt(engine);
    assert_sealed(s, engine, 0, 1, "hello");
    pgp_engine_close(engine);
}

static void it_leaves_nothing_on_disk_and_no_process(void **state)
{
    struct state *s = *state;
    struct pgp_engine *engine = counted(s, COUNTING);

    assert_sealed(s, engine, 0, 1, "hello");
    fixture_run(&s->f, "ls -A e > before");
    for (int i = 0; i < 3; i++)
        assert_sealed(s, engine, 0, 1, "hello");
    fixture_run(&s->f, "ls -A e > after; cmp before after");
    pgp_engine_close(engine);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_gpg_for_all_messages_but_the_first),
        cmocka_unit_test(the_message_is_as_one_that_a_run_makes),
        cmocka_unit_test(a_new_certificate_is_learnt),
        cmocka_unit_test(a_changed_certificate_takes_the_place_of_the_old_one),
        cmocka_unit_test(the_same_certificate_twice_is_one_recipient),
        cmocka_unit_test(a_path_that_may_change_is_never_remembered),
        cmocka_unit_test(large_messages_have_a_run_of_their_own),
        cmocka_unit_test(R5_a_killed_gpg_is_replaced),
        cmocka_unit_test(R5_a_server_that_fails_costs_nothing_but_time),
        cmocka_unit_test(R5_success_without_the_words_or_the_bytes_is_none),
        cmocka_unit_test(R5_output_that_is_refused_is_not_made_twice),
        cmocka_unit_test(it_leaves_nothing_on_disk_and_no_process),
    };

    signal(SIGPIPE, SIG_IGN); /* as main does */
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
