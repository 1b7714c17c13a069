/* A day's report to a domain (RFC 8460 §4): its JSON, its name, and the mail that carries it (§5.3). */
#ifndef SEALGATE_TLSRPT_REPORT_H
#define SEALGATE_TLSRPT_REPORT_H

#include <jansson.h>
#include <stdint.h>

#include "base/buf.h"

/* The largest report before and after it is compressed, and its mail. */
#define TLSRPT_REPORT_MAX ((size_t)32 << 20)

struct tlsrpt_report {
    const char *id;           /* unique for us */
    const char *hostname;     /* of this gateway, the submitter */
    const char *organization; /* its name */
    const char *contact;      /* mailbox for questions */
    const char *domain;       /* that the report is about */
    int64_t day;              /* days since 1970-01-01 */
    int64_t end_ms;           /* of a day that goes on; else 0: its last second */
};

/* Appends the JSON with POLICIES (borrowed; tlsrpt_store_policies). STATUS_LIMIT: it does not fit. */
MUST_USE enum status tlsrpt_report_json(const struct tlsrpt_report *report, json_t *policies, struct buf *out,
                                        struct error *err);

/* Appends the whole message to TO but for a signature: CRLF lines, 7bit. FROM is a mailbox, MAIL_ID the
 * queue id. GZIP: the JSON compressed. Look at OUT->failed. */
void tlsrpt_report_mail(const struct tlsrpt_report *report, const char *mail_id, const char *from,
                        const char *to, int64_t now_ms, struct span gzip, struct buf *out);

#endif
