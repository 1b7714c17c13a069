/* Lookups: what matches and what must not, fitness by time, failures that are never "none". */
#include "tests/unit/keystore/store.h"

#include <sys/stat.h>

static void add_san(struct store *s, const char *san, int days)
{
    struct forged made = store_forge(san, days, NULL);

    store_must(s, store_add(s, made.der));
    forged_free(&made);
}

/* ---- matching ---- */

static void nothing_known_is_an_empty_list(void **state)
{
    struct store *s = *state;

    assert_int_equal(store_lookup(s, "nobody@example.org", 0), 0);
    assert_null(s->list.items);
    assert_int_equal(store_try(s, "no address", 0), STATUS_INVALID);
}

static void case_of_the_address_does_not_matter(void **state)
{
    struct store *s = *state;
    const char *const same[] = {"alice@example.org", "Alice@Example.ORG", "ALICE@EXAMPLE.ORG",
                                "\"alice\"@example.org"};

    store_must(s, store_add_file(s, "alice.pgp"));
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        assert_int_equal(store_lookup(s, same[i], 0), 1);
        assert_true(s->list.items[0].usable);
        assert_true(s->list.items[0].bytes.len > 0);
    }
}

static void case_of_the_local_part_matters_when_configured(void **state)
{
    struct store *s = *state;

    store_must(s, store_add_file(s, "alice.pgp"));
    store_close(s);
    s->settings.local_part_case_sensitive = true; /* also for what was added before */
    store_open(s);
    assert_int_equal(store_lookup(s, "Alice@example.org", 0), 1);
    assert_int_equal(store_lookup(s, "Alice@EXAMPLE.org", 0), 1);
    assert_int_equal(store_lookup(s, "alice@example.org", 0), 0);
    assert_int_equal(store_lookup(s, "ALICE@example.org", 0), 0);
}

static void an_address_in_the_comment_does_not_match_A13(void **state)
{
    struct store *s = *state;

    store_must(s, store_add_file(s, "carol.pgp"));
    assert_int_equal(store_lookup(s, "alice@example.org", 0), 0);
    assert_int_equal(store_lookup(s, "carol@example.com", 0), 1);
}

/* Comment, display name, quoted or not, a second pair of brackets, no brackets. */
static void an_address_elsewhere_in_a_user_id_does_not_match_A13(void **state)
{
    struct store *s = *state;
    struct forged made =
        store_forge("email:mallory5@example.net,URI:mailto:alice@example.org,otherName:1.2.3;UTF8:alice@"
                    "example.org,DNS:example.org",
                    100, NULL);

    store_must(s, store_add_file(s, "mallory.pgp"));
    store_must(s, store_add(s, made.der));
    assert_int_equal(store_lookup(s, "alice@example.org", 0), 0);
    assert_int_equal(store_lookup(s, "bob@example.com", 0), 0);
    assert_int_equal(store_lookup(s, "\u0430lice@example.org", 0), 0);
    assert_int_equal(store_lookup(s, "mallory0@example.net", 0), 1);
    assert_int_equal(store_lookup(s, "mallory1@example.net", 0), 1);
    assert_int_equal(store_lookup(s, "mallory5@example.net", 0), 1);
    forged_free(&made);
}

static void a_revoked_user_id_does_not_match_A13(void **state)
{
    struct store *s = *state;

    store_must(s, store_add_file(s, "dave.pgp"));
    assert_int_equal(store_lookup(s, "dave@example.com", 0), 0);
    assert_int_equal(store_lookup(s, "dave@example.org", 0), 1);
}

static void look_alikes_do_not_match_A13(void **state)
{
    struct store *s = *state;
    const char *const look_alikes[] = {"alice@ex\u0430mple.org",   "\u0430lice@example.org",
                                       "alice@examp1e.org",        "alice@example.org.evil.example",
                                       "alice@xn--exmple-4nf.org", "al\u0131ce@example.org",
                                       "alice@sub.example.org",    "alice@xample.org",
                                       "lice@example.org",         "xalice@example.org"};

    store_must(s, store_add_file(s, "alice.pgp"));
    for (size_t i = 0; i < sizeof look_alikes / sizeof look_alikes[0]; i++)
        assert_int_equal(store_lookup(s, look_alikes[i], 0), 0);
}

