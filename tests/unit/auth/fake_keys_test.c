/* Fake SCRAM keys take the shape of the true ones (A19). */
#include "tests/unit/users/fixture.h"

#include "gateway/auth/fake_keys.h"

static const struct fake_secret secret = {.bytes = "a secret"};

/* N users with SCRAM keys of ITERATIONS and a salt of SALT_LEN. */
static void add_shape(struct users *users, size_t n, uint32_t iterations, size_t salt_len)
{
    for (size_t i = 0; i < n; i++) {
        char name[40];
        struct error err;
        snprintf(name, sizeof name, "u%u-%zu", iterations, i);
        struct user user = {.name = strdup(name),
                            .has_scram = true,
                            .scram = {.iterations = iterations, .salt_len = salt_len}};
        assert_int_equal(users_append(users, &user, &err), STATUS_OK);
    }
}

static struct scram_keys fake(const struct users *users, unsigned number)
{
    struct scram_keys keys;
    struct error err;
    char name[40];
    snprintf(name, sizeof name, "nobody%u", number);
    assert_int_equal(fake_keys_make(&secret, users, name, &keys, &err), STATUS_OK);
    return keys;
}

static void test_without_users(void **state)
{
    (void)state;
    struct users users = {0};
    struct scram_keys a = fake(&users, 1), b = fake(&users, 2), again = fake(&users, 1);
    assert_memory_equal(&a, &again, sizeof a);
    assert_memory_not_equal(a.salt, b.salt, SCRAM_SALT_SIZE);
    assert_memory_not_equal(a.stored_key, b.stored_key, SCRAM_KEY_SIZE);
    assert_memory_not_equal(a.stored_key, a.server_key, SCRAM_KEY_SIZE);
    assert_int_equal(a.iterations, SCRAM_ITERATIONS);
    assert_int_equal(a.salt_len, SCRAM_SALT_SIZE);
}

static void test_A19_shapes_are_as_frequent_as_among_the_users(void **state)
{
    (void)state;
    struct users users = {0};
    unsigned few = 0, unstable = 0;
    add_shape(&users, 10, 4096, 12);
    add_shape(&users, 30, 120000, 64);
    for (unsigned i = 0; i < 2000; i++) {
        struct scram_keys keys = fake(&users, i);
        assert_true((keys.iterations == 4096 && keys.salt_len == 12) ||
                    (keys.iterations == 120000 && keys.salt_len == 64));
        few += keys.iterations == 4096;
    }
    assert_in_range(few, 400, 600); /* of 500 */
    /* A new user changes the shape of few names, and the salt of none. */
    struct users more = {0};
    add_shape(&more, 10, 4096, 12);
    add_shape(&more, 31, 120000, 64);
    for (unsigned i = 0; i < 2000; i++) {
        struct scram_keys before = fake(&users, i), after = fake(&more, i);
        unstable += before.iterations != after.iterations;
        assert_memory_equal(before.salt, after.salt, 12);
    }
    assert_true(unstable < 40);
    users_free(&users);
    users_free(&more);
}

/* The shape that most users have must be that of most names, wherever they stand in the file. */
static void test_A19_more_shapes_than_are_imitated(void **state)
{
    (void)state;
    for (int first = 0; first < 2; first++) {
        struct users users = {0};
        unsigned usual = 0;
        if (first)
            add_shape(&users, 300, 120000, 16);
        for (uint32_t i = 0; i < 100; i++)
            add_shape(&users, 1, 5000 + i, 16);
        if (!first)
            add_shape(&users, 300, 120000, 16);
        for (unsigned i = 0; i < 400; i++) {
            uint32_t iterations = fake(&users, i).iterations;
            usual += iterations == 120000;
            assert_true(iterations == 120000 || (iterations >= 5000 && iterations < 5100));
        }
        assert_in_range(usual, 250, 350); /* of 300 */
        users_free(&users);
    }
}

static void test_the_secret_stays(void **state)
{
    const struct folder *f = *state;
    struct fake_secret one, two;
    struct stat st;
    struct error err;
    assert_int_equal(fake_secret_open(f->users, &one, &err), STATUS_OK);
    assert_int_equal(stat(f->users, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(st.st_size, FAKE_SECRET_SIZE);
    assert_int_equal(fake_secret_open(f->users, &two, &err), STATUS_OK);
    assert_memory_equal(&one, &two, sizeof one);
    unlink(f->users);
    assert_int_equal(fake_secret_open(f->users, &two, &err), STATUS_OK);
    assert_memory_not_equal(&one, &two, sizeof one);
    /* A26 */
    assert_int_equal(chmod(f->users, 0640), 0);
    assert_int_equal(fake_secret_open(f->users, &two, &err), STATUS_DENIED);
    write_users(f, "short", 5, 0600);
    assert_int_equal(fake_secret_open(f->users, &two, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "remove it"));
    write_users(f, "a secret that is longer than 32 bytes", 37, 0600);
    assert_int_equal(fake_secret_open(f->users, &two, &err), STATUS_INVALID);
    assert_int_equal(fake_secret_open("/nonexistent/secret", &two, &err), STATUS_TEMPORARY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_users),
        cmocka_unit_test(test_A19_shapes_are_as_frequent_as_among_the_users),
        cmocka_unit_test(test_A19_more_shapes_than_are_imitated),
        cmocka_unit_test_setup_teardown(test_the_secret_stays, folder_make, folder_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
