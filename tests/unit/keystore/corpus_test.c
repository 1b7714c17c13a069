/*
 * Every file of the corpus' certificates folder is given to the keystore: keys, certificates, PKCS#12,
 * messages. Each is added, or refused with a reason; what is usable is found by each of its addresses.
 */
#include "tests/unit/keystore/store.h"

#include <ftw.h>
#include <sys/stat.h>

#define ADDED_LEAST 15 /* so that a corpus that moved or a keystore that refuses all is noticed */

/* nftw() has no argument for its caller. */
static struct {
    struct store s;
    size_t files, added, usable;
} all;

static const char *folder(void)
{
    const char *given = getenv("SEALGATE_CORPUS");

    return given ? given : "../shared/corpus";
}

static void find_again(const struct certificate *c)
{
    struct certificate_list found;
    char first[300];
    size_t i = 0, at = 0;

    snprintf(first, sizeof first, "%.*s", (int)strcspn(c->addresses, ","), c->addresses);
    if (keystore_lookup(all.s.ks, first, &found, &all.s.err) != STATUS_OK)
        fail_msg("%s: %s", first, all.s.err.text);
    for (; i < found.n; i++)
        if (strcmp(found.items[i].fingerprint, c->fingerprint) == 0)
            at = i + 1;
    assert_true(at > 0);
    assert_true(found.items[at - 1].usable);
    certificate_list_free(&found);
}

static int give(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    struct store *s = &all.s;
    struct buf file;

    (void)st, (void)ftw;
    if (type != FTW_F)
        return 0;
    all.files++;
    fixture_read(NULL, path, &file);
    enum status status = store_add(s, buf_span(&file));
    buf_free(&file);
    if (status != STATUS_OK) {
        if ((status != STATUS_INVALID && status != STATUS_LIMIT) || s->err.text[0] == '\0')
            fail_msg("%s: %s: %s", path, status_word(status), s->err.text);
        return 0;
    }
    all.added++;
    for (size_t i = 0; i < s->list.n; i++) {
        const struct certificate *c = &s->list.items[i];
        if (c->usable != (c->reason[0] == '\0'))
            fail_msg("%s: usable %d, but \"%s\"", path, c->usable, c->reason);
        all.usable += c->usable;
        if (c->usable)
            find_again(c);
    }
    return 0;
}

static void every_file_is_added_or_refused(void **state)
{
    char path[4096];
    struct stat st;

    (void)state;
    snprintf(path, sizeof path, "%s/certificates", folder());
    if (stat(path, &st) != 0) {
        print_message("skipped: no corpus at %s (SEALGATE_CORPUS)\n", path);
        skip();
    }
    store_make(&all.s);
    store_open(&all.s);
    assert_int_equal(nftw(path, give, 16, FTW_PHYS), 0);
    print_message("%zu files, %zu added, %zu usable\n", all.files, all.added, all.usable);
    assert_true(all.added >= ADDED_LEAST && all.usable > 0);
    store_close(&all.s);
    fixture_free(&all.s.f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_file_is_added_or_refused)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
