/*
 * The people (people.h), a keys role of ours, and a seal worker in a process of its own. The test itself is
 * submission and queue (talk.h).
 */
#ifndef SEALGATE_TESTS_UNIT_SEAL_WORLD_H
#define SEALGATE_TESTS_UNIT_SEAL_WORLD_H

#include "tests/unit/seal/people.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

/* ---- the keys role ---- */

static inline void keys_answer_one(const struct world *w, const char *address, struct certificate *room,
                                   struct keys_answer *answer)
{
    *answer = (struct keys_answer){.state = LOOKUP_DONE};
    if (w->keys->mode == KEYS_FAILED) {
        answer->state = LOOKUP_FAILED;
        snprintf(answer->why, sizeof answer->why, "database is locked");
        return;
    }
    for (size_t i = 0; i < PEOPLE; i++) {
        if (strcasecmp(address, people[i].address) != 0 || w->keys->unknown[i])
            continue;
        *room = w->certificates[i];
        if (w->keys->unusable[i]) {
            room->usable = false;
            snprintf(room->reason, sizeof room->reason, "expired on 2024-05-01");
        }
        answer->list = (struct certificate_list){.items = room, .n = 1};
    }
}

static inline void keys_reply(const struct world *w, struct request *request)
{
    struct keys_lookup lookup;
    struct error err;
    struct buf body;
    if (keys_lookup_unpack(buf_span(&request->msg.body), &lookup, &err) != STATUS_OK || !lookup.with_bytes)
        _exit(3);
    struct keys_answer *answers = calloc(lookup.n, sizeof *answers);
    struct certificate *room = calloc(lookup.n, sizeof *room);
    for (size_t i = 0; i < lookup.n; i++)
        keys_answer_one(w, lookup.addresses[i], &room[i], &answers[i]);
    struct keys_found found = {.answers = answers,
                               .n = w->keys->mode == KEYS_FEWER ? lookup.n - 1 : lookup.n};
    buf_init(&body, IPC_BODY_MAX);
    keys_found_pack(&body, &found, true);
    if (w->keys->mode == KEYS_GARBAGE)
        body.len -= 3;
    uint32_t type = w->keys->mode == KEYS_OTHER ? 99 : KEYS_FOUND;
    if (request_reply(request, type, buf_span(&body), NULL, 0, &err) != STATUS_OK)
        _exit(4);
    buf_free(&body);
    free(answers);
    free(room);
    keys_lookup_free(&lookup);
}

static inline void keys_role(const struct world *w)
{
    struct ipc_msg msg;
    struct request request;
    struct error err;
    while (ipc_recv(w->lookup[1], &msg, &err) == STATUS_OK) {
        if (request_take(&msg, &request, &err) != STATUS_OK)
            continue;
        enum keys_mode mode = w->keys->mode;
        if (mode == KEYS_SILENT)
            continue; /* the reply descriptor stays open */
        if (mode != KEYS_DROPPED)
            keys_reply(w, &request);
        request_free(&request);
    }
    _exit(0);
}

static inline void world_start_keys(struct world *w)
{
    fflush(NULL);
    w->keys_pid = fork();
    assert_true(w->keys_pid >= 0);
    if (w->keys_pid == 0)
        keys_role(w);
}

static inline void world_end_keys(struct world *w)
{
    if (w->keys_pid > 0) {
        kill(w->keys_pid, SIGKILL);
        waitpid(w->keys_pid, NULL, 0);
    }
    w->keys_pid = 0;
}

/* Brings the keys role into MODE. */
static inline void world_set_keys(struct world *w, enum keys_mode mode)
{
    world_end_keys(w);
    w->keys->mode = mode;
    if (mode != KEYS_NOBODY)
        world_start_keys(w);
}

/* ---- rules: the recipient's address says which one decides ---- */

