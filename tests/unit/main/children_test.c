/* Processes of roles, for real: this program is what it starts, and then plays a role. */
#include "tests/unit/main/fixture.h"

#include <dirent.h>
#include <event2/event.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/memfile.h"
#include "gateway/main/children.h"
#include "gateway/main/spawn.h"

/* ---- the role that is played: how, the environment says; what happens is a line in the file DIARY ---- */

#define DIARY "ROLE_DIARY"

static void write_diary(const char *what, const char *role, const char *rest)
{
    char line[300];
    int n = snprintf(line, sizeof line, "%s %s %s\n", what, role, rest);
    int fd = open(getenv(DIARY), O_WRONLY | O_APPEND | O_CREAT, 0600);
    if (fd < 0 || write(fd, line, (size_t)n) != n)
        _exit(99);
    close(fd);
}

/* "3 4 5", all that is open. */
static void list_descriptors(char *out, size_t size)
{
    DIR *dir = opendir("/proc/self/fd");
    const struct dirent *entry;
    unsigned long open_ones = 0;
    while (dir && (entry = readdir(dir)))
        if (entry->d_name[0] != '.' && atoi(entry->d_name) != dirfd(dir) && atoi(entry->d_name) < 64)
            open_ones |= 1ul << atoi(entry->d_name);
    closedir(dir);
    size_t at = 0;
    out[0] = '\0';
    for (int fd = 3; fd < 64; fd++)
        if (open_ones & 1ul << fd)
            at += (size_t)snprintf(out + at, size - at, "%s%d", at ? " " : "", fd);
}

static _Noreturn void wait_for_term(const char *role, const char *index, const sigset_t *term)
{
    int signum;
    sigwait(term, &signum);
    write_diary("term", role, index);
    _exit(0);
}

/* Should the test be killed while a helper is there, nobody kills it. */
#define GRANDCHILD_SECONDS 120

static _Noreturn void play(char **argv)
{
    const char *role = argv[2], *index = argv[3];
    char name[64], pid[64], descriptors[200];
    sigset_t term;
    /* As every role does, so that a test that is killed leaves none behind. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (argv[4] && getppid() != atoi(argv[4]))
        _exit(0); /* it was killed before */
    snprintf(name, sizeof name, "PLAY_%s", role);
    const char *how = getenv(name) ? getenv(name) : "serve";
    snprintf(pid, sizeof pid, "%s %d", index, getpid());
    list_descriptors(descriptors, sizeof descriptors);
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, NULL);
    write_diary("fds", role, descriptors);
    if (strcmp(how, "stubborn") == 0)
        signal(SIGTERM, SIG_IGN), signal(SIGHUP, SIG_IGN), sigprocmask(SIG_UNBLOCK, &term, NULL);
    if (strcmp(how, "family") == 0 && fork() == 0) {
        snprintf(pid, sizeof pid, "%d", getpid());
        write_diary("grandchild", role, pid);
        alarm(GRANDCHILD_SECONDS);
        for (;;)
            pause();
    }
    write_diary("start", role, pid);
    if (strcmp(how, "crash") == 0)
        _exit(3);
    if (strcmp(how, "clean") == 0)
        _exit(0);
    if (strcmp(how, "stubborn") == 0)
        for (;;)
            pause();
    wait_for_term(role, index, &term);
}

/* ---- the supervisor's side ---- */

struct world {
    struct folder *folder;
    struct path diary;
    struct event_base *base;
    struct event *chld, *tick;
    struct services services;
    struct sockets sockets;
    int listeners[2];
    struct conf conf;
    int conf_fd;
    struct tickets *tickets;
    struct children *children;
    bool stopped;
    int log_fd; /* a memory file */
    struct log log;
};

static void on_chld(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct world *w = arg;
    if (w->children)
        children_reap(w->children);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what, (void)arg;
}

static void on_stopped(void *arg)
{
    struct world *w = arg;
    w->stopped = true;
}

