/* The dialogs of tests/dialog, played against the submission role alone. Run from the root of the tree. */
#include <glob.h>
#include <sys/wait.h>

#include "tests/unit/submission/fixture.h"

#define PYTHON "/usr/bin/python3"

static void test_dialogs(void **state)
{
    (void)state;
    glob_t scripts;
    char ports[2][8];
    if (access("tests/lib/dialog.py", R_OK) < 0 || access(PYTHON, X_OK) < 0) {
        print_message("skipped: no tests/lib/dialog.py here, or no " PYTHON "\n");
        skip();
    }
    assert_int_equal(glob("tests/dialog/*.dialog", 0, NULL, &scripts), 0);
    struct fixture *f = start();
    for (int i = 0; i < 2; i++)
        snprintf(ports[i], sizeof ports[i], "%u", f->ports[i]);
    const char *head[] = {PYTHON,  "-B", "tests/lib/dialog.py", "--tls-port", ports[0], "--starttls-port",
                          ports[1]};
    const size_t n_head = sizeof head / sizeof *head;
    const char **argv = calloc(n_head + scripts.gl_pathc + 1, sizeof *argv);
    memcpy(argv, head, sizeof head);
    memcpy(argv + n_head, scripts.gl_pathv, scripts.gl_pathc * sizeof *argv);
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        execv(PYTHON, (char **)(uintptr_t)argv);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_true(scripts.gl_pathc >= 30);
    free(argv);
    globfree(&scripts);
    finish(f, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_dialogs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
