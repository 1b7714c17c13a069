/* Looking for the first changed, removed, added or reordered row of the audit trail. */
#include <stdio.h>
#include <string.h>

#include "gateway/queue/audit.h"

static void found_bad(struct audit_check *check, int64_t seq, const char *why)
{
    check->done = true;
    check->wrong = true;
    check->bad = seq;
    snprintf(check->why, sizeof check->why, "%s", why);
}

static enum status look_at(struct audit_check *check, const struct audit_row *row, const char *stored,
                           struct error *err)
{
    char hash[DIGEST_HEX_SIZE];
    enum status st;

    if (row->seq < check->next) {
        found_bad(check, row->seq, "the line was put in: lines count from 1");
        return STATUS_OK;
    }
    if (row->seq > check->next) {
        found_bad(check, check->next, "the line is missing");
        return STATUS_OK;
    }
    st = audit_hash(check->hash, row, hash, err);
    if (st != STATUS_OK)
        return st;
    if (!stored || strcmp(hash, stored) != 0) {
        found_bad(check, row->seq, "the line was changed, moved or put in: its hash is wrong");
        return STATUS_OK;
    }
    memcpy(check->hash, hash, sizeof check->hash);
    check->next++;
    return STATUS_OK;
}

/* The last row must be the one that the head names. */
static enum status look_at_head(struct sql *sql, struct audit_check *check, struct error *err)
{
    struct audit_head head;
    enum status st = audit_head(sql, &head, err);
    if (st != STATUS_OK)
        return st;
    check->done = true;
    if (head.seq >= check->next)
        found_bad(check, check->next, "the line is missing: the trail was cut off at its end");
    else if (head.seq != check->next - 1 || strcmp(head.hash, check->hash) != 0)
        found_bad(check, check->next - 1, "the last line is not the one that was written last");
    return STATUS_OK;
}

enum status audit_verify(struct sql *sql, struct audit_check *check, unsigned n, struct error *err)
{
    struct sql_stmt *stmt;
    bool row = false;

    if (check->next == 0) {
        check->next = 1;
        memset(check->hash, '0', sizeof check->hash - 1);
        check->hash[sizeof check->hash - 1] = '\0';
    }
    /* From the first row on: one numbered 0 or below was put in. */
    enum status st = sql_prepare(
        sql, "SELECT " AUDIT_SELECT " FROM audit WHERE seq >= ?1 OR seq < 1 ORDER BY seq LIMIT ?2", &stmt,
        err);
    if (st != STATUS_OK)
        return st;
    sql_bind_int(stmt, 1, check->next);
    sql_bind_int(stmt, 2, n);
    unsigned seen = 0;
    for (st = sql_step(stmt, &row, err); st == STATUS_OK && row; st = sql_step(stmt, &row, err)) {
        struct audit_row line;
        const char *hash;
        audit_read(stmt, &line, &hash);
        seen++;
        st = look_at(check, &line, hash, err);
        if (st != STATUS_OK || check->done)
            break;
    }
    sql_reset(stmt);
    if (st == STATUS_OK && !check->done && seen < n)
        st = look_at_head(sql, check, err);
    return st;
}
