/* Which of several certificates comes first: own and domain's, pins, preferences, what worked; and old
 * databases. */
#include "tests/unit/keystore/store.h"

#include "keystore/record.h"

/* Adds one certificate for a SAN, to DOMAIN when not NULL, AGE seconds ago; its fingerprint. */
static const char *add(struct store *s, const char *san, int days, const char *domain, int age,
                       char fingerprint[CERTIFICATE_FINGERPRINT_SIZE])
{
    struct forged made = store_forge(san, days, NULL);
    struct sql_stmt *stmt;

    certificate_list_free(&s->list);
    store_must(s, keystore_add_for_domain(s->ks, made.der, "local", domain, &s->list, &s->err));
    snprintf(fingerprint, CERTIFICATE_FINGERPRINT_SIZE, "%s", s->list.items[0].fingerprint);
    store_must(s, sql_prepare(s->ks->sql, "UPDATE certificate SET added = added - ?1 WHERE fingerprint = ?2",
                              &stmt, &s->err));
    sql_bind_int(stmt, 1, age);
    sql_bind_str(stmt, 2, fingerprint);
    store_must(s, sql_run(stmt, &s->err));
    forged_free(&made);
    return fingerprint;
}

/* The certificates of ADDRESS are these, in this order; ended by NULL. */
static void expect(struct store *s, const char *address, const char *const *fingerprints)
{
    size_t n = 0;

    while (fingerprints[n])
        n++;
    assert_int_equal(store_lookup(s, address, 0), n);
    for (size_t i = 0; i < n; i++)
        assert_string_equal(s->list.items[i].fingerprint, fingerprints[i]);
}

#define EXPECT(s, address, ...) expect(s, address, (const char *const[]){__VA_ARGS__, NULL})

typedef char fpr[CERTIFICATE_FINGERPRINT_SIZE];

/* ---- domains ---- */

/* RFC 3183: the name of an authority, not of a person. */
#define AUTHORITY "email:domain-confidentiality-authority@partner.example"

static void a_domain_certificate_counts_for_every_address_there(void **state)
{
    struct store *s = *state;
    fpr domain;
    const char *const there[] = {"anybody@partner.example", "Some.One+tag@PARTNER.example",
                                 "\"odd one\"@partner.example"};
    const char *const elsewhere[] = {"a@sub.partner.example", "a@partner.example.org", "a@example",
                                     "a@xpartner.example"};

    add(s, AUTHORITY, 100, "Partner.example", 0, domain);
    assert_string_equal(s->list.items[0].domains, "partner.example");
    for (size_t i = 0; i < sizeof there / sizeof there[0]; i++) {
        EXPECT(s, there[i], domain);
        assert_true(s->list.items[0].for_domain && s->list.items[0].usable);
        assert_true(s->list.items[0].bytes.len > 0);
    }
    for (size_t i = 0; i < sizeof elsewhere / sizeof elsewhere[0]; i++)
        assert_int_equal(store_lookup(s, elsewhere[i], 0), 0);
    /* both: of the address that it names it is the own one */
    EXPECT(s, "domain-confidentiality-authority@partner.example", domain);
    assert_false(s->list.items[0].for_domain);
}

static void it_may_name_addresses_of_another_domain(void **state)
{
    struct store *s = *state;

    certificate_list_free(&s->list);
    struct buf file;
    fixture_read(&s->f, "alice.pgp", &file);
    store_must(
        s, keystore_add_for_domain(s->ks, buf_span(&file), "local", "@partner.example", &s->list, &s->err));
    buf_free(&file);
    assert_int_equal(store_lookup(s, "bob@partner.example", 0), 1);
    assert_true(s->list.items[0].for_domain);
    assert_int_equal(store_lookup(s, "alice@example.org", 0), 1);
    assert_false(s->list.items[0].for_domain);
    assert_int_equal(store_lookup(s, "bob@example.org", 0), 0);
}

static void international_domains_are_bound_in_both_forms(void **state)
{
    struct store *s = *state;
    fpr one, two;

    add(s, "email:gate@example.org", 100, "b\u00fccher.example", 10, one);
    assert_string_equal(s->list.items[0].domains, "xn--bcher-kva.example");
    add(s, "email:gate@example.org", 100, "XN--BCHER-KVA.example", 5, two);
    EXPECT(s, "a@b\u00fccher.example", two, one);
    EXPECT(s, "a@xn--bcher-kva.example", two, one);
    assert_int_equal(store_lookup(s, "a@bucher.example", 0), 0);
}

