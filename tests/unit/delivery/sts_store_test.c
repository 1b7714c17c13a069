/* Which MTA-STS policies are fetched again, and when (RFC 8461 §3.3, §10.2). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it. */
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sql.h"
#include "gateway/delivery/sts_store.h"

#define MINUTE ((int64_t)60 * 1000)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define START ((int64_t)1800000000 * 1000)

static char dir[32], path[64];
static struct sts_store *store;

static int setup(void **state)
{
    (void)state;
    struct error err;
    strcpy(dir, "/tmp/sgstsXXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/sts.db", dir);
    return sts_store_open(path, START, &store, &err) == STATUS_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    char command[100];
    sts_store_close(store);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

static void put(const char *domain, int64_t fetched_ms, int64_t max_age_ms)
{
    struct error err;
    assert_int_equal(
        sts_store_put(store, domain, "1", span_str("a policy"), fetched_ms, fetched_ms + max_age_ms, &err),
        STATUS_OK);
}

static void use(const char *domain, int64_t now_ms)
{
    struct error err;
    assert_int_equal(sts_store_use(store, domain, now_ms, &err), STATUS_OK);
}

/* The next is DOMAIN; NULL: none is due. */
static void expect_claim(int64_t now_ms, const char *domain)
{
    char *got, id[STS_ID_MAX + 1];
    struct error err;
    enum status st = sts_store_claim(store, now_ms, &got, id, &err);
    if (!domain) {
        assert_int_equal(st, STATUS_NOT_FOUND);
        return;
    }
    assert_int_equal(st, STATUS_OK);
    assert_string_equal(got, domain);
    assert_string_equal(id, "1");
    free(got);
}

static void after_a_day_or_half_of_a_shorter_max_age(void **state)
{
    (void)state;
    put("year.example", START + 1, 365 * DAY);
    put("day.example", START, DAY);
    put("minute.example", START, MINUTE);
    expect_claim(START + MINUTE / 2 - 1, NULL);
    expect_claim(START + MINUTE / 2, "minute.example");
    expect_claim(START + DAY / 2 - 1, NULL);
    expect_claim(START + DAY / 2, "day.example");
    put("day.example", START + DAY / 2, DAY);
    expect_claim(START + DAY - 1, NULL);
    expect_claim(START + DAY, "day.example");
    expect_claim(START + DAY, NULL);
    expect_claim(START + DAY + 1, "year.example");
    /* What is over is none. */
    expect_claim(START + 2 * DAY, "year.example");
    expect_claim(START + 2 * DAY, NULL);
}

/* Neither a failure nor a fetch that never ends. */
static void one_in_vain_keeps_none_of_the_others_waiting(void **state)
{
    (void)state;
    put("dead.example", START, 10 * DAY);
    put("hangs.example", START + 1, 10 * DAY);
    put("good.example", START + 2, 10 * DAY);
    expect_claim(START + 2 * DAY, "dead.example");
    expect_claim(START + 2 * DAY, "hangs.example");
    expect_claim(START + 2 * DAY, "good.example");
    put("good.example", START + 2 * DAY, 10 * DAY);
    expect_claim(START + 2 * DAY, NULL);
    expect_claim(START + 2 * DAY + HOUR, "dead.example");
    expect_claim(START + 2 * DAY + HOUR, "hangs.example");
    expect_claim(START + 2 * DAY + HOUR, NULL);
}

/* The gaps between tries of a policy that cannot be fetched, in minutes. */
static void expect_gaps(int64_t max_age_ms, const int64_t *minutes, size_t n)
{
    int64_t now_ms = START + (max_age_ms < 2 * DAY ? max_age_ms / 2 : DAY);
    put("dead.example", START, max_age_ms);
    use("dead.example", START + 60 * DAY);
    for (size_t i = 0; i < n; i++) {
        expect_claim(now_ms, "dead.example");
        expect_claim(now_ms + minutes[i] * MINUTE - 1, NULL);
        now_ms += minutes[i] * MINUTE;
    }
}

static void tries_in_vain_grow_rarer_but_not_past_the_end(void **state)
{
    (void)state;
    static const int64_t year[] = {60, 120, 240, 480, 960, 1440, 1440}, day[] = {60, 120, 135},
                         quarter[] = {5, 5, 5};
    expect_gaps(365 * DAY, year, sizeof year / sizeof *year);
    expect_gaps(DAY, day, sizeof day / sizeof *day);
    expect_gaps(HOUR / 2, quarter, sizeof quarter / sizeof *quarter);
}

static void what_no_mail_asks_for_is_left_to_run_out(void **state)
{
    (void)state;
    put("once.example", START, 365 * DAY);
    use("once.example", START + DAY);
    expect_claim(START + 30 * DAY, "once.example");
    put("once.example", START + 30 * DAY, 365 * DAY);
    expect_claim(START + 31 * DAY, NULL);
    use("once.example", START + 40 * DAY);
    expect_claim(START + 40 * DAY, "once.example");
}

static enum status known(const char *domain)
{
    struct sts_entry entry;
    struct error err;
    enum status st = sts_store_get(store, domain, &entry, &err);
    if (st == STATUS_OK)
        sts_entry_free(&entry);
    return st;
}

static void what_is_long_over_is_forgotten(void **state)
{
    (void)state;
    struct error err;
    put("over.example", START, DAY);
    put("holds.example", START, 365 * DAY);
    assert_int_equal(
        sts_store_put_failure(store, "failed.example", "1", STS_FETCH_ERROR, "no answer", START, &err),
        STATUS_OK);
    assert_int_equal(sts_store_forget_old(store, START + 29 * DAY, &err), STATUS_OK);
    assert_int_equal(known("failed.example"), STATUS_OK);
    assert_int_equal(sts_store_forget_old(store, START + 32 * DAY, &err), STATUS_OK);
    assert_int_equal(known("failed.example"), STATUS_NOT_FOUND);
    assert_int_equal(known("over.example"), STATUS_NOT_FOUND);
    assert_int_equal(known("holds.example"), STATUS_OK);
}

/* Of the version before: its policies are fetched again, too. */
static void a_store_of_the_version_before(void **state)
{
    (void)state;
    static const char *const steps[] = {
        "CREATE TABLE sts (domain TEXT PRIMARY KEY, id TEXT NOT NULL, policy BLOB NOT NULL,"
        " fetched_ms BIGINT NOT NULL, expires_ms BIGINT NOT NULL, tried_id TEXT NOT NULL,"
        " tried_ms BIGINT NOT NULL, error TEXT NOT NULL)",
        "ALTER TABLE sts ADD COLUMN result BIGINT NOT NULL DEFAULT 1;"
        "INSERT INTO sts VALUES ('old.example', '1', 'a policy', 1800000000000, 1800086400000, '', 0, '', 1)",
        NULL,
    };
    struct sql *sql;
    struct error err;
    sts_store_close(store);
    unlink(path);
    assert_int_equal(sql_open(path, steps, &sql, &err), STATUS_OK);
    sql_close(sql);
    assert_int_equal(sts_store_open(path, START, &store, &err), STATUS_OK);
    expect_claim(START + DAY / 2 - 1, NULL);
    expect_claim(START + DAY / 2, "old.example");
    expect_claim(START + DAY / 2, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(after_a_day_or_half_of_a_shorter_max_age, setup, teardown),
        cmocka_unit_test_setup_teardown(one_in_vain_keeps_none_of_the_others_waiting, setup, teardown),
        cmocka_unit_test_setup_teardown(tries_in_vain_grow_rarer_but_not_past_the_end, setup, teardown),
        cmocka_unit_test_setup_teardown(what_no_mail_asks_for_is_left_to_run_out, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_long_over_is_forgotten, setup, teardown),
        cmocka_unit_test_setup_teardown(a_store_of_the_version_before, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
