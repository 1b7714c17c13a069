/* What is recorded, as reports and people see it. */
#include "base/clock.h"
#include "gateway/tlsrpt/store_private.h"

/* The lines of TEXT. */
static json_t *lines_of(const char *text)
{
    json_t *array = json_array();
    while (*text) {
        size_t len = strcspn(text, "\n");
        json_array_append_new(array, json_stringn(text, len));
        text += text[len] ? len + 1 : len;
    }
    return array;
}

/* Members that are not known are left out: all of them are optional. */
static void set_known(json_t *object, const char *key, const char *value)
{
    if (*value)
        json_object_set_new(object, key, json_string(value));
}

static json_t *failure_of(struct sql_stmt *stmt)
{
    json_t *object = json_pack("{s:s}", "result-type", sql_col_str(stmt, 0));
    set_known(object, "sending-mta-ip", sql_col_str(stmt, 1));
    set_known(object, "receiving-mx-hostname", sql_col_str(stmt, 2));
    set_known(object, "receiving-ip", sql_col_str(stmt, 3));
    json_object_set_new(object, "failed-session-count", json_integer(sql_col_int(stmt, 5)));
    set_known(object, "failure-reason-code", sql_col_str(stmt, 4));
    return object;
}

static enum status add_failures(struct sql *sql, json_t *policy, int64_t id, struct error *err)
{
    struct sql_stmt *stmt;
    bool row = true;
    json_t *failures = json_array();
    enum status st = sql_prepare(sql,
                                 "SELECT result, sending_ip, mx_host, receiving_ip, reason, n FROM failure"
                                 " WHERE policy_id = ?1"
                                 " ORDER BY n DESC, result, mx_host, receiving_ip, sending_ip, reason",
                                 &stmt, err);
    if (st == STATUS_OK)
        sql_bind_int(stmt, 1, id);
    while (st == STATUS_OK && row) {
        st = sql_step(stmt, &row, err);
        if (st == STATUS_OK && row)
            json_array_append_new(failures, failure_of(stmt));
    }
    if (json_array_size(failures) > 0)
        json_object_set(policy, "failure-details", failures);
    json_decref(failures);
    return st;
}

static json_t *policy_of(struct sql_stmt *stmt)
{
    json_t *policy = json_pack("{s:s}", "policy-type", sql_col_str(stmt, 1));
    if (*sql_col_str(stmt, 2))
        json_object_set_new(policy, "policy-string", lines_of(sql_col_str(stmt, 2)));
    json_object_set_new(policy, "policy-domain", json_string(sql_col_str(stmt, 6)));
    if (*sql_col_str(stmt, 3))
        json_object_set_new(policy, "mx-host", lines_of(sql_col_str(stmt, 3)));
    return json_pack("{s:o, s:{s:I, s:I}}", "policy", policy, "summary", "total-successful-session-count",
                     (json_int_t)sql_col_int(stmt, 4), "total-failure-session-count",
                     (json_int_t)sql_col_int(stmt, 5));
}

enum status tlsrpt_store_policies(struct tlsrpt_store *store, int64_t day, const char *domain,
                                  json_t **policies_out, struct error *err)
{
    struct sql_stmt *stmt;
    bool row = true;
    json_t *policies = json_array();
    enum status st = sql_prepare(store->sql,
                                 "SELECT id, type, strings, mx, good, bad, policy_domain FROM policy"
                                 " WHERE day = ?1 AND domain = ?2 ORDER BY id",
                                 &stmt, err);
    if (st == STATUS_OK) {
        sql_bind_int(stmt, 1, day);
        sql_bind_str(stmt, 2, domain);
    }
    while (st == STATUS_OK && row) {
        st = sql_step(stmt, &row, err);
        if (st != STATUS_OK || !row)
            break;
        json_t *policy = policy_of(stmt);
        st = add_failures(store->sql, policy, sql_col_int(stmt, 0), err);
        json_array_append_new(policies, policy);
    }
    if (st == STATUS_OK && json_array_size(policies) == 0)
        st = error_set(err, STATUS_NOT_FOUND, "no TLS session to %s is recorded for that day", domain);
    if (st == STATUS_OK)
        *policies_out = policies;
    else
        json_decref(policies);
    return st;
}

static json_t *day_of(struct sql_stmt *stmt)
{
    char iso[CLOCK_ISO_SIZE], due[CLOCK_ISO_SIZE];
    bool waiting = sql_col_str(stmt, 4) && strcmp(sql_col_str(stmt, 4), "waiting") == 0;
    clock_iso(sql_col_int(stmt, 0) * TLSRPT_DAY_MS, iso);
    clock_iso(sql_col_int(stmt, 5), due);
    return json_pack("{s:s%, s:s, s:I, s:I, s:s, s:s?, s:I, s:s?}", "day", iso, strcspn(iso, "T"), "domain",
                     sql_col_str(stmt, 1), "successful", (json_int_t)sql_col_int(stmt, 2), "failed",
                     (json_int_t)sql_col_int(stmt, 3), "report",
                     sql_col_str(stmt, 4) ? sql_col_str(stmt, 4) : "collecting", "due", waiting ? due : NULL,
                     "attempts", (json_int_t)sql_col_int(stmt, 6), "why", sql_col_str(stmt, 7));
}

enum status tlsrpt_store_list(struct tlsrpt_store *store, int64_t day, json_t **days_out, struct error *err)
{
    struct sql_stmt *stmt;
    bool row = true;
    json_t *days = json_array();
    enum status st = sql_prepare(store->sql,
                                 "SELECT p.day, p.domain, sum(p.good), sum(p.bad), r.state, r.due_ms,"
                                 " r.attempts, r.why FROM policy p"
                                 " LEFT JOIN report r ON r.day = p.day AND r.domain = p.domain"
                                 " WHERE ?1 < 0 OR p.day = ?1"
                                 " GROUP BY p.day, p.domain, r.state, r.due_ms, r.attempts, r.why"
                                 " ORDER BY p.day, p.domain",
                                 &stmt, err);
    if (st == STATUS_OK)
        sql_bind_int(stmt, 1, day);
    while (st == STATUS_OK && row) {
        st = sql_step(stmt, &row, err);
        if (st == STATUS_OK && row)
            json_array_append_new(days, day_of(stmt));
    }
    if (st == STATUS_OK)
        *days_out = days;
    else
        json_decref(days);
    return st;
}
