#include "gateway/tlsrpt/store.h"

#include <stdlib.h>

#include "gateway/tlsrpt/store_private.h"

/* Whoever a user writes to may fill the disk no further. */
#define BYTES_MAX ((int64_t)256 << 20)
/* Of one domain on one day: more than a policy that changes by the hour, and one for each MX host. */
#define POLICIES_MAX 64
/* Different failures of one policy; what comes then is counted without its particulars. */
#define FAILURES_MAX 200

static const char *const steps[] = {
    "CREATE TABLE policy (id INTEGER PRIMARY KEY, day BIGINT NOT NULL, domain TEXT NOT NULL,"
    " type TEXT NOT NULL, strings TEXT NOT NULL, mx TEXT NOT NULL, good BIGINT NOT NULL, bad BIGINT NOT NULL,"
    " UNIQUE (day, domain, type, strings, mx));"
    "CREATE TABLE failure (policy_id BIGINT NOT NULL REFERENCES policy (id) ON DELETE CASCADE,"
    " result TEXT NOT NULL, sending_ip TEXT NOT NULL, mx_host TEXT NOT NULL, receiving_ip TEXT NOT NULL,"
    " reason TEXT NOT NULL, n BIGINT NOT NULL,"
    " PRIMARY KEY (policy_id, result, sending_ip, mx_host, receiving_ip, reason));"
    "CREATE TABLE report (day BIGINT NOT NULL, domain TEXT NOT NULL, id TEXT NOT NULL, state TEXT NOT NULL,"
    " due_ms BIGINT NOT NULL, first_ms BIGINT NOT NULL, attempts BIGINT NOT NULL, looked_up INTEGER NOT NULL,"
    " targets TEXT NOT NULL, why TEXT NOT NULL, PRIMARY KEY (day, domain));"
    "CREATE INDEX report_due ON report (due_ms) WHERE state = 'waiting';",
    /* SQLite cannot change what is UNIQUE. Both tables are copied, for what is dropped takes its failures
     * along. */
    "CREATE TABLE policy2 (id INTEGER PRIMARY KEY, day BIGINT NOT NULL, domain TEXT NOT NULL,"
    " type TEXT NOT NULL, policy_domain TEXT NOT NULL, strings TEXT NOT NULL, mx TEXT NOT NULL,"
    " good BIGINT NOT NULL, bad BIGINT NOT NULL, UNIQUE (day, domain, type, policy_domain, strings, mx));"
    "INSERT INTO policy2 (id, day, domain, type, policy_domain, strings, mx, good, bad)"
    " SELECT id, day, domain, type, domain, strings, mx, good, bad FROM policy;"
    "CREATE TABLE failure2 (policy_id BIGINT NOT NULL REFERENCES policy2 (id) ON DELETE CASCADE,"
    " result TEXT NOT NULL, sending_ip TEXT NOT NULL, mx_host TEXT NOT NULL, receiving_ip TEXT NOT NULL,"
    " reason TEXT NOT NULL, n BIGINT NOT NULL,"
    " PRIMARY KEY (policy_id, result, sending_ip, mx_host, receiving_ip, reason));"
    "INSERT INTO failure2 (policy_id, result, sending_ip, mx_host, receiving_ip, reason, n)"
    " SELECT policy_id, result, sending_ip, mx_host, receiving_ip, reason, n FROM failure;"
    "DROP TABLE failure; DROP TABLE policy;"
    "ALTER TABLE policy2 RENAME TO policy; ALTER TABLE failure2 RENAME TO failure;",
    NULL,
};

enum status tlsrpt_store_open(const char *path, struct tlsrpt_store **store_out, struct error *err)
{
    struct tlsrpt_store *store = calloc(1, sizeof *store);
    if (!store)
        return error_set(err, STATUS_TEMPORARY, "out of memory for TLS results");
    enum status st = sql_open(path, steps, &store->sql, err);
    if (st == STATUS_OK)
        st = sql_make_light(store->sql, BYTES_MAX, err);
    if (st != STATUS_OK) {
        tlsrpt_store_close(store);
        return st;
    }
    *store_out = store;
    return STATUS_OK;
}

void tlsrpt_store_close(struct tlsrpt_store *store)
{
    sql_close(store->sql);
    free(store);
}

/* First number of the row of STMT; 0: no row. */
static enum status number(struct sql_stmt *stmt, int64_t *n_out, struct error *err)
{
    bool row;
    enum status st = sql_step(stmt, &row, err);
    *n_out = st == STATUS_OK && row ? sql_col_int(stmt, 0) : 0;
    if (st == STATUS_OK && row)
        sql_reset(stmt);
    return st;
}