static void what_is_no_domain_is_told(void **state)
{
    struct store *s = *state;
    struct forged made = store_forge("email:gate@example.org", 100, NULL);
    const char *const bad[] = {"",          "@",           "user@partner.example", "partner..example",
                               "ex ample",  ".example",    "partner.example.",     "*.example",
                               "a\nb.test", "\xff.example"};

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(keystore_add_for_domain(s->ks, made.der, "local", bad[i], &s->list, &s->err),
                         STATUS_INVALID);
        assert_non_null(strstr(s->err.text, "not a domain"));
    }
    store_must(s, keystore_list(s->ks, &s->list, &s->err));
    assert_int_equal(s->list.n, 0);
    forged_free(&made);
}

static void own_ones_come_first_even_when_expired(void **state)
{
    struct store *s = *state;
    fpr own, expired, domain, old, expired_domain;

    add(s, "email:gate@partner.example", 100, "partner.example", 50, old);
    add(s, "email:gate@partner.example", 100, "partner.example", 10, domain);
    add(s, "email:gate@partner.example", 0, "partner.example", 0, expired_domain);
    add(s, "email:bob@partner.example", 0, NULL, 5, expired);
    EXPECT(s, "bob@partner.example", expired, domain, old, expired_domain);
    assert_false(s->list.items[0].usable);
    assert_true(s->list.items[1].usable && s->list.items[2].usable);
    add(s, "email:bob@partner.example", 100, NULL, 99, own);
    EXPECT(s, "bob@partner.example", own, expired, domain, old, expired_domain);
    EXPECT(s, "bob+tag@partner.example", own, expired, domain, old, expired_domain);
}

static void a_domain_stays_bound_and_goes_with_the_certificate(void **state)
{
    struct store *s = *state;

    store_must(s, store_add_file(s, "alice.pgp"));
    struct buf file;
    fixture_read(&s->f, "alice.pgp", &file);
    certificate_list_free(&s->list);
    store_must(s, keystore_add_for_domain(s->ks, buf_span(&file), "local", "one.example", &s->list, &s->err));
    certificate_list_free(&s->list);
    store_must(s, keystore_add_for_domain(s->ks, buf_span(&file), "local", "two.example", &s->list, &s->err));
    buf_free(&file);
    store_must(s, store_add_file(s, "alice.pgp"));
    assert_string_equal(s->list.items[0].domains, "one.example, two.example");
    assert_int_equal(store_lookup(s, "a@one.example", 9), 1); /* judged anew */
    assert_int_equal(store_lookup(s, "a@two.example", 0), 1);
    fpr alice;
    snprintf(alice, sizeof alice, "%s", s->list.items[0].fingerprint);
    store_must(s, keystore_remove(s->ks, alice, &s->err));
    assert_int_equal(store_lookup(s, "a@one.example", 0), 0);
    store_must(s, store_add_file(s, "alice.pgp"));
    assert_int_equal(store_lookup(s, "a@one.example", 0), 0);
}

static void certificates_of_a_domain_are_bounded(void **state)
{
    struct store *s = *state;
    struct forged made;
    char san[60];

    for (int i = 0; i < KEYSTORE_PER_ADDRESS_MAX; i++) {
        fpr f;
        snprintf(san, sizeof san, "email:gate%d@example.org", i);
        add(s, san, 100, "partner.example", 0, f);
    }
    made = store_forge("email:more@example.org", 100, NULL);
    certificate_list_free(&s->list);
    assert_int_equal(keystore_add_for_domain(s->ks, made.der, "local", "partner.example", &s->list, &s->err),
                     STATUS_LIMIT);
    assert_int_equal(store_lookup(s, "more@example.org", 0), 0);
    forged_free(&made);
}

static void a_failed_query_of_the_domain_is_temporary_A33(void **state)
{
    struct store *s = *state;

    store_must(s, store_add_file(s, "alice.pgp"));
    store_sql(s, "ALTER TABLE domain RENAME TO gone");
    assert_int_equal(store_try(s, "alice@example.org", 0), STATUS_TEMPORARY);
    store_sql(s, "ALTER TABLE gone RENAME TO domain");
    store_sql(s, "ALTER TABLE preference RENAME TO gone");
    assert_int_equal(store_try(s, "alice@example.org", 0), STATUS_TEMPORARY);
}

