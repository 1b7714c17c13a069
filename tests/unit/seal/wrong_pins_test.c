/* What the workers remember of PINs that were refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/seal/wrong_pins.h"

#define KEY "pkcs11:token=mail;object=key"

static const struct spool_key secret = {.bytes = {1, 2, 3}};

static enum status enter(const char *folder, const char *key, const char *pin, struct wrong_pins *pins)
{
    struct error err = {0};
    enum status st = wrong_pins_enter(folder, &secret, key, pin, pins, &err);
    if (st == STATUS_DENIED)
        assert_non_null(strstr(err.text, "reload"));
    return st;
}

static void try(const char *folder, const char *key, const char *pin, bool was_wrong)
{
    struct wrong_pins pins;
    assert_int_equal(enter(folder, key, pin, &pins), STATUS_OK);
    wrong_pins_leave(&pins, was_wrong);
}

static void a_refused_pin_is_not_tried_again(void **state)
{
    const char *folder = *state;
    struct wrong_pins pins;
    try(folder, KEY, "1234", false);
    try(folder, KEY, "1234", true);
    assert_int_equal(enter(folder, KEY, "1234", &pins), STATUS_DENIED);
    try(folder, KEY, "12345", false);
    try(folder, KEY "2", "1234", false);
    wrong_pins_forget(folder);
    try(folder, KEY, "1234", false);
    wrong_pins_forget("/nonexistent");
    assert_int_equal(enter("/nonexistent", KEY, "1234", &pins), STATUS_TEMPORARY);
}

/* Key and PIN are not run together into one text. */
static void where_the_key_ends_counts(void **state)
{
    const char *folder = *state;
    try(folder, "ab", "cd", true);
    try(folder, "abc", "d", false);
}

/* What is on disk is of no use to who finds it without the secret. */
static void the_pin_is_not_on_disk(void **state)
{
    const char *folder = *state;
    char command[200];
    try(folder, KEY, "271828", true);
    snprintf(command, sizeof command, "ls -R %s | grep -q 271828 || grep -rq 271828 %s", folder, folder);
    assert_int_not_equal(system(command), 0);
    snprintf(command, sizeof command, "test $(ls %s | grep -c '^wrong-pin\\.[0-9a-f]*$') = 1", folder);
    assert_int_equal(system(command), 0);
}

/* Workers come one after the other, or each would try it before the first one knows. */
static void one_try_by_many_workers(void **state)
{
    const char *folder = *state;
    char path[200];
    int tried = 0;
    snprintf(path, sizeof path, "%s/tried", folder);
    for (int i = 0; i < 6; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            struct wrong_pins pins;
            if (enter(folder, KEY, "0000", &pins) != STATUS_OK)
                _exit(0);
            FILE *file = fopen(path, "a");
            if (file && fputs("x", file) >= 0)
                fclose(file);
            usleep(20000); /* what a token takes to answer */
            wrong_pins_leave(&pins, true);
            _exit(0);
        }
    }
    while (wait(NULL) > 0)
        ;
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fgetc(file) != EOF)
        tried++;
    fclose(file);
    assert_int_equal(tried, 1);
}

static int make_folder(void **state)
{
    char *folder = strdup("/tmp/pins.XXXXXX");
    *state = folder;
    return folder && mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    char command[200];
    snprintf(command, sizeof command, "rm -rf %s", (char *)*state);
    int result = system(command);
    free(*state);
    return result;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_refused_pin_is_not_tried_again, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(where_the_key_ends_counts, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(the_pin_is_not_on_disk, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(one_try_by_many_workers, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