static int world_open(void **state)
{
    static const char *const names[] = {"PLAY_keys", "PLAY_queue",   "PLAY_auth",     "PLAY_passwords",
                                        "PLAY_seal", "PLAY_control", "PLAY_delivery", "PLAY_submission"};
    static const struct timeval tick = {.tv_usec = 5000};
    struct world *w = calloc(1, sizeof *w);
    struct error err;
    void *folder;
    assert_int_equal(folder_make(&folder), 0);
    *w = (struct world){.folder = folder, .diary = path_of(folder, "diary"), .base = event_base_new()};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unsetenv(names[i]);
    setenv(DIARY, w->diary.text, 1);
    write_file(folder, "diary", "", 0600);
    assert_int_equal(services_open(&w->services, &err), STATUS_OK);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, w->listeners), 0);
    w->sockets = (struct sockets){.listeners = w->listeners, .n_listeners = 2, .control = dup(2)};
    assert_int_equal(memfile_from("configuration", span_str("text"), &w->conf_fd, &err), STATUS_OK);
    w->conf = (struct conf){.submission_processes = 1, .auth_workers = 1, .seal_workers = 2};
    w->chld = evsignal_new(w->base, SIGCHLD, on_chld, w);
    w->tick = event_new(w->base, -1, EV_PERSIST, on_tick, w);
    assert_int_equal(event_add(w->chld, NULL) | event_add(w->tick, &tick), 0);
    assert_int_equal(tickets_open(3600000, &w->tickets, &err), STATUS_OK);
    assert_int_equal(memfile_create("log", &w->log_fd, &err), STATUS_OK);
    w->log = (struct log){.fd = w->log_fd, .level = LOG_LEVEL_ERROR, .role = "supervisor"};
    struct children_settings settings = {.log = &w->log, .services = &w->services, .tickets = w->tickets};
    assert_int_equal(children_open(w->base, &settings, &w->children, &err), STATUS_OK);
    *state = w;
    alarm(60);
    return 0;
}

static int world_close(void **state)
{
    struct world *w = *state;
    void *folder = w->folder;
    if (w->children)
        children_close(w->children);
    while (waitpid(-1, NULL, 0) > 0)
        ;
    tickets_close(w->tickets);
    event_free(w->chld);
    event_free(w->tick);
    event_base_free(w->base);
    for (int i = 0; i < SERVICES; i++) {
        close(w->services.fds[i][0]);
        close(w->services.fds[i][1]);
    }
    close(w->listeners[0]);
    close(w->listeners[1]);
    close(w->sockets.control);
    close(w->conf_fd);
    close(w->log_fd);
    free(w);
    alarm(0);
    return folder_remove(&folder);
}

static void configure(struct world *w)
{
    children_configure(w->children, &w->conf, w->conf_fd, &w->sockets);
}

/* One turn: until something happened, at the latest at the next tick. The alarm ends a test that hangs. */
static void turn(struct world *w)
{
    assert_int_equal(event_base_loop(w->base, EVLOOP_ONCE), 0);
}

/* The diary; free it. */
static char *read_diary(const struct world *w)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = fopen(w->diary.text, "r");
    assert_non_null(file);
    if (getdelim(&text, &size, '\0', file) < 0) {
        free(text);
        text = strdup("");
    }
    fclose(file);
    return text;
}

