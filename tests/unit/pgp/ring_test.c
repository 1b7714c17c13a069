/* The keyring of the gpg that stays. */
#include "tests/unit/pgp/fixture.h"

#include "pgp/ring.h"

#define A "0123456789ABCDEF0123456789ABCDEF01234567"
#define B "1123456789ABCDEF0123456789ABCDEF01234567"

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    fixture_make(f);
    fixture_run(f, "printf first > first; printf second > second; mkdir folder");
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture_free(*state);
    free(*state);
    return 0;
}

/* RECIPIENT_OUT: file NAME of the folder, whose path is in PATH. */
static struct pgp_recipient recipient(const struct fixture *f, const char *name, const char *fingerprint,
                                      char path[200])
{
    snprintf(path, 200, "%s/%s", f->dir, name);
    return (struct pgp_recipient){.certificate_path = path, .fingerprint = fingerprint};
}

static void assert_holds(const struct pgp_ring *ring, const char *bytes)
{
    char held[100] = "";

    assert_int_equal(pread(pgp_ring_fd(ring), held, sizeof held - 1, 0), strlen(bytes));
    assert_string_equal(held, bytes);
}

static void certificates_lie_one_behind_the_other(void **state)
{
    struct pgp_ring *ring = pgp_ring_new();
    char path[2][200];
    struct pgp_recipient first = recipient(*state, "first", A, path[0]),
                         second = recipient(*state, "second", B, path[1]);

    assert_int_equal(pgp_ring_find(ring, &first), -1);
    assert_true(pgp_ring_add(ring, &first));
    assert_true(pgp_ring_add(ring, &second));
    assert_int_equal(pgp_ring_find(ring, &first), 0);
    assert_int_equal(pgp_ring_find(ring, &second), 1);
    assert_int_equal(pgp_ring_count(ring), 2);
    assert_holds(ring, "firstsecond");
    pgp_ring_free(ring);
}

static void another_certificate_of_the_same_key_stays_out(void **state)
{
    struct pgp_ring *ring = pgp_ring_new();
    char path[2][200];
    struct pgp_recipient first = recipient(*state, "first", A, path[0]),
                         second = recipient(*state, "second", A, path[1]);

    assert_true(pgp_ring_add(ring, &first));
    assert_false(pgp_ring_add(ring, &second));
    assert_int_equal(pgp_ring_find(ring, &second), -1);
    assert_holds(ring, "first");
    pgp_ring_free(ring);
}

static void what_cannot_be_read_changes_nothing(void **state)
{
    static const char *const names[] = {"missing", "folder"};
    struct pgp_ring *ring = pgp_ring_new();
    char path[2][200];
    struct pgp_recipient first = recipient(*state, "first", A, path[0]);

    assert_true(pgp_ring_add(ring, &first));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct pgp_recipient bad = recipient(*state, names[i], B, path[1]);

        assert_false(pgp_ring_add(ring, &bad));
    }
    assert_int_equal(pgp_ring_count(ring), 1);
    assert_holds(ring, "first");
    pgp_ring_free(ring);
}

static void it_is_full_at_its_bound(void **state)
{
    struct pgp_ring *ring = pgp_ring_new();
    char path[200], fingerprint[PGP_FINGERPRINT_SIZE];

    for (int i = 0; i <= PGP_RING_MAX; i++) {
        struct pgp_recipient next = recipient(*state, "first", fingerprint, path);

        snprintf(fingerprint, sizeof fingerprint, "%040d", i);
        assert_int_equal(pgp_ring_add(ring, &next), i < PGP_RING_MAX);
    }
    assert_int_equal(pgp_ring_count(ring), PGP_RING_MAX);
    pgp_ring_free(ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(certificates_lie_one_behind_the_other),
        cmocka_unit_test(another_certificate_of_the_same_key_stays_out),
        cmocka_unit_test(what_cannot_be_read_changes_nothing),
        cmocka_unit_test(it_is_full_at_its_bound),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
