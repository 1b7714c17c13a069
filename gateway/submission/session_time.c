/* The one deadline of a session: what it waits for decides when it is over (A18). */
#include "base/clock.h"
#include "gateway/submission/identity.h"
#include "gateway/submission/session.h"

/* A message may take a second longer for each so many bytes: 10 minutes and 54 for 50 MB. */
#define DATA_BYTES_PER_SECOND 16384

static const struct submission_limits *limits(const struct session *s)
{
    return &s->server->settings->limits;
}

void session_set_deadline(struct session *s, int64_t ms)
{
    if (!identity_is_known(s)) {
        int64_t left = s->auth_by - clock_mono_ms();
        if (left < 1)
            left = 1;
        if (ms == 0 || left < ms)
            ms = left;
    }
    conn_deadline(s->conn, ms);
}

/* Until then the message in hand must be there (monotonic ms). */
static int64_t data_by(const struct session *s)
{
    int64_t allowance = (int64_t)(s->data.size / DATA_BYTES_PER_SECOND) * 1000;
    if (s->data.failed != STATUS_OK)
        allowance = 0;
    return s->data_since + limits(s)->data_ms + allowance;
}

static int64_t data_time_left(const struct session *s)
{
    int64_t left = data_by(s) - clock_mono_ms();
    return left > 0 ? left : 1;
}

static bool is_amid_data(const struct session *s)
{
    return s->phase == SESSION_DATA || s->phase == SESSION_CHUNK || s->chunks.begun;
}

bool session_is_late(const struct session *s)
{
    if (s->call || s->phase < SESSION_COMMAND || s->phase == SESSION_OVER)
        return false;
    int64_t now = clock_mono_ms();
    return (!identity_is_known(s) && s->auth_by <= now) || (is_amid_data(s) && data_by(s) <= now);
}

/* Between two chunks, the whole message's time is running. */
static int64_t command_time(const struct session *s)
{
    int64_t ms = limits(s)->command_ms;
    int64_t left = s->chunks.begun ? data_time_left(s) : ms;
    return left < ms ? left : ms;
}

void session_update_deadline(struct session *s)
{
    if (s->call)
        session_set_deadline(s, 0); /* the call has limits of its own */
    else if (s->phase == SESSION_DATA || s->phase == SESSION_CHUNK)
        session_set_deadline(s, data_time_left(s));
    else if (s->rearm && s->phase >= SESSION_COMMAND)
        session_set_deadline(s, command_time(s));
    s->rearm = false;
}
