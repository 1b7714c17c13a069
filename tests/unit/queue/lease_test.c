/* Leases: order, window, one lease per copy and purpose, and how they end. */
#include "tests/unit/queue/database.h"

static void test_longest_due_first_and_no_more_than_the_window(void **state)
{
    (void)state;
    struct database d;
    database_make(&d);
    database_store_one(&d, "late@example.com", T0 + 3000);
    database_store_one(&d, "early@example.com", T0 + 1000);
    database_store_one(&d, "middle@example.com", T0 + 2000);
    database_store_one(&d, "future@example.com", T0 + 90000);
    struct row_ids ids = database_claim(&d, DELIVERY_1, 2, T0 + 5000);
    assert_int_equal(ids.n, 2);
    assert_int_equal(ids.ids[0], 2);
    assert_int_equal(ids.ids[1], 3);
    free(ids.ids);
    /* The window is full. */
    assert_int_equal(database_claim_count(&d, DELIVERY_1, 2, T0 + 5000), 0);
    ids = database_claim(&d, DELIVERY_1, 10, T0 + 5000);
    assert_int_equal(ids.n, 1);
    assert_int_equal(ids.ids[0], 1);
    free(ids.ids);
    struct error err;
    int64_t next = 0;
    OK(lease_next_due(d.sql, T0 + 5000, &next, &err));
    assert_int_equal(next, T0 + 90000);
    database_remove(&d);
}

static void test_due_recipients_of_a_copy_are_one_lease(void **state)
{
    (void)state;
    struct database d;
    struct sample s;
    struct error err;
    struct queue_lease lease;
    int fd;
    database_make(&d);
    sample_start(&s);
    struct store_copy *copy = sample_copy(&s, COPY_QUEUED, FORMAT_OPENPGP, "sealed");
    sample_recipient(&s, copy, "bob@example.com");
    sample_recipient(&s, copy, "carol@example.net");
    sample_recipient(&s, copy, "dave@example.com");
    copy->recipients[0].notify = text("FAILURE");
    copy->recipients[0].orcpt = text("rfc822;b@example.com");
    database_store(&d, &s, T0);
    database_run(&d, "UPDATE recipient SET next_ms = next_ms + 1000, state = 'deferred', attempts = 4 WHERE "
                     "address = 'dave@example.com'");
    struct row_ids ids = database_claim(&d, DELIVERY_1, 10, T0);
    assert_int_equal(ids.n, 1);
    OK(lease_load(d.sql, ids.ids[0], &lease, &fd, &err));
    assert_int_equal(lease.n_recipients, 2);
    assert_int_equal(lease.state, COPY_QUEUED);
    assert_int_equal(lease.format, FORMAT_OPENPGP);
    assert_false(lease.locked);
    assert_string_equal(lease.message_id, s.store.envelope.id);
    assert_string_equal(lease.reverse_path, "alice@example.org");
    assert_string_equal(lease.recipients[0].address, "bob@example.com");
    assert_string_equal(lease.recipients[0].notify, "FAILURE");
    assert_string_equal(lease.recipients[0].orcpt, "rfc822;b@example.com");
    assert_null(lease.recipients[1].notify);
    assert_int_equal(lease.received_ms, T0);
    assert_int_equal(lease.recipients[1].expires_ms, T0 + 5 * DAY);
    queue_lease_free(&lease);
    close(fd);
    free(ids.ids);
    /* The third waits until the copy is back, even when it is due. */
    assert_int_equal(database_claim_count(&d, DELIVERY_1, 10, T0 + 2000), 0);
    OK(lease_end(d.sql, 1, T0 + 3000, &err));
    ids = database_claim(&d, DELIVERY_1, 10, T0 + 3000);
    assert_int_equal(ids.n, 1);
    OK(lease_load(d.sql, 1, &lease, &fd, &err));
    assert_int_equal(lease.n_recipients, 3);
    assert_int_equal(lease.recipients[2].attempts, 4);
    queue_lease_free(&lease);
    close(fd);
    free(ids.ids);
    database_remove(&d);
}

static void test_deliver_and_return_are_never_one_lease(void **state)
{
    (void)state;
    struct database d;
    struct sample s;
    struct error err;
    database_make(&d);
    sample_start(&s);
    struct store_copy *copy = sample_copy(&s, COPY_QUEUED, FORMAT_OPENPGP, "sealed");
    sample_recipient(&s, copy, "bob@example.com");
    sample_recipient(&s, copy, "carol@example.net");
    database_store(&d, &s, T0);
    database_run(&d, "UPDATE recipient SET to_return = 1 WHERE address = 'carol@example.net'");
    for (int i = 0; i < 2; i++) {
        struct queue_lease lease;
        int fd;
        struct row_ids ids = database_claim(&d, DELIVERY_1, 10, T0);
        assert_int_equal(ids.n, 1);
        OK(lease_load(d.sql, 1, &lease, &fd, &err));
        assert_int_equal(lease.n_recipients, 1);
        bool is_carol = strcmp(lease.recipients[0].address, "carol@example.net") == 0;
        assert_int_equal(lease.state, is_carol ? COPY_RETURN : COPY_QUEUED);
        database_run(&d, is_carol
                             ? "UPDATE recipient SET state = 'returned' WHERE address = 'carol@example.net'"
                             : "UPDATE recipient SET state = 'delivered' WHERE address = 'bob@example.com'");
        OK(lease_settle(d.sql, 1, T0, &err));
        queue_lease_free(&lease);
        close(fd);
        free(ids.ids);
    }
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM message"), 0);
    database_remove(&d);
}