static const char *const never_to[] = {"*never@example.org"};
static const char *const prefer_to[] = {"*prefer@example.org"};
static const char *const refuse_to[] = {"*refuse@example.org"};
static const char *const bounce_to[] = {"*bounce@example.org"};
static const char *const secret_subject[] = {"[never]"};
static const char *const crm[] = {"crm"};

#define WORLD_FORMATS .formats = {CERTIFICATE_OPENPGP, CERTIFICATE_SMIME}, .n_formats = 2

static const struct policy_rule world_rules[] = {
    {.name = "never", .recipients = never_to, .n_recipients = 1, .protect = PROTECT_NEVER, WORLD_FORMATS},
    {.name = "by-subject",
     .subjects = secret_subject,
     .n_subjects = 1,
     .protect = PROTECT_NEVER,
     WORLD_FORMATS},
    {.name = "by-client",
     .clients = crm,
     .n_clients = 1,
     .protect = PROTECT_REQUIRE,
     .on_missing_key = MISSING_HOLD,
     WORLD_FORMATS},
    {.name = "prefer", .recipients = prefer_to, .n_recipients = 1, .protect = PROTECT_PREFER, WORLD_FORMATS},
    {.name = "refuse",
     .recipients = refuse_to,
     .n_recipients = 1,
     .protect = PROTECT_REQUIRE,
     .on_missing_key = MISSING_REFUSE,
     WORLD_FORMATS},
    {.name = "bounce",
     .recipients = bounce_to,
     .n_recipients = 1,
     .protect = PROTECT_REQUIRE,
     .on_missing_key = MISSING_BOUNCE,
     WORLD_FORMATS},
    {.name = "default", .protect = PROTECT_REQUIRE, .on_missing_key = MISSING_HOLD, WORLD_FORMATS},
};
static const struct policy_settings world_policy = {.rules = world_rules,
                                                    .n_rules = sizeof world_rules / sizeof *world_rules};

/* ---- the world ---- */

/* A gpg that does as the file "gpg-does" says, and as gpg does without it. */
static inline void world_make_gpg(struct world *w)
{
    char text[2000];
    snprintf(w->gpg_path, sizeof w->gpg_path, "%s/gpg", w->dir);
    snprintf(text, sizeof text,
             "#!/bin/bash\n"
             "case \"$*\" in *--version*) exec /usr/bin/gpg \"$@\";; esac\n"
             "case \"$(cat %s/gpg-does 2>/dev/null)\" in\n"
             "nothing) cat > /dev/null; exit 0;;\n"
             "nothing-unread) exit 0;;\n"
             "fail) exit 2;;\n"
             "cut) /usr/bin/gpg \"$@\" | head -c 200; exit 0;;\n"
             "stop) kill -STOP $$;;\n"
             "die) kill -KILL $$;;\n"
             "clear) for a in \"$@\"; do case \"$a\" in -\\&*) cat <&${a#-&};; esac; done; exit 0;;\n"
             "other) args=(); for a in \"$@\"; do case \"$a\" in */certificates/*) "
             "a=%s/olga.cert;; esac; args+=(\"$a\"); done; exec /usr/bin/gpg \"${args[@]}\";;\n"
             "more) exec /usr/bin/gpg -f %s/olga.cert \"$@\";;\n"
             "*) exec /usr/bin/gpg \"$@\";;\n"
             "esac\n",
             w->dir, w->dir, w->dir);
    world_write(w, "gpg", span_str(text));
    assert_true(world_shell(w, "chmod 755 gpg"));
}

static inline void world_gpg_does(const struct world *w, const char *what)
{
    world_write(w, "gpg-does", span_str(what));
}