/* What SQL or a shell would take for more than a letter is one here. */
static void wildcards_and_sql_are_plain_letters(void **state)
{
    struct store *s = *state;
    const char *const tricks[] = {"%@example.org",
                                  "_lice@example.org",
                                  "a*@example.org",
                                  "alic?@example.org",
                                  "\"%\"@example.org",
                                  "'or'1'='1@example.org",
                                  "\"' OR 1=1 --\"@example.org",
                                  "\"'; DROP TABLE certificate; --\"@example.org",
                                  "\"\\\" OR 1=1 --\"@example.org",
                                  "alice@[example.org]"};

    store_must(s, store_add_file(s, "alice.pgp"));
    for (size_t i = 0; i < sizeof tricks / sizeof tricks[0]; i++)
        assert_int_equal(store_lookup(s, tricks[i], 0), 0);
    assert_int_equal(store_try(s, "alice@%", 0), STATUS_INVALID);
    assert_int_equal(store_try(s, "alice@*", 0), STATUS_INVALID);
    assert_int_equal(store_lookup(s, "alice@example.org", 0), 1);
}

static void odd_addresses_match_themselves_alone(void **state)
{
    struct store *s = *state;
    const char *const odd[] = {"%@example.org", "o'hara@example.org", "*@example.org", "a_b@example.org"};

    for (size_t i = 0; i < 4; i++) {
        char san[60];
        snprintf(san, sizeof san, "email:%s", odd[i]);
        add_san(s, san, 365);
    }
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(store_lookup(s, odd[i], 0), 1);
        assert_string_equal(s->list.items[0].addresses, odd[i]);
    }
    assert_int_equal(store_lookup(s, "axb@example.org", 0), 0);
}

static void international_domains_match_in_both_forms(void **state)
{
    struct store *s = *state;

    add_san(s, "email:a@xn--bcher-kva.example", 365);
    /* SEQUENCE { otherName SmtpUTF8Mailbox "b\u00f6@b\u00fccher.example" } (RFC 8398 §3) */
    add_san(s, "DER:3023a02106082b06010505070809a0150c1362c3b64062c3bc636865722e6578616d706c65", 365);
    const char *const who[] = {"a", "b\u00f6"};
    for (size_t i = 0; i < 2; i++) {
        char address[60];
        snprintf(address, sizeof address, "%s@b\u00fccher.example", who[i]);
        assert_int_equal(store_lookup(s, address, 0), 1);
        snprintf(address, sizeof address, "%s@XN--Bcher-KVA.example", who[i]);
        assert_int_equal(store_lookup(s, address, 0), 1);
    }
    assert_int_equal(store_lookup(s, "a@bucher.example", 0), 0);
}

static void a_tag_falls_back_to_the_plain_address(void **state)
{
    struct store *s = *state;

    store_must(s, store_add_file(s, "user.pgp"));
    assert_int_equal(store_lookup(s, "User+tag@example.org", 0), 1);
    assert_string_equal(s->list.items[0].addresses, "user@example.org");
    assert_int_equal(store_lookup(s, "other+tag@example.org", 0), 0);
    assert_int_equal(store_lookup(s, "user+tag@example.com", 0), 0);

    store_must(s, store_add_file(s, "tag.pgp"));
    assert_int_equal(store_lookup(s, "user+tag@example.org", 0), 1);
    assert_string_equal(s->list.items[0].addresses, "user+tag@example.org");
    assert_int_equal(store_lookup(s, "user+else@example.org", 0), 1);
    assert_string_equal(s->list.items[0].addresses, "user@example.org");
    /* and never from the plain address to a tagged one */
    assert_int_equal(store_lookup(s, "user@example.org", 0), 1);
    assert_string_equal(s->list.items[0].addresses, "user@example.org");
}