/* ---- pins ---- */

static void pin(struct store *s, const char *fingerprint, bool pinned)
{
    certificate_list_free(&s->list);
    store_must(s, keystore_pin(s->ks, fingerprint, pinned, &s->list, &s->err));
    assert_int_equal(s->list.n, 1);
    assert_string_equal(s->list.items[0].fingerprint, fingerprint);
    assert_int_equal(s->list.items[0].pinned, pinned);
}

static void a_pinned_one_stays_A15(void **state)
{
    struct store *s = *state;
    fpr old, pinned, newer;

    add(s, "email:bob@example.org", 100, NULL, 50, old);
    add(s, "email:bob@example.org", 100, NULL, 40, pinned);
    EXPECT(s, "bob@example.org", pinned, old);
    pin(s, old, true);
    EXPECT(s, "bob@example.org", old, pinned);
    pin(s, old, false);
    pin(s, pinned, true);
    add(s, "email:BOB@example.org", 100, NULL, 0, newer);
    EXPECT(s, "bob@example.org", pinned, newer, old);
    certificate_list_free(&s->list);
    store_must(s, keystore_pinned_before(s->ks, newer, &s->list, &s->err));
    assert_int_equal(s->list.n, 1);
    assert_string_equal(s->list.items[0].fingerprint, pinned);
    /* itself is behind none */
    certificate_list_free(&s->list);
    store_must(s, keystore_pinned_before(s->ks, pinned, &s->list, &s->err));
    assert_int_equal(s->list.n, 0);
    pin(s, pinned, false);
    EXPECT(s, "bob@example.org", newer, pinned, old);
}

static void a_pin_is_of_one_format_and_of_the_domain_too_A15(void **state)
{
    struct store *s = *state;
    fpr pinned, domain, newer;

    add(s, "email:alice@example.org", 100, NULL, 50, pinned);
    pin(s, pinned, true);
    store_must(s, store_add_file(s, "alice.pgp"));
    fpr openpgp;
    snprintf(openpgp, sizeof openpgp, "%s", s->list.items[0].fingerprint);
    certificate_list_free(&s->list);
    store_must(s, keystore_pinned_before(s->ks, openpgp, &s->list, &s->err));
    assert_int_equal(s->list.n, 0);

    add(s, "email:gate@partner.example", 100, "partner.example", 50, domain);
    pin(s, domain, true);
    add(s, "email:other@example.net", 100, "partner.example", 0, newer);
    EXPECT(s, "x@partner.example", domain, newer);
    certificate_list_free(&s->list);
    store_must(s, keystore_pinned_before(s->ks, newer, &s->list, &s->err));
    assert_int_equal(s->list.n, 1);
}

static void a_pin_outlives_another_copy_of_the_bytes(void **state)
{
    struct store *s = *state;

    store_must(s, store_add_file(s, "alice.pgp"));
    fpr alice;
    snprintf(alice, sizeof alice, "%s", s->list.items[0].fingerprint);
    pin(s, alice, true);
    store_must(s, store_add_file(s, "alice.asc"));
    assert_true(s->list.items[0].pinned);
}

static void an_unusable_pinned_one_is_behind(void **state)
{
    struct store *s = *state;
    fpr expired, newer;

    add(s, "email:bob@example.org", 0, NULL, 50, expired);
    pin(s, expired, true);
    assert_false(s->list.items[0].usable); /* dates count for pinned ones, too */
    add(s, "email:bob@example.org", 100, NULL, 0, newer);
    EXPECT(s, "bob@example.org", newer, expired);
}

static void a_pinned_one_needs_no_chain(void **state)
{
    struct store *s = *state;
    fpr bob;

    struct forged stranger = store_forge_ca();
    store_trust(s, &stranger);
    forged_free(&stranger);
    struct forged made = store_forge("email:bob@example.org", 100, NULL);
    store_must(s, store_add(s, made.der));
    assert_false(s->list.items[0].usable);
    snprintf(bob, sizeof bob, "%s", s->list.items[0].fingerprint);
    pin(s, bob, true);
    assert_true(s->list.items[0].usable);
    assert_int_equal(store_lookup(s, "bob@example.org", 2), 1); /* judged anew */
    assert_true(s->list.items[0].usable);
    store_must(s, store_add(s, made.der)); /* and added again */
    assert_true(s->list.items[0].usable && s->list.items[0].pinned);
    pin(s, bob, false);
    assert_false(s->list.items[0].usable);
    assert_non_null(strstr(s->list.items[0].reason, "trusted root"));
    forged_free(&made);
}