static inline void world_settings(struct world *w)
{
    snprintf(w->gpg_home, sizeof w->gpg_home, "%s/w", w->dir);
    w->log = (struct log){.fd = w->log_fd, .level = LOG_LEVEL_DEBUG, .role = "seal"};
    w->settings = (struct seal_settings){
        .log = &w->log,
        .hostname = "mail.example.org",
        .policy = &world_policy,
        .notice_rule = policy_notice_rule(&world_policy, PROTECT_PREFER),
        .prescan = {.header_max = 1u << 18,
                    .parts_max = 1000,
                    .depth_max = 100,
                    .field_max = 1u << 18,
                    .fields_max = 1000},
        .message_max = 20u << 20,
        .gpg_path = w->gpg_path,
        .gpg_home = w->gpg_home,
        .keys_service = w->lookup[0],
        .queue_service = w->queue[0],
        .keys_ms = 10000,
        .worker = {.service_fd = w->seal[1], .deadline_ms = 60000, .cpu_ms = 60000, .jobs_max = 10000},
    };
    memset(&w->settings.spool_key, 0x5a, sizeof w->settings.spool_key);
}

/* Folder, keys, settings and services; the keys role runs, the worker does not yet. */
static inline void world_make(struct world *w)
{
    struct error err;
    char path[100];
    *w = (struct world){0};
    signal(SIGPIPE, SIG_IGN);
    snprintf(w->dir, sizeof w->dir, "/tmp/sgs.XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    world_make_keys(w);
    world_load_certificates(w);
    world_make_gpg(w);
    snprintf(path, sizeof path, "%s/log", w->dir);
    FILE *log = fopen(path, "ae");
    assert_non_null(log);
    w->log_fd = dup(fileno(log));
    fclose(log);
    w->keys = mmap(NULL, sizeof *w->keys, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(w->keys != MAP_FAILED);
    assert_int_equal(ipc_pair(w->seal, &err), STATUS_OK);
    assert_int_equal(ipc_pair(w->lookup, &err), STATUS_OK);
    assert_int_equal(ipc_pair(w->queue, &err), STATUS_OK);
    world_settings(w);
    world_start_keys(w);
}

/* Starts the worker, leader of a process group of its own. */
static inline void world_start(struct world *w)
{
    fflush(NULL);
    w->worker = fork();
    assert_true(w->worker >= 0);
    if (w->worker == 0) {
        setpgid(0, 0);
        exit(seal_run(&w->settings));
    }
    setpgid(w->worker, w->worker);
}

/* Kills the worker, if there is one, and what it started. */
static inline int world_kill(struct world *w)
{
    int status = -1;
    if (w->worker <= 0)
        return status;
    kill(-w->worker, SIGKILL);
    while (waitpid(w->worker, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    w->worker = 0;
    return status;
}

/* Waits for a worker that ends by itself, kills what it left behind, and returns waitpid's status. */
static inline int world_wait(struct world *w)
{
    siginfo_t info;
    struct pollfd p = {.fd = pidfd_open(w->worker, 0), .events = POLLIN};
    assert_true(p.fd >= 0);
    assert_int_equal(poll(&p, 1, WORLD_WAIT_MS), 1);
    close(p.fd);
    /* It stays a zombie until its group is killed, so that the number is not another's by then. */
    assert_int_equal(waitid(P_PID, (id_t)w->worker, &info, WEXITED | WNOWAIT), 0);
    return world_kill(w);
}

static inline int world_end(struct world *w)
{
    kill(w->worker, SIGTERM);
    return world_wait(w);
}

static inline void world_free(struct world *w)
{
    world_kill(w);
    world_end_keys(w);
    for (size_t i = 0; i < PEOPLE; i++)
        buf_free(&w->certificates[i].bytes);
    for (size_t i = 0; i < 2; i++) {
        close(w->seal[i]);
        close(w->lookup[i]);
        close(w->queue[i]);
    }
    close(w->log_fd);
    munmap(w->keys, sizeof *w->keys);
    assert_true(world_shell(w, "for h in g/*; do gpgconf --homedir $PWD/$h --kill all; done; cd /; rm -rf %s",
                            w->dir));
}

#endif
