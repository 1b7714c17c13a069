#include <stdlib.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "gateway/jobs/queue_job.h"
#include "gateway/seal/job.h"

enum status seal_open(const struct seal_settings *settings, struct seal *seal_out, struct error *err)
{
    const struct pgp_engine_settings pgp = {.gpg_path = settings->gpg_path, .home = settings->gpg_home};
    *seal_out = (struct seal){.settings = settings};
    enum status st = pgp_engine_open(&pgp, &seal_out->engine, err);
    if (st != STATUS_OK)
        return st;
    st = seal_certfiles_open(settings->gpg_home, &seal_out->certfiles, err);
    if (st == STATUS_OK) {
        seal_out->signers = calloc(1, sizeof *seal_out->signers);
        st = seal_out->signers ? seal_signers_open(settings, seal_out->signers, err)
                               : error_set(err, STATUS_TEMPORARY, "out of memory for the keys to sign with");
    }
    seal_out->parsed = smime_parsed_new();
    if (st == STATUS_OK && !seal_out->parsed)
        st = error_set(err, STATUS_TEMPORARY, "out of memory for certificates");
    if (st != STATUS_OK)
        seal_close(seal_out);
    return st;
}

void seal_close(struct seal *seal)
{
    if (seal->signers)
        seal_signers_close(seal->signers);
    free(seal->signers);
    seal->signers = NULL;
    smime_parsed_free(seal->parsed);
    seal->parsed = NULL;
    pgp_engine_close(seal->engine);
    seal->engine = NULL;
}

/* A gpg that hangs must not hang the start either: SIGALRM ends the process, as it does in a job. */
static void set_alarm(int64_t ms)
{
    struct itimerval it = {.it_value = {.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000}};
    setitimer(ITIMER_REAL, &it, NULL);
}

static void on_job(void *arg, struct request *request)
{
    const struct seal *seal = arg;
    struct error err;
    switch (request->msg.type) {
    case SUBMIT_MESSAGE:
        seal_submit(seal, request);
        return;
    case QUEUE_RELEASE:
        seal_release(seal, request);
        return;
    default:
        /* The caller sees its reply descriptor close. */
        error_set(&err, STATUS_INTERNAL, "a request of type %u is not for seal", (unsigned)request->msg.type);
        log_error(seal->settings->log, LOG_LEVEL_ERROR, "request-unknown", NULL, &err);
    }
}

/* Aside, in a process that nobody waits for: an agent or token that hangs must not keep mail that it has
 * nothing to do with. The supervisor reaps it. */
static void check_signers(const struct seal *seal)
{
    pid_t pid = fork();
    if (pid == 0) {
        if (fork() == 0) {
            set_alarm(seal->settings->worker.deadline_ms);
            seal_signers_check(seal->signers);
        }
        _exit(0);
    }
    if (pid > 0)
        waitpid(pid, NULL, 0);
}

/* From here on it takes jobs. */
static void log_ready(const struct log *log)
{
    struct log_line line;
    log_start(&line, log, LOG_LEVEL_INFO, "ready");
    log_int(&line, "pid", getpid());
    log_end(&line);
}

int seal_run(const struct seal_settings *settings)
{
    struct seal seal;
    struct error err;
    set_alarm(settings->worker.deadline_ms);
    enum status st = seal_open(settings, &seal, &err);
    if (st == STATUS_OK)
        st = seal_probe_with(&seal, &err);
    set_alarm(0);
    if (st != STATUS_OK) {
        log_error(settings->log, LOG_LEVEL_ERROR, "probe-failed", settings->gpg_path, &err);
        seal_close(&seal);
        return EX_SOFTWARE;
    }
    message_inspect_start();
    check_signers(&seal);
    log_ready(settings->log);
    int code = worker_run(&settings->worker, on_job, &seal);
    seal_close(&seal);
    return code;
}
