/* One log line for what went wrong with a message, with its queue id. */
#ifndef SEALGATE_SEAL_REPORT_H
#define SEALGATE_SEAL_REPORT_H

#include "base/log.h"
#include "gateway/message/envelope.h"

/* A promise of ours that was broken (STATUS_INTERNAL) is logged as an error, whatever LEVEL says. */
void seal_report(const struct log *log, enum log_level level, const char *event,
                 const struct envelope *envelope, const struct error *err);

#endif