static void nobody_is_pinned_by_mistake(void **state)
{
    struct store *s = *state;

    assert_int_equal(keystore_pin(s->ks, "0123456789ABCDEF", true, &s->list, &s->err), STATUS_NOT_FOUND);
    assert_int_equal(keystore_pin(s->ks, "bob@example.org", true, &s->list, &s->err), STATUS_INVALID);
}

/* ---- preferences ---- */

static enum certificate_format preferred(struct store *s, const char *address)
{
    store_lookup(s, address, 0);
    return s->list.preferred;
}

static void a_preference_is_of_the_address_then_of_the_domain(void **state)
{
    struct store *s = *state;
    struct keystore *ks = s->ks;

    store_must(s, store_add_file(s, "alice.pgp"));
    assert_int_equal(preferred(s, "alice@example.org"), 0);
    store_must(s, keystore_prefer(ks, "@Example.org", CERTIFICATE_OPENPGP, &s->err));
    assert_int_equal(preferred(s, "alice@example.org"), CERTIFICATE_OPENPGP);
    assert_int_equal(preferred(s, "alice@sub.example.org"), 0);
    store_must(s, keystore_prefer(ks, "Alice@example.org", CERTIFICATE_SMIME, &s->err));
    assert_int_equal(preferred(s, "alice@EXAMPLE.org"), CERTIFICATE_SMIME);
    assert_int_equal(preferred(s, "alice+tag@example.org"), CERTIFICATE_SMIME);
    assert_int_equal(preferred(s, "bob@example.org"), CERTIFICATE_OPENPGP);
    store_must(s, keystore_prefer(ks, "alice+tag@example.org", CERTIFICATE_OPENPGP, &s->err));
    assert_int_equal(preferred(s, "alice+tag@example.org"), CERTIFICATE_OPENPGP);
    assert_int_equal(preferred(s, "alice@example.org"), CERTIFICATE_SMIME);
    /* changed, and taken back */
    store_must(s, keystore_prefer(ks, "alice@example.org", CERTIFICATE_OPENPGP, &s->err));
    assert_int_equal(preferred(s, "alice@example.org"), CERTIFICATE_OPENPGP);
    store_must(s, keystore_prefer(ks, "@example.org", CERTIFICATE_SMIME, &s->err));
    store_must(s, keystore_prefer(ks, "ALICE@example.org", 0, &s->err));
    assert_int_equal(preferred(s, "alice@example.org"), CERTIFICATE_SMIME);
    store_must(s, keystore_prefer(ks, "@example.org", 0, &s->err));
    assert_int_equal(preferred(s, "alice@example.org"), 0);
}

static void a_preference_heeds_case_when_configured(void **state)
{
    struct store *s = *state;

    store_close(s);
    s->settings.local_part_case_sensitive = true;
    store_open(s);
    store_must(s, keystore_prefer(s->ks, "Bob@example.org", CERTIFICATE_SMIME, &s->err));
    store_must(s, keystore_prefer(s->ks, "bob@example.org", CERTIFICATE_OPENPGP, &s->err));
    assert_int_equal(preferred(s, "Bob@EXAMPLE.org"), CERTIFICATE_SMIME);
    assert_int_equal(preferred(s, "bob@example.org"), CERTIFICATE_OPENPGP);
    assert_int_equal(preferred(s, "BOB@example.org"), 0);
    assert_int_equal(keystore_prefer(s->ks, "nobody", CERTIFICATE_SMIME, &s->err), STATUS_INVALID);
    assert_int_equal(keystore_prefer(s->ks, "@a b", CERTIFICATE_SMIME, &s->err), STATUS_INVALID);
}

/* ---- what worked ---- */

static void what_worked_is_remembered(void **state)
{
    struct store *s = *state;
    fpr one, two, stranger = "00";

    add(s, "email:bob@example.org", 100, NULL, 10, one);
    add(s, "email:bob@example.org", 100, NULL, 5, two);
    char *worked[] = {stranger, one};
    store_must(s, keystore_worked(s->ks, worked, 2, 1234567, &s->err));
    EXPECT(s, "bob@example.org", two, one);
    assert_int_equal(s->list.items[0].worked_ms, 0);
    assert_int_equal(s->list.items[1].worked_ms, 1234567);
    store_must(s, keystore_worked(s->ks, worked, 0, 1, &s->err));
}

