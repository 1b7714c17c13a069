/* Passwords that were right not long ago. */
#include "base/clock.h"
#include "gateway/users/remembered.h"
#include "tests/unit/users/fixture.h"

#define HASH "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7"
#define OTHER "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ8"

static struct remembered *new_remembered(int64_t for_ms)
{
    struct remembered *r = malloc(sizeof *r);
    struct error err;
    assert_non_null(r);
    assert_int_equal(remembered_init(r, for_ms, &err), STATUS_OK);
    return r;
}

static void test_only_this_password_of_this_hash_for_its_time(void **state)
{
    (void)state;
    struct remembered *r = new_remembered(100);
    assert_false(remembered_has(r, HASH, "secret", 1000));
    remembered_add(r, HASH, "secret", 1000);
    assert_true(remembered_has(r, HASH, "secret", 1000));
    assert_true(remembered_has(r, HASH, "secret", 1099));
    assert_false(remembered_has(r, HASH, "secret", 1100));
    assert_false(remembered_has(r, HASH, "Secret", 1000));
    assert_false(remembered_has(r, HASH, "", 1000));
    assert_false(remembered_has(r, OTHER, "secret", 1000));
    /* What ends the one must not begin the other. */
    assert_false(remembered_has(r, HASH "s", "ecret", 1000));
    free(r);
}

static void test_nothing_without_a_time(void **state)
{
    (void)state;
    struct remembered *r = new_remembered(0);
    remembered_add(r, HASH, "secret", 1000);
    assert_false(remembered_has(r, HASH, "secret", 1000));
    free(r);
}

static void test_the_password_is_not_kept(void **state)
{
    (void)state;
    struct remembered *r = new_remembered(100), *again = new_remembered(100);
    remembered_add(r, HASH, "very secret", 1000);
    assert_null(memmem(r, sizeof *r, "very secret", 11));
    remembered_add(again, HASH, "very secret", 1000);
    assert_memory_not_equal(r->key, again->key, sizeof r->key);
    remembered_wipe(r);
    for (size_t i = 0; i < sizeof *r; i++)
        assert_int_equal(((unsigned char *)r)[i], 0);
    free(r);
    free(again);
}

static void test_many_passwords_push_out_each_other(void **state)
{
    (void)state;
    struct remembered *r = new_remembered(100);
    int known = 0;
    char password[40];
    for (int i = 0; i < 20 * REMEMBERED_MAX; i++) {
        snprintf(password, sizeof password, "password %d", i);
        remembered_add(r, HASH, password, 1000);
        assert_true(remembered_has(r, HASH, password, 1000));
    }
    for (int i = 0; i < 20 * REMEMBERED_MAX; i++) {
        snprintf(password, sizeof password, "password %d", i);
        known += remembered_has(r, HASH, password, 1000);
    }
    assert_in_range(known, 1, REMEMBERED_MAX);
    free(r);
}

/* ---- asked by users_check: a hash that no password has shows that nothing was hashed ---- */

static enum status check(struct users *users, const char *name, const char *password, struct remembered *r)
{
    const struct user *user;
    struct error err;
    enum status st = users_check(users, name, password, r, &user, &err);
    assert_int_equal(st == STATUS_OK, user != NULL);
    return st;
}

static void load(const struct folder *f, struct users *users, const char *text)
{
    struct error err = {0};
    write_users(f, text, strlen(text), 0600);
    if (users_load(f->users, users, &err) != STATUS_OK)
        fail_msg("%s", err.text);
}

static void test_a_remembered_user_costs_no_hash(void **state)
{
    struct remembered *r = new_remembered(60000);
    struct users users;
    load(*state, &users, "alice:" HASH "\n");
    assert_int_equal(check(&users, "alice", "secret", r), STATUS_DENIED);
    remembered_add(r, HASH, "secret", clock_mono_ms());
    assert_int_equal(check(&users, "alice", "secret", r), STATUS_OK);
    assert_int_equal(check(&users, "alice", "secret", NULL), STATUS_DENIED);
    assert_int_equal(check(&users, "alice", "other", r), STATUS_DENIED);
    users_free(&users);
    /* She has a new password. */
    load(*state, &users, "alice:" OTHER "\n");
    assert_int_equal(check(&users, "alice", "secret", r), STATUS_DENIED);
    users_free(&users);
    free(r);
}

static void test_only_right_passwords_are_remembered(void **state)
{
    const struct folder *f = *state;
    struct remembered *r = new_remembered(60000);
    struct user alice = {.name = strdup("alice")};
    struct users users;
    struct error err;
    assert_int_equal(user_set_password(&alice, "secret", &err), STATUS_OK);
    unlink(f->users);
    assert_int_equal(users_change(f->users, USER_ADD, &alice, &err), STATUS_OK);
    assert_int_equal(users_load(f->users, &users, &err), STATUS_OK);
    assert_int_equal(check(&users, "alice", "wrong", r), STATUS_DENIED);
    assert_false(remembered_has(r, alice.hash, "wrong", clock_mono_ms()));
    /* Somebody who is not there, with the password of the only one who may stand in. */
    assert_int_equal(check(&users, "nobody", "secret", r), STATUS_DENIED);
    assert_false(remembered_has(r, alice.hash, "secret", clock_mono_ms()));
    assert_int_equal(check(&users, "alice", "secret", r), STATUS_OK);
    assert_true(remembered_has(r, alice.hash, "secret", clock_mono_ms()));
    assert_int_equal(check(&users, "nobody", "secret", r), STATUS_DENIED);
    user_wipe(&alice);
    users_free(&users);
    free(r);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, folder_make, folder_remove)
    const struct CMUnitTest tests[] = {
        TEST(test_only_this_password_of_this_hash_for_its_time),
        TEST(test_nothing_without_a_time),
        TEST(test_the_password_is_not_kept),
        TEST(test_many_passwords_push_out_each_other),
        TEST(test_a_remembered_user_costs_no_hash),
        TEST(test_only_right_passwords_are_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
