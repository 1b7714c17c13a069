/*
 * The audit trail: rows chained by hash, written in the transaction of the event they tell of
 * (doc/queue.md "Audit trail"). Never a subject or a body.
 */
#ifndef SEALGATE_QUEUE_AUDIT_H
#define SEALGATE_QUEUE_AUDIT_H

#include <stdint.h>

#include "base/sql.h"
#include "gateway/queue/digest.h"

/* Text columns, in the order of the table and of the canonical form. */
enum audit_column {
    AUDIT_EVENT,
    AUDIT_MESSAGE,
    AUDIT_USER,
    AUDIT_REVERSE_PATH,
    AUDIT_RECIPIENT,
    AUDIT_RULE,
    AUDIT_REASON,
    AUDIT_FORMAT,
    AUDIT_FINGERPRINT,
    AUDIT_SOURCE,
    AUDIT_CIPHER,
    AUDIT_CLIENT_ADDRESS,
    AUDIT_IN_TLS_VERSION,
    AUDIT_IN_TLS_CIPHER,
    AUDIT_HOST,
    AUDIT_OUT_TLS_VERSION,
    AUDIT_OUT_TLS_CIPHER,
    AUDIT_OUT_TLS_PEER,
    AUDIT_REPLY,
    AUDIT_COLUMNS,
};

/* The column's name for export: "event", "id", "user", … Static. */
const char *audit_column_name(enum audit_column column);

struct audit_row {
    int64_t seq;
    int64_t time_ms;
    const char *text[AUDIT_COLUMNS]; /* NULL: unknown */
};

struct audit_head {
    int64_t seq; /* 0: the trail is empty */
    char hash[DIGEST_HEX_SIZE];
};

/* Inside a transaction. ROW's seq is given here; its event must be set. */
MUST_USE enum status audit_append(struct sql *sql, struct audit_row *row, struct error *err);

/*
 * Appends EVENT for a recipient whose columns are read from message, copy and recipient. What EXTRA (may be
 * NULL) has set takes the place of what was read.
 */
MUST_USE enum status audit_recipient(struct sql *sql, int64_t now_ms, int64_t recipient_id, const char *event,
                                     const struct audit_row *extra, struct error *err);

MUST_USE enum status audit_head(struct sql *sql, struct audit_head *head_out, struct error *err);

/* hash = SHA-256(PREVIOUS ‖ canonical form of ROW), hexadecimal. */
MUST_USE enum status audit_hash(const char *previous, const struct audit_row *row,
                                char hex_out[DIGEST_HEX_SIZE], struct error *err);

/* Columns of SELECT AUDIT_SELECT … as a row (texts valid until the next step) and the stored hash. */
#define AUDIT_SELECT                                                                                         \
    "seq, time_ms, event, message_id, user_name, reverse_path, recipient, rule, reason, format, "            \
    "fingerprint, source, cipher, client_address, in_tls_version, in_tls_cipher, host, out_tls_version, "    \
    "out_tls_cipher, out_tls_peer, reply, hash"
void audit_read(struct sql_stmt *stmt, struct audit_row *row_out, const char **hash_out);

/* ---- audit_verify.c ---- */

struct audit_check {
    int64_t next;               /* seq to be looked at next; start with {.next = 0} */
    char hash[DIGEST_HEX_SIZE]; /* of the row before it */
    bool done;
    bool wrong;
    int64_t bad; /* the first wrong seq, when wrong */
    char why[120];
};

/* Looks at up to N more rows. Sets done at the end of the trail or at the first wrong row. */
MUST_USE enum status audit_verify(struct sql *sql, struct audit_check *check, unsigned n, struct error *err);

#endif