/* ---- old databases ---- */

/* A database of version 1 with the rows of the open keystore that it can hold. */
static void write_version_1(struct store *s, const char *path)
{
    const char *const steps[] = {keystore_schema[0], NULL};
    struct sql *old;
    struct sql_stmt *from, *to;
    bool row;

    store_must(s, sql_open(path, steps, &old, &s->err));
    store_must(s, sql_prepare(s->ks->sql,
                              "SELECT format, fingerprint, source, algorithm, keyids, addresses, reason,"
                              " expires, bytes FROM certificate",
                              &from, &s->err));
    while (sql_step(from, &row, &s->err) == STATUS_OK && row) {
        store_must(s, sql_prepare(old,
                                  "INSERT INTO certificate (format, fingerprint, source, algorithm, keyids,"
                                  " addresses, reason, expires, bytes, usable, added, inspected)"
                                  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 1, 17, 18)",
                                  &to, &s->err));
        sql_bind_int(to, 1, sql_col_int(from, 0));
        for (int i = 1; i < 7; i++)
            sql_bind_str(to, i + 1, sql_col_str(from, i));
        sql_bind_int(to, 8, sql_col_int(from, 7));
        sql_bind_blob(to, 9, sql_col_blob(from, 8));
        store_must(s, sql_run(to, &s->err));
        store_must(s, sql_prepare(old,
                                  "INSERT INTO address SELECT id, addresses, lower(addresses)"
                                  " FROM certificate WHERE id = ?1",
                                  &to, &s->err));
        sql_bind_int(to, 1, sql_inserted(old));
        store_must(s, sql_run(to, &s->err));
    }
    sql_close(old);
}

static void a_database_of_version_1_is_upgraded(void **state)
{
    struct store *s = *state;
    char old[120];
    struct forged made = store_forge("email:bob@example.org", 100, NULL);

    store_must(s, store_add(s, made.der));
    store_must(s, store_add_file(s, "erin.pgp"));
    snprintf(old, sizeof old, "%s/old.db", s->f.dir);
    write_version_1(s, old);
    store_close(s);
    fixture_run(&s->f, "rm -f ks.db*; for f in old.db*; do mv $f ks${f#old}; done");
    store_open(s);
    assert_int_equal(store_lookup(s, "erin@example.org", 0), 1);
    assert_true(s->list.items[0].usable && s->list.items[0].added == 17);
    assert_false(s->list.items[0].pinned);
    assert_null(s->list.items[0].domains);
    assert_int_equal(s->list.items[0].worked_ms, 0);
    assert_int_equal(store_lookup(s, "bob@example.org", 0), 1);
    assert_true(span_eq(buf_span(&s->list.items[0].bytes), made.der));
    /* and it takes what is new */
    fpr bob;
    snprintf(bob, sizeof bob, "%s", s->list.items[0].fingerprint);
    pin(s, bob, true);
    store_must(s, keystore_prefer(s->ks, "bob@example.org", CERTIFICATE_SMIME, &s->err));
    assert_int_equal(preferred(s, "bob@example.org"), CERTIFICATE_SMIME);
    forged_free(&made);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, store_set_up, store_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_domain_certificate_counts_for_every_address_there),
        TEST(it_may_name_addresses_of_another_domain),
        TEST(international_domains_are_bound_in_both_forms),
        TEST(what_is_no_domain_is_told),
        TEST(own_ones_come_first_even_when_expired),
        TEST(a_domain_stays_bound_and_goes_with_the_certificate),
        TEST(certificates_of_a_domain_are_bounded),
        TEST(a_failed_query_of_the_domain_is_temporary_A33),
        TEST(a_pinned_one_stays_A15),
        TEST(a_pin_is_of_one_format_and_of_the_domain_too_A15),
        TEST(a_pin_outlives_another_copy_of_the_bytes),
        TEST(an_unusable_pinned_one_is_behind),
        TEST(a_pinned_one_needs_no_chain),
        TEST(nobody_is_pinned_by_mistake),
        TEST(a_preference_is_of_the_address_then_of_the_domain),
        TEST(a_preference_heeds_case_when_configured),
        TEST(what_worked_is_remembered),
        TEST(a_database_of_version_1_is_upgraded),
    };

    return cmocka_run_group_tests(tests, store_group_make, store_group_drop);
}