static void test_large_bodies_go_a_few_at_a_time(void **state)
{
    (void)state;
    struct database d;
    database_make(&d);
    for (int i = 0; i < 5; i++)
        database_store_one(&d, "bob@example.com", T0 + i);
    database_run(&d, "UPDATE copy SET body_len = 100000000"); /* 100 MB each */
    assert_int_equal(database_claim_count(&d, DELIVERY_1, 50, T0 + 10), 2);
    database_run(&d, "UPDATE copy SET lease_instance = NULL");
    database_run(&d, "UPDATE recipient SET state = 'queued', next_ms = 5");
    database_run(&d, "UPDATE copy SET body_len = 1000000000");
    /* One goes always. */
    assert_int_equal(database_claim_count(&d, DELIVERY_1, 50, T0 + 10), 1);
    database_remove(&d);
}

static void test_held_ones_are_not_leased(void **state)
{
    (void)state;
    struct database d;
    struct sample s;
    database_make(&d);
    sample_held(&s, "bob@example.com");
    database_store(&d, &s, T0);
    assert_int_equal(database_claim_count(&d, DELIVERY_1, 50, T0 + 100 * DAY), 0);
    database_remove(&d);
}

static void test_leases_of_one_instance_end_and_of_others_stay(void **state)
{
    (void)state;
    struct database d;
    struct error err;
    database_make(&d);
    for (int i = 0; i < 4; i++)
        database_store_one(&d, "bob@example.com", T0);
    struct row_ids first = database_claim(&d, DELIVERY_1, 2, T0);
    struct row_ids second = database_claim(&d, DELIVERY_2, 2, T0);
    assert_int_equal(first.n + second.n, 4);
    OK(lease_end_of(d.sql, DELIVERY_1, false, T0 + 7, &err));
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM copy WHERE lease_instance IS NOT NULL"), 2);
    assert_int_equal(
        database_ask(&d, "SELECT COUNT(*) FROM recipient WHERE state = 'queued' AND attempts = 0"), 2);
    OK(lease_end_of(d.sql, DELIVERY_1, true, T0 + 7, &err));
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM copy WHERE lease_instance IS NOT NULL"), 0);
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM recipient WHERE state = 'queued'"), 4);
    free(first.ids);
    free(second.ids);
    struct queue_lease lease;
    int fd;
    assert_int_equal(lease_load(d.sql, 1, &lease, &fd, &err), STATUS_NOT_FOUND);
    database_remove(&d);
}

static void test_a_deferred_one_is_deferred_again_when_its_lease_ends(void **state)
{
    (void)state;
    struct database d;
    struct error err;
    database_make(&d);
    database_store_one(&d, "bob@example.com", T0);
    database_run(&d, "UPDATE recipient SET attempts = 2");
    struct row_ids ids = database_claim(&d, DELIVERY_1, 2, T0);
    OK(lease_end(d.sql, ids.ids[0], T0 + 7, &err));
    assert_int_equal(
        database_ask(&d, "SELECT next_ms FROM recipient WHERE state = 'deferred' AND attempts = 2"), T0 + 7);
    free(ids.ids);
    database_remove(&d);
}

static void test_a32_a_returned_copy_shows_its_header_alone(void **state)
{
    (void)state;
    struct database d;
    struct sample s;
    struct error err;
    struct queue_lease lease;
    struct span body;
    int fd;
    database_make(&d);
    sample_held(&s, "bob@example.com");
    database_store(&d, &s, T0);
    database_run(&d, "UPDATE recipient SET state = 'queued', hold = NULL, to_return = 1, next_ms = 1");
    struct row_ids ids = database_claim(&d, DELIVERY_1, 5, T0);
    assert_int_equal(ids.n, 1);
    OK(lease_load(d.sql, ids.ids[0], &lease, &fd, &err));
    assert_int_equal(lease.state, COPY_RETURN);
    assert_true(span_is(buf_span(&lease.dsn_header), "Subject: [...]\r\n"));
    OK(memfile_map(fd, SIZE_MAX, &body, &err));
    assert_int_equal(body.len, 0);
    assert_string_equal(lease.recipients[0].reason, "none found");
    queue_lease_free(&lease);
    close(fd);
    free(ids.ids);
    database_remove(&d);
}

static void test_r7_a_damaged_body_can_be_returned(void **state)
{
    (void)state;
    struct database d;
    struct error err;
    struct queue_lease lease;
    int fd;
    database_make(&d);
    database_store_one(&d, "bob@example.com", T0);
    database_run(&d, "UPDATE recipient SET to_return = 1");
    database_run(&d, "UPDATE body SET bytes = 'x'");
    struct row_ids ids = database_claim(&d, DELIVERY_1, 5, T0);
    OK(lease_load(d.sql, ids.ids[0], &lease, &fd, &err));
    assert_int_equal(lease.state, COPY_RETURN);
    queue_lease_free(&lease);
    close(fd);
    free(ids.ids);
    database_remove(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_longest_due_first_and_no_more_than_the_window),
        cmocka_unit_test(test_due_recipients_of_a_copy_are_one_lease),
        cmocka_unit_test(test_deliver_and_return_are_never_one_lease),
        cmocka_unit_test(test_large_bodies_go_a_few_at_a_time),
        cmocka_unit_test(test_held_ones_are_not_leased),
        cmocka_unit_test(test_leases_of_one_instance_end_and_of_others_stay),
        cmocka_unit_test(test_a_deferred_one_is_deferred_again_when_its_lease_ends),
        cmocka_unit_test(test_a32_a_returned_copy_shows_its_header_alone),
        cmocka_unit_test(test_r7_a_damaged_body_can_be_returned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