/* How many lines begin with START. */
static unsigned count(const struct world *w, const char *start)
{
    char *diary = read_diary(w);
    unsigned n = 0;
    for (const char *line = diary; line && *line;) {
        n += strncmp(line, start, strlen(start)) == 0;
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    free(diary);
    return n;
}

static void await(struct world *w, const char *start, unsigned n)
{
    while (count(w, start) < n)
        turn(w);
}

struct tally {
    const char *role;
    unsigned n, running, restarts, index_max;
    pid_t pid; /* of the last */
};

static void add_to_tally(void *arg, const struct child_info *info)
{
    struct tally *t = arg;
    if (strcmp(info->role, t->role) != 0)
        return;
    t->n++;
    t->running += info->pid != 0;
    t->restarts += info->restarts;
    t->index_max = info->index > t->index_max ? info->index : t->index_max;
    t->pid = info->pid;
    assert_true(info->started_ms > 0);
}

static struct tally tally(const struct world *w, const char *role)
{
    struct tally t = {.role = role};
    children_each(w->children, add_to_tally, &t);
    return t;
}

/* All of the first configuration run and listen to SIGTERM. */
static void start_all(struct world *w)
{
    configure(w);
    await(w, "start ", 9);
}

/* ---- tests ---- */

static void each_role_finds_its_descriptors_and_no_others(void **state)
{
    struct world *w = *state;
    start_all(w);
    /* Configuration, ports, then the control socket, or session tickets and the two listeners. */
    assert_int_equal(count(w, "fds keys 3 4 5\n"), 1);
    assert_int_equal(count(w, "fds queue 3 4 5 6 7 8 9\n"), 1);
    assert_int_equal(count(w, "fds auth 3 4 5 6\n"), 1);
    assert_int_equal(count(w, "fds passwords 3 4\n"), 1);
    assert_int_equal(count(w, "fds seal 3 4 5 6\n"), 2);
    assert_int_equal(count(w, "fds delivery 3 4 5 6\n"), 1);
    assert_int_equal(count(w, "fds control 3 4 5 6 7 8 9 10\n"), 1);
    assert_int_equal(count(w, "fds submission 3 4 5 6 7 8 9 10\n"), 1);
    assert_int_equal(count(w, "start seal 0 "), 1);
    assert_int_equal(count(w, "start seal 1 "), 1);
    assert_int_equal(tally(w, "seal").running, 2);
}

static void a_role_that_crashes_comes_back_with_growing_pauses(void **state)
{
    struct world *w = *state;
    setenv("PLAY_queue", "crash", 1);
    int64_t begin = clock_mono_ms();
    configure(w);
    await(w, "start queue ", 5);
    /* 20 + 40 + 80 + 160 ms between the five. */
    assert_true(clock_mono_ms() - begin >= 290);
    assert_true(tally(w, "queue").restarts >= 4);
    assert_int_equal(tally(w, "queue").n, 1);
    assert_int_equal(tally(w, "keys").restarts, 0);

    setenv("PLAY_queue", "serve", 1);
    await(w, "fds queue ", count(w, "fds queue ") + 1);
    while (!tally(w, "queue").running)
        turn(w);
    assert_true(tally(w, "queue").restarts >= 5);
}

static void a_killed_role_is_replaced_under_its_number(void **state)
{
    struct world *w = *state;
    start_all(w);
    pid_t old = tally(w, "delivery").pid;
    kill(old, SIGKILL);
    await(w, "start delivery 0 ", 2);
    assert_int_equal(tally(w, "delivery").restarts, 1);
    assert_int_not_equal(tally(w, "delivery").pid, old);
    assert_int_equal(tally(w, "delivery").n, 1);
}

/* A worker that did its number of jobs. */
static void a_clean_end_is_no_crash_but_starts_anew(void **state)
{
    struct world *w = *state;
    setenv("PLAY_auth", "clean", 1);
    configure(w);
    await(w, "start auth 0 ", 3);
    assert_int_equal(tally(w, "auth").restarts, 0);
}

static void fewer_processes_on_reload_leave_and_more_come(void **state)
{
    struct world *w = *state;
    start_all(w);
    w->conf.seal_workers = 1;
    w->conf.auth_workers = 3;
    configure(w);
    await(w, "term seal ", 2);
    await(w, "start seal 0 ", 2);
    await(w, "start passwords ", 4);
    while (tally(w, "seal").n > 1)
        turn(w);
    assert_int_equal(tally(w, "seal").index_max, 0);
    assert_int_equal(tally(w, "passwords").n, 3);
    assert_int_equal(tally(w, "passwords").index_max, 2);
    assert_int_equal(count(w, "start seal 1 "), 1);
    assert_int_equal(tally(w, "seal").restarts + tally(w, "passwords").restarts + tally(w, "keys").restarts,
                     0);
}

/* One that waits to be started anew must not come back behind the reload that dismissed it. */
static void a_dismissed_process_that_is_down_stays_down(void **state)
{
    struct world *w = *state;
    setenv("PLAY_seal", "crash", 1);
    configure(w);
    while (tally(w, "seal").restarts < 8 || tally(w, "seal").running > 0)
        turn(w);
    w->conf.seal_workers = 1;
    setenv("PLAY_seal", "serve", 1);
    unsigned seen = count(w, "start seal 1 ");
    configure(w);
    assert_int_equal(tally(w, "seal").n, 1);
    unsigned first = count(w, "start seal 0 ");
    await(w, "start seal 0 ", first + 1);
    kill(tally(w, "seal").pid, SIGTERM); /* and once more round, longer than the other one's pause */
    await(w, "start seal 0 ", first + 2);
    assert_int_equal(count(w, "start seal 1 "), seen);
}

/* submission's successor is there before the old one has left. */
static void the_doors_never_close_on_reload(void **state)
{
    struct world *w = *state;
    setenv("PLAY_submission", "stubborn", 1);
    start_all(w);
    pid_t old = tally(w, "submission").pid;
    configure(w);
    await(w, "start submission ", 2);
    assert_int_equal(tally(w, "submission").running, 2);
    assert_int_equal(kill(old, 0), 0);
    kill(old, SIGKILL);
    while (tally(w, "submission").n > 1)
        turn(w);
    assert_int_not_equal(tally(w, "submission").pid, old);
    assert_int_equal(count(w, "start submission "), 2);
    /* It had sessions, which are lost: not for nobody to hear of. */
    char log[1000] = "";
    assert_true(pread(w->log_fd, log, sizeof log - 1, 0) >= 0);
    assert_non_null(strstr(log, "event=died process=submission"));
}

/* Position of the first line that begins with START, counted in lines; of the last one with LAST. */
static int line_of(const char *diary, const char *start, bool last)
{
    int at = 0, found = -1;
    for (const char *line = diary; line && *line; at++) {
        if (strncmp(line, start, strlen(start)) == 0 && (last || found < 0))
            found = at;
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    return found;
}

static void ranks_stop_one_after_the_other(void **state)
{
    static const struct {
        const char *earlier, *later;
    } order[] = {
        {"term submission", "term seal"}, {"term submission", "term delivery"},
        {"term control", "term seal"},    {"term control", "term delivery"},
        {"term seal", "term keys"},       {"term delivery", "term auth"},
        {"term delivery", "term queue"},  {"term queue", "term keys"},
        {"term seal", "term queue"},      {"term auth", "term passwords"},
    };
    struct world *w = *state;
    start_all(w);
    children_stop(w->children, 30000, on_stopped, w);
    children_stop(w->children, 1, on_stopped, w); /* a second SIGTERM changes nothing */
    while (!w->stopped)
        turn(w);
    char *diary = read_diary(w);
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        int earlier = line_of(diary, order[i].earlier, true), later = line_of(diary, order[i].later, false);
        if (earlier < 0 || later < 0 || earlier > later)
            fail_msg("%s (%d), %s (%d):\n%s", order[i].earlier, earlier, order[i].later, later, diary);
    }
    free(diary);
    assert_int_equal(count(w, "term "), 9);
    assert_int_equal(count(w, "start "), 9);
}

static void what_does_not_leave_is_killed_after_the_grace(void **state)
{
    struct world *w = *state;
    setenv("PLAY_seal", "stubborn", 1);
    setenv("PLAY_submission", "stubborn", 1);
    start_all(w);
    pid_t stubborn = tally(w, "submission").pid;
    int64_t begin = clock_mono_ms();
    children_stop(w->children, 200, on_stopped, w);
    while (!w->stopped)
        turn(w);
    assert_true(clock_mono_ms() - begin >= 190);
    assert_int_not_equal(kill(stubborn, 0), 0);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void a_reload_while_stopping_starts_nothing(void **state)
{
    struct world *w = *state;
    setenv("PLAY_submission", "stubborn", 1);
    start_all(w);
    children_stop(w->children, 300, on_stopped, w);
    w->conf.auth_workers = 5;
    configure(w);
    assert_int_equal(tally(w, "submission").n, 1);
    assert_int_equal(tally(w, "passwords").n, 1);
    while (!w->stopped)
        turn(w);
    assert_int_equal(count(w, "start "), 9);
}

/* gpg of a worker that is killed must not live on. */
static void what_a_role_started_dies_with_it(void **state)
{
    struct world *w = *state;
    setenv("PLAY_seal", "family", 1);
    w->conf.seal_workers = 1;
    configure(w);
    await(w, "start seal ", 1);
    await(w, "grandchild seal ", 1);
    char *diary = read_diary(w);
    pid_t grandchild = atoi(strstr(diary, "grandchild seal ") + strlen("grandchild seal "));
    free(diary);
    assert_true(grandchild > 0);
    assert_int_equal(kill(grandchild, 0), 0);
    assert_int_equal(getpgid(grandchild), tally(w, "seal").pid);
    setenv("PLAY_seal", "serve", 1);
    kill(tally(w, "seal").pid, SIGKILL);
    /* Orphans come to this process, which takes them up. */
    while (kill(grandchild, 0) == 0)
        turn(w);
    await(w, "start seal ", 2);
}

static void on_signal(evutil_socket_t signum, short what, void *arg)
{
    (void)signum, (void)what;
    ++*(unsigned *)arg;
}

/* libevent's handler in a child that has not executed yet would write to the parent's loop. */
static void a_signal_to_a_role_that_just_began_is_not_the_supervisors(void **state)
{
    struct world *w = *state;
    unsigned terms = 0, hups = 0;
    struct event *term = evsignal_new(w->base, SIGTERM, on_signal, &terms);
    struct event *hup = evsignal_new(w->base, SIGHUP, on_signal, &hups);
    assert_int_equal(event_add(term, NULL) | event_add(hup, NULL), 0);
    struct spawn spawn = {
        .role = role_find("auth"), .conf_fd = w->conf_fd, .services = &w->services, .sockets = &w->sockets};
    for (int i = 0; i < 200; i++) {
        struct error err;
        pid_t pid;
        assert_int_equal(spawn_role(&spawn, &pid, &err), STATUS_OK);
        /* From its first moment until it ends. */
        while (waitpid(pid, NULL, WNOHANG) == 0)
            kill(pid, i % 2 ? SIGTERM : SIGHUP);
    }
    assert_int_equal(event_base_loop(w->base, EVLOOP_NONBLOCK), 0);
    assert_int_equal(event_base_loop(w->base, EVLOOP_NONBLOCK), 0);
    assert_int_equal(terms + hups, 0);
    event_free(term);
    event_free(hup);
}

static void more_listeners_than_descriptors_are_refused(void **state)
{
    struct world *w = *state;
    int many[100];
    for (size_t i = 0; i < 100; i++)
        many[i] = w->listeners[0];
    struct sockets sockets = {.listeners = many, .n_listeners = 100, .control = w->sockets.control};
    struct spawn spawn = {.role = role_find("submission"),
                          .conf_fd = w->conf_fd,
                          .services = &w->services,
                          .sockets = &sockets,
                          .tickets = w->tickets};
    struct error err;
    pid_t pid;
    assert_int_equal(spawn_role(&spawn, &pid, &err), STATUS_INVALID);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)

int main(int argc, char **argv)
{
    if (argc >= 5 && strcmp(argv[1], "--role") == 0)
        play(argv);
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    const struct CMUnitTest tests[] = {
        TEST(each_role_finds_its_descriptors_and_no_others),
        TEST(a_role_that_crashes_comes_back_with_growing_pauses),
        TEST(a_killed_role_is_replaced_under_its_number),
        TEST(a_clean_end_is_no_crash_but_starts_anew),
        TEST(fewer_processes_on_reload_leave_and_more_come),
        TEST(a_dismissed_process_that_is_down_stays_down),
        TEST(the_doors_never_close_on_reload),
        TEST(ranks_stop_one_after_the_other),
        TEST(what_does_not_leave_is_killed_after_the_grace),
        TEST(a_reload_while_stopping_starts_nothing),
        TEST(what_a_role_started_dies_with_it),
        TEST(a_signal_to_a_role_that_just_began_is_not_the_supervisors),
        TEST(more_listeners_than_descriptors_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