static void formats_coexist_usable_ones_first_then_newest(void **state)
{
    struct store *s = *state;

    add_san(s, "email:alice@example.org", 0); /* expired */
    store_must(s, store_add_file(s, "alice.pgp"));
    add_san(s, "email:alice@example.org,email:bob@example.org", 365);
    store_sql(s, "UPDATE certificate SET added = added - 10 WHERE format = 1");
    assert_int_equal(store_lookup(s, "alice@example.org", 0), 3);
    assert_int_equal(s->list.items[0].format, CERTIFICATE_SMIME);
    assert_true(s->list.items[0].usable);
    assert_int_equal(s->list.items[1].format, CERTIFICATE_OPENPGP);
    assert_true(s->list.items[1].usable);
    assert_false(s->list.items[2].usable);
    store_sql(s, "UPDATE certificate SET added = added + 20 WHERE format = 1");
    assert_int_equal(store_lookup(s, "alice@example.org", 0), 3);
    assert_int_equal(s->list.items[0].format, CERTIFICATE_OPENPGP);
    assert_int_equal(store_lookup(s, "bob@example.org", 0), 1);
    assert_string_equal(s->list.items[0].addresses, "alice@example.org, bob@example.org");
}

/* ---- fitness by time ---- */

static void an_openpgp_certificate_expires_by_itself(void **state)
{
    struct store *s = *state;

    store_must(s, store_add_file(s, "erin.pgp"));
    assert_int_equal(store_lookup(s, "erin@example.org", 0), 1);
    assert_true(s->list.items[0].usable);
    assert_int_equal(s->list.items[0].n_keyids, 1);
    assert_int_equal(store_lookup(s, "erin@example.org", 40), 1);
    assert_false(s->list.items[0].usable);
    assert_non_null(strstr(s->list.items[0].reason, "expired on 20"));
    assert_string_equal(s->list.items[0].addresses, "erin@example.org");
}

static void an_x509_certificate_expires_by_itself(void **state)
{
    struct store *s = *state;

    add_san(s, "email:alice@example.org", 10);
    assert_int_equal(store_lookup(s, "alice@example.org", 9), 1);
    assert_true(s->list.items[0].usable);
    assert_int_equal(store_lookup(s, "alice@example.org", 11), 1);
    assert_false(s->list.items[0].usable);
    assert_non_null(strstr(s->list.items[0].reason, "expired on 20"));
    /* a wrong clock, set right again */
    assert_int_equal(store_lookup(s, "alice@example.org", 0), 1);
    assert_true(s->list.items[0].usable);
}