static enum status check_policies(struct sql *sql, int64_t day, const char *domain, struct error *err)
{
    struct sql_stmt *stmt;
    int64_t n;
    enum status st =
        sql_prepare(sql, "SELECT count(*) FROM policy WHERE day = ?1 AND domain = ?2", &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_int(stmt, 1, day);
    sql_bind_str(stmt, 2, domain);
    st = number(stmt, &n, err);
    if (st == STATUS_OK && n >= POLICIES_MAX)
        return error_set(err, STATUS_LIMIT, "%s had over %d different TLS policies that day", domain,
                         POLICIES_MAX);
    return st;
}

static void bind_policy(struct sql_stmt *stmt, int64_t day, const char *domain,
                        const struct tlsrpt_policy *policy)
{
    sql_bind_int(stmt, 1, day);
    sql_bind_str(stmt, 2, domain);
    sql_bind_str(stmt, 3, policy->type);
    sql_bind_str(stmt, 4, policy->strings);
    sql_bind_str(stmt, 5, policy->mx);
    sql_bind_str(stmt, 6, policy->domain ? policy->domain : domain);
}

/* The policy's row, made where there is none. */
static enum status find_policy(struct sql *sql, int64_t day, const char *domain,
                               const struct tlsrpt_policy *policy, int64_t *id_out, struct error *err)
{
    struct sql_stmt *stmt;
    enum status st = sql_prepare(
        sql,
        "SELECT id FROM policy WHERE day = ?1 AND domain = ?2 AND type = ?3 AND strings = ?4 AND mx = ?5"
        " AND policy_domain = ?6",
        &stmt, err);
    if (st != STATUS_OK)
        return st;
    bind_policy(stmt, day, domain, policy);
    st = number(stmt, id_out, err);
    if (st != STATUS_OK || *id_out > 0)
        return st;
    st = check_policies(sql, day, domain, err);
    if (st == STATUS_OK)
        st = sql_prepare(sql,
                         "INSERT INTO policy (day, domain, type, strings, mx, policy_domain, good, bad)"
                         " VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, 0)",
                         &stmt, err);
    if (st != STATUS_OK)
        return st;
    bind_policy(stmt, day, domain, policy);
    st = sql_run(stmt, err);
    *id_out = sql_inserted(sql);
    return st;
}

static enum status count(struct sql *sql, int64_t policy, bool good, struct error *err)
{
    struct sql_stmt *stmt;
    enum status st =
        sql_prepare(sql, "UPDATE policy SET good = good + ?2, bad = bad + ?3 WHERE id = ?1", &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_int(stmt, 1, policy);
    sql_bind_int(stmt, 2, good);
    sql_bind_int(stmt, 3, !good);
    return sql_run(stmt, err);
}

static void bind_failure(struct sql_stmt *stmt, int64_t policy, const struct tlsrpt_session *session)
{
    sql_bind_int(stmt, 1, policy);
    sql_bind_str(stmt, 2, tlsrpt_result_word(session->result));
    sql_bind_str(stmt, 3, session->sending_ip);
    sql_bind_str(stmt, 4, session->mx_host);
    sql_bind_str(stmt, 5, session->receiving_ip);
    sql_bind_str(stmt, 6, session->reason);
}

static enum status has_many_failures(struct sql *sql, int64_t policy, bool *many_out, struct error *err)
{
    struct sql_stmt *stmt;
    int64_t n = 0;
    enum status st = sql_prepare(sql, "SELECT count(*) FROM failure WHERE policy_id = ?1", &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_int(stmt, 1, policy);
    st = number(stmt, &n, err);
    *many_out = n >= FAILURES_MAX;
    return st;
}

static enum status add_failure(struct sql *sql, int64_t policy, const struct tlsrpt_session *session,
                               struct error *err)
{
    const struct tlsrpt_session rest = {session->result, "", "", "", ""};
    struct sql_stmt *stmt;
    bool many = false;
    enum status st = sql_prepare(sql,
                                 "UPDATE failure SET n = n + 1 WHERE policy_id = ?1 AND result = ?2 AND"
                                 " sending_ip = ?3 AND mx_host = ?4 AND receiving_ip = ?5 AND reason = ?6",
                                 &stmt, err);
    if (st != STATUS_OK)
        return st;
    bind_failure(stmt, policy, session);
    st = sql_run(stmt, err);
    if (st != STATUS_OK || sql_changes(sql) > 0)
        return st;
    st = has_many_failures(sql, policy, &many, err);
    if (st == STATUS_OK)
        st = sql_prepare(
            sql,
            "INSERT INTO failure (policy_id, result, sending_ip, mx_host, receiving_ip, reason, n)"
            " VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1)"
            " ON CONFLICT (policy_id, result, sending_ip, mx_host, receiving_ip, reason)"
            " DO UPDATE SET n = n + 1",
            &stmt, err);
    if (st != STATUS_OK)
        return st;
    bind_failure(stmt, policy, many ? &rest : session);
    return sql_run(stmt, err);
}

enum status tlsrpt_store_add(struct tlsrpt_store *store, int64_t day, const char *domain,
                             const struct tlsrpt_policy *policy, const struct tlsrpt_session *session,
                             struct error *err)
{
    bool good = session->result == TLSRPT_SUCCESS;
    int64_t id;
    enum status st = sql_begin(store->sql, err);
    if (st != STATUS_OK)
        return st;
    st = find_policy(store->sql, day, domain, policy, &id, err);
    if (st == STATUS_OK)
        st = count(store->sql, id, good, err);
    if (st == STATUS_OK && !good)
        st = add_failure(store->sql, id, session, err);
    if (st == STATUS_OK)
        st = sql_commit(store->sql, err);
    if (st != STATUS_OK)
        sql_rollback(store->sql);
    return st;
}
