/* May this message be looked at and sealed at all? */
#ifndef SEALGATE_SEAL_CONTENT_H
#define SEALGATE_SEAL_CONTENT_H

#include "base/span.h"
#include "gateway/jobs/submit_job.h"
#include "gateway/message/prescan.h"

/* RFC 5321 §6.3: a large number of Received fields means a loop; at least 100. */
#define SEAL_HOPS_MAX 100

/*
 * Refuses (*OUTCOME_OUT, and a text for the client in ERR) a message with NUL bytes, with line ends other
 * than CRLF, that begins with a folded line, with SEAL_HOPS_MAX Received fields, or over LIMITS. Must be
 * called before GMime sees it.
 */
MUST_USE enum status seal_content_check(struct span message, const struct prescan_limits *limits,
                                        enum submit_outcome *outcome_out, struct error *err);

/* Every line ends in CRLF, the last one too, and no CR or LF stands elsewhere. */
bool seal_has_crlf_lines(struct span text);

#endif
