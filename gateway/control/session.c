#include "gateway/control/session.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/control/verbs.h"
#include "gateway/jobs/control_job.h"
#include "gateway/net/conn.h"

/* A whole request must arrive, and the client read its answers, within this. */
#define SESSION_MS 120000
#define ANSWER_MAX (256u << 20)

struct session {
    struct event_base *base;
    const struct control_settings *settings;
    struct conn *conn; /* NULL: the client is gone, an answer is still to come */
    bool busy;
    bool last; /* the next answer ends the connection */
};

static void end_when_idle(struct session *s)
{
    if (!s->conn && !s->busy)
        free(s);
}

/* No line end within the bound: nothing behind it can be understood (A25). */
static void refuse_endless(struct session *s)
{
    struct error err;
    error_set(&err, STATUS_LIMIT, "a request is over the limit of %u bytes", CONTROL_REQUEST_MAX);
    log_error(s->settings->log, LOG_LEVEL_WARNING, "control-garbage", NULL, &err);
    s->last = true;
    control_session_answer_error(s, &err);
}

static void take_line(struct session *s)
{
    struct span input = conn_input(s->conn);
    const char *end = input.len > 0 ? memchr(input.p, '\n', input.len) : NULL;
    struct error err;
    if (!end && input.len > CONTROL_REQUEST_MAX)
        refuse_endless(s);
    if (!end)
        return;
    size_t len = (size_t)(end - input.p);
    json_t *request = control_request_parse(span_of(input.p, len), &err);
    conn_consume(s->conn, len + 1);
    s->busy = true;
    conn_pause(s->conn);
    if (!request) {
        log_error(s->settings->log, LOG_LEVEL_WARNING, "control-garbage", NULL, &err);
        control_session_answer_error(s, &err);
        return;
    }
    verbs_do(s, request);
    json_decref(request);
}

static void on_data(void *arg, struct conn *conn)
{
    (void)conn;
    struct session *s = arg;
    if (!s->busy)
        take_line(s);
}

/* Nothing waits for output to drain. */
static void on_drained(void *arg, struct conn *conn)
{
    (void)arg, (void)conn;
}

static void on_deadline(void *arg, struct conn *conn)
{
    struct session *s = arg;
    conn_close(conn);
    s->conn = NULL;
    end_when_idle(s);
}

static void on_end(void *arg, struct conn *conn, const struct error *why)
{
    (void)conn, (void)why;
    struct session *s = arg;
    s->conn = NULL;
    end_when_idle(s);
}

static const struct conn_handler handler = {
    .on_data = on_data, .on_drained = on_drained, .on_deadline = on_deadline, .on_end = on_end};

static bool may_speak(int fd, const struct log *log)
{
    struct ucred peer;
    socklen_t len = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
        return false;
    if (peer.uid == 0 || peer.uid == geteuid())
        return true;
    struct log_line line;
    log_start(&line, log, LOG_LEVEL_WARNING, "control-refused");
    log_int(&line, "uid", peer.uid);
    log_end(&line);
    return false;
}

void control_session_start(struct event_base *base, const struct control_settings *settings, int fd)
{
    struct conn_limits limits = {.input_max = CONTROL_REQUEST_MAX + 1, .output_max = ANSWER_MAX};
    struct error err;
    struct session *s = may_speak(fd, settings->log) ? calloc(1, sizeof *s) : NULL;
    if (!s) {
        close(fd);
        return;
    }
    *s = (struct session){.base = base, .settings = settings};
    s->conn = conn_accepted(base, fd, NULL, &handler, s, limits, &err);
    if (!s->conn) {
        free(s);
        return;
    }
    conn_deadline(s->conn, SESSION_MS);
}

void control_session_answer(struct session *session, json_t *object)
{
    char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
    session->busy = false;
    if (session->conn && text) {
        conn_write(session->conn, span_str(text));
        conn_write(session->conn, span_str("\n"));
        if (!session->last) {
            conn_resume(session->conn);
        } else {
            conn_close(session->conn);
            session->conn = NULL;
        }
    } else if (session->conn) {
        conn_abort(session->conn);
        session->conn = NULL;
    }
    free(text);
    json_decref(object);
    end_when_idle(session);
}

void control_session_answer_error(struct session *session, const struct error *err)
{
    control_session_answer(session, json_pack("{s:b, s:s, s:o}", "ok", 0, "class", status_word(err->status),
                                              "error", control_text(err->text)));
}

struct event_base *control_session_base(struct session *session)
{
    return session->base;
}

const struct control_settings *control_session_settings(struct session *session)
{
    return session->settings;
}
