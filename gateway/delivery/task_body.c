/* The message of a task: opened, unlocked, looked over once. */
#include <string.h>

#include "base/ipc.h"
#include "base/memfile.h"
#include "gateway/delivery/task_private.h"
#include "gateway/message/header.h"
#include "gateway/message/tls_required.h"
#include "gateway/wire/dot_stuff.h"

static bool is_eight_bit(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.p[i] >= 0x80)
            return true;
    return false;
}

/* RFC 6531 §3.4: only what really holds international text needs a host that knows it. The recipients'
 * addresses are looked at one by one (prepare_recipient). */
static bool needs_smtputf8(const struct task *task)
{
    struct message_parts parts;
    if (is_eight_bit(span_str(task->lease.reverse_path)))
        return true;
    if (!task->lease.smtputf8)
        return false;
    message_split(task->mail.message, &parts);
    return is_eight_bit(parts.header);
}

static enum status open_body(struct task *task, int body_fd, struct error *err)
{
    if (body_fd < 0)
        return error_set(err, STATUS_INTERNAL, "the lease came without a body");
    enum status st = memfile_map(body_fd, IPC_BODY_MAX, &task->mapped, err);
    if (st != STATUS_OK || !task->lease.locked)
        return st;
    return spool_unlock(&task->all->settings->spool_key, task->lease.message_id, task->mapped, &task->clear,
                        err);
}

/* Only what a rule let go in clear or what was sealed may leave, or be shown of in a report; seen here last,
 * whoever should have seen it before. */
static bool may_leave(const struct queue_lease *lease)
{
    bool waits = lease->state == COPY_QUEUED || lease->state == COPY_DELAYED;
    return waits && (lease->format == FORMAT_CLEAR || lease->format == FORMAT_OPENPGP ||
                     lease->format == FORMAT_SMIME);
}

bool task_open_body(struct task *task, int body_fd, struct result *result)
{
    struct error err;
    buf_init(&task->clear, IPC_BODY_MAX);
    if (!may_leave(&task->lease)) {
        error_set(
            &err, STATUS_INTERNAL,
            "a copy that is held or not sealed (state %d, format %s) was leased to be delivered; it was "
            "not sent; report this as a bug of the gateway",
            (int)task->lease.state, copy_format_word(task->lease.format));
        log_error(task->all->settings->log, LOG_LEVEL_ERROR, "internal-error", task->lease.message_id, &err);
        outcome_local(result, FAILURE_TEMPORARY, "4.3.0", "internal error: the message is not sealed");
        return false;
    }
    if (open_body(task, body_fd, &err) != STATUS_OK) {
        log_error(task->all->settings->log, LOG_LEVEL_ERROR, "body-unreadable", task->lease.message_id, &err);
        outcome_local(result, FAILURE_TEMPORARY, "4.3.0", "the stored message cannot be read: %s", err.text);
        return false;
    }
    task->mail = (struct mail){.id = task->lease.message_id,
                               .reverse_path = task->lease.reverse_path,
                               .requiretls = task->lease.requiretls,
                               .rule = {task->lease.tls, task->lease.rule},
                               .envid = task->lease.envid,
                               .ret = task->lease.ret,
                               .message = task->lease.locked ? buf_span(&task->clear) : task->mapped};
    task->mail.eight_bit = is_eight_bit(task->mail.message);
    task->mail.smtputf8 = needs_smtputf8(task);
    task->mail.tls_optional = !task->lease.requiretls && tls_required_no(task_shown_header(task));
    return true;
}

bool task_check_message(const struct task *task, struct result *result)
{
    struct error err;
    if (dot_stuff_check(task->mail.message, &err) == STATUS_OK)
        return true;
    outcome_local(result, FAILURE_PERMANENT, "5.6.0", "%s, which must not be sent by SMTP", err.text);
    return false;
}

void task_close_body(struct task *task)
{
    if (task->mapped.p)
        memfile_unmap(task->mapped);
    task->mapped = span_of(NULL, 0);
    buf_free(&task->clear);
    task->mail.message = span_of(NULL, 0);
}

struct span task_shown_header(const struct task *task)
{
    struct message_parts parts;
    if (task->lease.dsn_header.len > 0)
        return buf_span(&task->lease.dsn_header);
    /* A returned copy was never meant to leave as it is: not a byte of it (A32). */
    if (task->lease.state == COPY_RETURN)
        return span_of(NULL, 0);
    message_split(task->mail.message, &parts);
    return parts.header;
}
