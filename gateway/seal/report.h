/* Log lines about a message. */
#ifndef SEALGATE_SEAL_REPORT_H
#define SEALGATE_SEAL_REPORT_H

#include "base/log.h"
#include "gateway/message/envelope.h"

/* Adds who sent it: the user, or the relay client. */
void seal_log_sender(struct log_line *line, const struct envelope *envelope);

/* A promise of ours that was broken (STATUS_INTERNAL) is logged as an error, whatever LEVEL says. */
void seal_report(const struct log *log, enum log_level level, const char *event,
                 const struct envelope *envelope, const struct error *err);

#endif
