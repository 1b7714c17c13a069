/* What the client was promised by DSN and REQUIRETLS, and who it is, stays with the message on every way. */
#include "tests/unit/queue/database.h"

/* A message of a relay client with all of it. */
static void ask_for_all(struct sample *s)
{
    struct envelope *e = &s->store.envelope;
    e->user = text("");
    e->client = text("scanner");
    e->envid = text("QQ+3D314159");
    e->ret = text("HDRS");
    e->requiretls = true;
    e->plain_smtp = true;
    s->recipients[0][0].notify = text("SUCCESS,FAILURE");
    s->recipients[0][0].orcpt = text("rfc822;Bob+2Bx@example.com");
}

static void test_a_lease_has_it(void **state)
{
    (void)state;
    struct database d;
    struct sample s;
    struct queue_lease lease;
    struct error err;
    int fd;
    database_make(&d);
    sample_simple(&s, "bob@example.com");
    ask_for_all(&s);
    database_store(&d, &s, T0);
    struct row_ids ids = database_claim(&d, DELIVERY_1, 1, T0);
    OK(lease_load(d.sql, ids.ids[0], &lease, &fd, &err));
    assert_true(lease.requiretls);
    assert_string_equal(lease.envid, "QQ+3D314159");
    assert_string_equal(lease.ret, "HDRS");
    assert_string_equal(lease.recipients[0].notify, "SUCCESS,FAILURE");
    assert_string_equal(lease.recipients[0].orcpt, "rfc822;Bob+2Bx@example.com");
    queue_lease_free(&lease);
    close(fd);
    free(ids.ids);
    database_remove(&d);
}

static void test_a_held_copy_has_it_when_it_is_tried_again(void **state)
{
    (void)state;
    struct database d;
    struct sample s;
    struct queue_release release;
    struct error err;
    int fd;
    database_make(&d);
    sample_held(&s, "bob@example.com");
    ask_for_all(&s);
    database_store(&d, &s, T0);
    OK(hold_load(d.sql, 1, &release, &fd, &err));
    assert_true(release.envelope.requiretls);
    assert_true(release.envelope.plain_smtp);
    assert_string_equal(release.envelope.user, "");
    assert_string_equal(release.envelope.client, "scanner");
    assert_string_equal(release.envelope.envid, "QQ+3D314159");
    assert_string_equal(release.envelope.ret, "HDRS");
    assert_string_equal(release.envelope.recipients[0].notify, "SUCCESS,FAILURE");
    assert_string_equal(release.envelope.recipients[0].orcpt, "rfc822;Bob+2Bx@example.com");
    queue_release_free(&release);
    close(fd);
    database_remove(&d);
}

static void test_the_trail_names_the_relay_client(void **state)
{
    (void)state;
    struct database d;
    struct sample s;
    database_make(&d);
    sample_simple(&s, "bob@example.com");
    ask_for_all(&s);
    database_store(&d, &s, T0);
    sample_simple(&s, "carol@example.net");
    database_store(&d, &s, T0);
    s.store.envelope.client = text(""); /* as submission says it for a user */
    id_make(s.store.envelope.id);
    database_store(&d, &s, T0);
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM audit"), 6);
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM audit WHERE user_name = 'client:scanner' AND "
                                      "recipient = 'bob@example.com'"),
                     2);
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM audit WHERE user_name = 'alice' AND "
                                      "recipient = 'carol@example.net'"),
                     4);
    database_verify(&d);
    database_remove(&d);
}

/* RFC 8689 §5: the notification is protected like the message, or gets through as it was to. */
static void test_the_dsn_wants_of_tls_what_the_message_did(void **state)
{
    (void)state;
    for (int required = 0; required <= 1; required++) {
        struct database d;
        struct sample s;
        struct outcome_counts counts;
        struct error err;
        struct outcome_recipient r = {.id = 1, .outcome = OUTCOME_BOUNCED, .reply = text("550 5.1.1 no")};
        struct queue_outcome outcome = {.copy_id = 1,
                                        .recipients = &r,
                                        .n_recipients = 1,
                                        .has_dsn = true,
                                        .dsn_recipient = text("alice@example.org"),
                                        .dsn_tls_optional = !required};
        database_make(&d);
        sample_simple(&s, "bob@example.com");
        s.store.envelope.requiretls = required;
        database_store(&d, &s, T0);
        free(database_claim(&d, DELIVERY_1, 1, T0).ids);
        id_make(outcome.dsn_id);
        OK(sql_begin(d.sql, &err));
        OK(outcome_apply(d.sql, &d.settings, DELIVERY_1, &outcome, span_str("locked dsn"), T0, &counts,
                         &err));
        OK(sql_commit(d.sql, &err));
        assert_true(counts.dsn_stored);
        assert_int_equal(database_ask(&d, "SELECT requiretls FROM message WHERE reverse_path = ''"),
                         required);
        assert_int_equal(database_ask(&d, "SELECT domain = 'tls-optional:example.org' FROM recipient "
                                          "WHERE address = 'alice@example.org'"),
                         !required);
        database_remove(&d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_lease_has_it),
        cmocka_unit_test(test_a_held_copy_has_it_when_it_is_tried_again),
        cmocka_unit_test(test_the_trail_names_the_relay_client),
        cmocka_unit_test(test_the_dsn_wants_of_tls_what_the_message_did),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
