/* Which certificates are parsed again, and that nobody gets another one's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/err.h>

#include "smime/parsed.h"
#include "tests/unit/smime/forge.h"

enum { MANY = SMIME_PARSED_MAX + 1 };

struct state {
    struct forged people[MANY];
    struct smime_parsed *parsed;
};

/* Without the reference: PARSED has its own. */
static X509 *get(struct state *s, size_t i)
{
    struct error err;
    X509 *cert = NULL;
    assert_int_equal(smime_parsed_get(s->parsed, s->people[i].der, &cert, &err), STATUS_OK);
    assert_int_equal(X509_cmp(cert, s->people[i].cert), 0);
    X509_free(cert);
    return cert;
}

static void the_same_bytes_are_parsed_once(void **state)
{
    struct state *s = *state;
    X509 *first = get(s, 0), *second = get(s, 1);
    assert_ptr_not_equal(first, second);
    assert_ptr_equal(get(s, 0), first);
    assert_ptr_equal(get(s, 1), second);
}

/* Same issuer and serial number, another key. */
static void other_bytes_are_another_certificate(void **state)
{
    struct state *s = *state;
    struct forged mine = s->people[0], twin = forge_alice("P-256", 1);
    X509 *first = get(s, 0);
    s->people[0] = twin;
    assert_ptr_not_equal(get(s, 0), first);
    s->people[0] = mine;
    forged_free(&twin);
}

static void the_oldest_goes_first(void **state)
{
    struct state *s = *state;
    struct error err;
    X509 *held = NULL;
    assert_int_equal(smime_parsed_get(s->parsed, s->people[0].der, &held, &err), STATUS_OK);
    for (size_t i = 1; i < MANY; i++) {
        get(s, i);
    }
    assert_ptr_not_equal(get(s, 0), held); /* and who holds it holds it still */
    assert_int_equal(X509_cmp(held, s->people[0].cert), 0);
    X509_free(held);
}

static void what_is_none_is_not_kept(void **state)
{
    struct state *s = *state;
    struct error err;
    X509 *cert = NULL;
    X509 *first = get(s, 0);
    struct span cut = span_of(s->people[0].der.p, s->people[0].der.len - 1);
    for (int i = 0; i < 2 * SMIME_PARSED_MAX; i++) {
        assert_int_equal(smime_parsed_get(s->parsed, cut, &cert, &err), STATUS_INVALID);
    }
    assert_ptr_equal(get(s, 0), first);
    assert_int_equal(ERR_peek_error(), 0);
}

static void without_memory_of_it_all_are_parsed(void **state)
{
    struct state *s = *state, none = *s;
    none.parsed = NULL;
    get(&none, 0);
    smime_parsed_free(NULL);
}

static int make_people(void **state)
{
    static struct state s;
    for (size_t i = 0; i < MANY; i++) {
        s.people[i] = forge_alice("P-256", (long)i + 1);
    }
    *state = &s;
    return 0;
}

static int free_people(void **state)
{
    struct state *s = *state;
    for (size_t i = 0; i < MANY; i++) {
        forged_free(&s->people[i]);
    }
    return 0;
}

static int set_up(void **state)
{
    struct state *s = *state;
    s->parsed = smime_parsed_new();
    return s->parsed ? 0 : -1;
}

static int tear_down(void **state)
{
    struct state *s = *state;
    smime_parsed_free(s->parsed);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_same_bytes_are_parsed_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_bytes_are_another_certificate, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_oldest_goes_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_none_is_not_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_memory_of_it_all_are_parsed, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, make_people, free_people);
}
