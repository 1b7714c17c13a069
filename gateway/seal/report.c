#include "gateway/seal/report.h"

void seal_log_sender(struct log_line *line, const struct envelope *envelope)
{
    if (envelope->client && envelope->client[0])
        log_str(line, "relay", envelope->client);
    else
        log_str(line, "user", envelope->user);
}

void seal_report(const struct log *log, enum log_level level, const char *event,
                 const struct envelope *envelope, const struct error *err)
{
    struct log_line line;
    log_start(&line, log, err->status == STATUS_INTERNAL ? LOG_LEVEL_ERROR : level, event);
    log_str(&line, "id", envelope->id);
    seal_log_sender(&line, envelope);
    log_str(&line, "class", status_word(err->status));
    log_str(&line, "error", err->text);
    log_end(&line);
}
