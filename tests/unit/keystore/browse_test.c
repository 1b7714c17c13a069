/* Lists, certificates by fingerprint, removal. */
#include "tests/unit/keystore/store.h"

#include <ctype.h>

static int set_up(void **state)
{
    struct store *s = calloc(1, sizeof *s);

    assert_non_null(s);
    store_make(s);
    store_open(s);
    *state = s;
    const char *const files[] = {"erin.pgp", "alice.pgp", "frank.pgp"};
    for (size_t i = 0; i < 3; i++)
        store_must(s, store_add_file(s, files[i]));
    struct forged made = store_forge("email:bob@example.org", 5, NULL);
    store_must(s, store_add(s, made.der));
    forged_free(&made);
    return 0;
}

static int tear_down(void **state)
{
    struct store *s = *state;

    store_close(s);
    fixture_free(&s->f);
    free(s);
    return 0;
}

static void check_order(struct store *s, const char *const *addresses)
{
    size_t n = 0;

    for (; addresses[n]; n++) {
        assert_true(n < s->list.n);
        assert_string_equal(s->list.items[n].addresses, addresses[n]);
    }
    assert_int_equal(s->list.n, n);
}

static void lists_are_sorted_by_address(void **state)
{
    struct store *s = *state;
    const char *const all[] = {"Alice@Example.ORG", "bob@example.org", "erin@example.org",
                               "frank@example.org", NULL};

    certificate_list_free(&s->list);
    store_must(s, keystore_list(s->ks, &s->list, &s->err));
    check_order(s, all);
    assert_int_equal(s->list.items[0].bytes.len, 0);
    assert_false(s->list.items[3].usable);
}

static void expiring_ones_are_found(void **state)
{
    struct store *s = *state;
    const char *const none[] = {NULL}, *const week[] = {"bob@example.org", NULL},
                      *const months[] = {"bob@example.org", "erin@example.org", NULL};
    const struct {
        int days;
        const char *const *addresses;
    } cases[] = {{0, none}, {3, none}, {7, week}, {60, months}, {INT32_MAX, months}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        certificate_list_free(&s->list);
        store_must(s, keystore_expiring(s->ks, cases[i].days, &s->list, &s->err));
        check_order(s, cases[i].addresses);
    }
    certificate_list_free(&s->list);
    assert_int_equal(keystore_expiring(s->ks, -1, &s->list, &s->err), STATUS_INVALID);
}

/* Nothing is shown as usable behind its date, although lists do not inspect. */
static void expired_ones_are_listed_as_such(void **state)
{
    struct store *s = *state;

    store_sql(s, "UPDATE certificate SET expires = 1000000000 WHERE addresses = 'erin@example.org'");
    certificate_list_free(&s->list);
    store_must(s, keystore_expiring(s->ks, 0, &s->list, &s->err));
    assert_int_equal(s->list.n, 1);
    assert_false(s->list.items[0].usable);
    assert_string_equal(s->list.items[0].reason, "expired on 2001-09-09");
}

static enum status show(struct store *s, const char *fingerprint)
{
    certificate_list_free(&s->list);
    return keystore_show(s->ks, fingerprint, &s->list, &s->err);
}

static void fingerprints_are_read_as_people_write_them(void **state)
{
    struct store *s = *state;
    char full[65], text[200] = "0x";

    store_lookup(s, "alice@example.org", 0);
    strcpy(full, s->list.items[0].fingerprint);
    store_must(s, show(s, full));
    assert_string_equal(s->list.items[0].addresses, "Alice@Example.ORG");
    assert_true(s->list.items[0].bytes.len > 0);
    store_must(s, show(s, full + strlen(full) - 16));
    assert_string_equal(s->list.items[0].fingerprint, full);
    strcat(text, full);
    store_must(s, show(s, text));
    for (size_t i = 0; i <= strlen(full); i++)
        snprintf(text + 3 * i, 4, "%c%s", tolower(full[i]), i % 2 ? ": " : "  ");
    text[3 * strlen(full)] = '\0';
    store_must(s, show(s, text));
    assert_string_equal(s->list.items[0].fingerprint, full);
}

static void what_is_no_fingerprint_is_refused(void **state)
{
    struct store *s = *state;
    const char *const wrong[] = {"",
                                 "0x",
                                 "alice@example.org",
                                 "0123456789ABCDE",
                                 "%%%%%%%%%%%%%%%%",
                                 "________________",
                                 "0123456789ABCDEF'",
                                 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0"};

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(show(s, wrong[i]), STATUS_INVALID);
        assert_int_equal(keystore_remove(s->ks, wrong[i], &s->err), STATUS_INVALID);
    }
    assert_int_equal(show(s, "0123456789ABCDEF"), STATUS_NOT_FOUND);
    assert_int_equal(keystore_remove(s->ks, "0123456789ABCDEF", &s->err), STATUS_NOT_FOUND);
    certificate_list_free(&s->list);
    store_must(s, keystore_list(s->ks, &s->list, &s->err));
    assert_int_equal(s->list.n, 4);
}

static void an_ambiguous_end_is_refused(void **state)
{
    struct store *s = *state;

    store_sql(s, "UPDATE certificate SET fingerprint = '1111000000000000AAAA' WHERE addresses = "
                 "'erin@example.org'");
    store_sql(s, "UPDATE certificate SET fingerprint = '2222000000000000AAAA' WHERE addresses = "
                 "'frank@example.org'");
    assert_int_equal(show(s, "000000000000AAAA"), STATUS_INVALID);
    assert_non_null(strstr(s->err.text, "2 certificates"));
    assert_int_equal(keystore_remove(s->ks, "000000000000AAAA", &s->err), STATUS_INVALID);
    store_must(s, show(s, "1111000000000000AAAA"));
}

static void a_removed_certificate_is_gone(void **state)
{
    struct store *s = *state;

    store_lookup(s, "bob@example.org", 0);
    store_must(s, keystore_remove(s->ks, s->list.items[0].fingerprint, &s->err));
    assert_int_equal(store_lookup(s, "bob@example.org", 0), 0);
    assert_int_equal(store_lookup(s, "alice@example.org", 0), 1);
    store_close(s);
    store_open(s);
    assert_int_equal(store_lookup(s, "bob@example.org", 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_are_sorted_by_address),
        cmocka_unit_test(expiring_ones_are_found),
        cmocka_unit_test(fingerprints_are_read_as_people_write_them),
        cmocka_unit_test(what_is_no_fingerprint_is_refused),
        cmocka_unit_test(a_removed_certificate_is_gone),
        cmocka_unit_test(expired_ones_are_listed_as_such),
    };
    const struct CMUnitTest changing[] = {
        cmocka_unit_test_setup_teardown(an_ambiguous_end_is_refused, set_up, tear_down),
    };
    int failed = cmocka_run_group_tests(tests, set_up, tear_down);

    return failed + cmocka_run_group_tests(changing, NULL, NULL);
}