static void a_judgement_is_kept_for_a_day(void **state)
{
    struct store *s = *state;

    store_must(s, store_add_file(s, "alice.pgp"));
    fixture_run(&s->f, "rm -f runs");
    for (int i = 0; i < 3; i++)
        assert_int_equal(store_lookup(s, "alice@example.org", 0), 1);
    assert_int_equal(fixture_count_runs(&s->f), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(store_lookup(s, "alice@example.org", 2), 1);
    assert_int_equal(fixture_count_runs(&s->f), 1);
}

static void new_roots_are_heeded_within_a_day(void **state)
{
    struct store *s = *state;
    struct forged stranger = store_forge_ca();

    add_san(s, "email:alice@example.org", 365);
    store_trust(s, &stranger);
    assert_int_equal(store_lookup(s, "alice@example.org", 2), 1);
    assert_false(s->list.items[0].usable);
    assert_non_null(strstr(s->list.items[0].reason, "trusted root"));
    forged_free(&stranger);
}

/* ---- failures ---- */

static void a_failed_inspection_is_temporary_A33(void **state)
{
    struct store *s = *state;

    store_must(s, store_add_file(s, "erin.pgp"));
    fixture_run(&s->f, "touch broken");
    assert_int_equal(store_lookup(s, "erin@example.org", 0), 1); /* judged today */
    assert_int_equal(store_try(s, "erin@example.org", 2), STATUS_TEMPORARY);
    assert_non_null(strstr(s->err.text, "could not be judged again"));
    assert_int_equal(store_try(s, "erin@example.org", 40), STATUS_TEMPORARY);
    assert_int_equal(store_try(s, "erin+tag@example.org", 40), STATUS_TEMPORARY);
    fixture_run(&s->f, "rm broken");
    assert_int_equal(store_lookup(s, "erin@example.org", 2), 1);
    assert_true(s->list.items[0].usable);
}

static void a_failed_query_is_temporary_A33(void **state)
{
    struct store *s = *state;

    store_must(s, store_add_file(s, "alice.pgp"));
    store_sql(s, "ALTER TABLE address RENAME TO gone");
    assert_int_equal(store_try(s, "alice@example.org", 0), STATUS_TEMPORARY);
    assert_int_equal(store_try(s, "nobody@example.org", 0), STATUS_TEMPORARY);
}

static void a_database_others_may_read_is_never_taken_for_empty_A26(void **state)
{
    struct store *s = *state;

    store_must(s, store_add_file(s, "alice.pgp"));
    store_close(s);
    assert_int_equal(chmod(s->path, 0644), 0);
    assert_int_equal(keystore_open(&s->settings, &s->ks, &s->err), STATUS_DENIED);
    assert_null(s->ks);
    assert_int_equal(chmod(s->path, 0600), 0);
    store_open(s);
    assert_int_equal(store_lookup(s, "alice@example.org", 0), 1);
}

static void a_damaged_database_is_never_taken_for_empty(void **state)
{
    struct store *s = *state;

    store_must(s, store_add_file(s, "alice.pgp"));
    store_close(s);
    fixture_run(&s->f, "printf 'garbage garbage garbage' | dd of=ks.db conv=notrunc status=none");
    assert_int_equal(keystore_open(&s->settings, &s->ks, &s->err), STATUS_INTERNAL);
    assert_null(s->ks);
}

static void a_database_that_is_gone_is_never_taken_for_empty_A33(void **state)
{
    struct store *s = *state;

    store_must(s, store_add_file(s, "alice.pgp"));
    store_close(s);
    fixture_run(&s->f, "rm -f ks.db*");
    assert_int_equal(keystore_open(&s->settings, &s->ks, &s->err), STATUS_INVALID);
    assert_null(s->ks);
    assert_non_null(strstr(s->err.text, "restore it"));
    fixture_run(&s->f, "rm -rf e");
    store_open(s);
    assert_int_equal(store_lookup(s, "alice@example.org", 0), 0);
}

/* Whoever mixes up rows: the bytes of another certificate are never handed out as this address's. */
static void swapped_bytes_are_noticed_when_judged_again(void **state)
{
    struct store *s = *state;

    store_must(s, store_add_file(s, "alice.pgp"));
    store_must(s, store_add_file(s, "user.pgp"));
    store_sql(s, "UPDATE certificate SET bytes = (SELECT bytes FROM certificate WHERE addresses = "
                 "'user@example.org')");
    assert_int_equal(store_try(s, "alice@example.org", 2), STATUS_TEMPORARY);
    assert_int_equal(store_lookup(s, "user@example.org", 2), 1);
}

static void missing_parts_do_not_open(void **state)
{
    struct store *s = *state;

    store_close(s);
    s->settings.gpg_path = "/nonexistent/gpg";
    assert_int_not_equal(keystore_open(&s->settings, &s->ks, &s->err), STATUS_OK);
    s->settings.gpg_path = s->gpg;
    s->settings.roots_path = "/nonexistent/roots.pem";
    assert_int_not_equal(keystore_open(&s->settings, &s->ks, &s->err), STATUS_OK);
    assert_non_null(strstr(s->err.text, "/nonexistent/roots.pem"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, store_set_up, store_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_known_is_an_empty_list),
        TEST(case_of_the_address_does_not_matter),
        TEST(case_of_the_local_part_matters_when_configured),
        TEST(an_address_in_the_comment_does_not_match_A13),
        TEST(an_address_elsewhere_in_a_user_id_does_not_match_A13),
        TEST(a_revoked_user_id_does_not_match_A13),
        TEST(look_alikes_do_not_match_A13),
        TEST(wildcards_and_sql_are_plain_letters),
        TEST(odd_addresses_match_themselves_alone),
        TEST(international_domains_match_in_both_forms),
        TEST(a_tag_falls_back_to_the_plain_address),
        TEST(formats_coexist_usable_ones_first_then_newest),
        TEST(an_openpgp_certificate_expires_by_itself),
        TEST(an_x509_certificate_expires_by_itself),
        TEST(a_judgement_is_kept_for_a_day),
        TEST(new_roots_are_heeded_within_a_day),
        TEST(a_failed_inspection_is_temporary_A33),
        TEST(a_failed_query_is_temporary_A33),
        TEST(a_database_others_may_read_is_never_taken_for_empty_A26),
        TEST(a_damaged_database_is_never_taken_for_empty),
        TEST(a_database_that_is_gone_is_never_taken_for_empty_A33),
        TEST(swapped_bytes_are_noticed_when_judged_again),
        TEST(missing_parts_do_not_open),
    };

    return cmocka_run_group_tests(tests, store_group_make, store_group_drop);
}
