/* R2: a disk that fails or is full: 4xx, never 250, nothing half, and all goes on when it is well again. */
#include "tests/unit/queue/world.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* No file of the role can grow beyond SIZE from now on (EFBIG). */
static void limit_files(const struct world *w, rlim_t size)
{
    const struct rlimit limit = {.rlim_cur = size, .rlim_max = RLIM_INFINITY};
    assert_int_equal(prlimit(w->pid, RLIMIT_FSIZE, &limit, NULL), 0);
}

static void world_make_for_limits(struct world *w)
{
    world_make(w);
    signal(SIGXFSZ, SIG_IGN); /* inherited by the role */
    world_start(w);
}

static void test_r2_messages_are_refused_for_now_and_taken_later(void **state)
{
    (void)state;
    struct world w;
    world_make_for_limits(&w);
    for (int round = 0; round < 3; round++) {
        struct sample s;
        int replies[8];
        world_send_simple(&w, &s, "bob@example.com");
        limit_files(&w, 4096);
        for (int i = 0; i < 8; i++) {
            sample_simple(&s, "carol@example.net");
            replies[i] = world_submit(&w, &s);
        }
        for (int i = 0; i < 8; i++)
            assert_int_equal(world_reply(replies[i]), SUBMIT_LATER_DISK);
        limit_files(&w, RLIM_INFINITY);
        assert_int_equal(world_count(&w, "{'verb': 'queue.status'}", "messages"), round + 1);
    }
    world_end(&w);
}

static void test_r2_an_outcome_is_stored_when_the_disk_is_well_again(void **state)
{
    (void)state;
    struct world w;
    struct sample s;
    struct queue_lease lease;
    char dsn_id[ID_SIZE];
    world_make_for_limits(&w);
    int channel = world_attach(&w, DELIVERY_1, 10);
    world_send_simple(&w, &s, "bob@example.com");
    channel_take_lease(channel, &lease, NULL);
    limit_files(&w, 4096);
    channel_bounce(channel, &lease, dsn_id);
    /* Not acknowledged; control still answers. */
    assert_int_equal(world_state(&w, "leased"), 1);
    channel_is_quiet(channel);
    limit_files(&w, RLIM_INFINITY);
    /* Without being said again. */
    channel_take_stored(channel, lease.copy_id);
    queue_lease_free(&lease);
    channel_take_lease(channel, &lease, NULL);
    assert_string_equal(lease.message_id, dsn_id);
    queue_lease_free(&lease);
    close(channel);
    world_end(&w);
}

static void test_r2_no_lease_that_is_not_on_disk(void **state)
{
    (void)state;
    struct world w;
    struct sample s;
    struct queue_lease lease;
    world_make_for_limits(&w);
    world_send_simple(&w, &s, "bob@example.com");
    int channel = world_attach(&w, DELIVERY_1, 10);
    channel_take_lease(channel, &lease, NULL);
    channel_settle(channel, &lease, OUTCOME_DEFERRED);
    queue_lease_free(&lease);
    limit_files(&w, 4096);
    json_t *answer = world_ask(&w, "{'verb': 'queue.retry', 'all': true}");
    assert_false(is_ok(answer));
    json_decref(answer);
    channel_is_quiet(channel);
    limit_files(&w, RLIM_INFINITY);
    assert_int_equal(world_count(&w, "{'verb': 'queue.retry', 'all': true}", "recipients"), 1);
    channel_take_lease(channel, &lease, NULL);
    queue_lease_free(&lease);
    close(channel);
    world_end(&w);
}

/* ---- a disk that is really full ---- */

static void test_r2_a_full_disk(void **state)
{
    (void)state;
    struct world w;
    struct sample s;
    char name[100];
    world_make(&w);
    if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("none", w.d.dir, "tmpfs", 0, "size=1m,mode=700") < 0) {
        print_message("no right to mount a small file system: skipped\n");
        rmdir(w.d.dir);
        skip();
    }
    world_start(&w);
    world_send_simple(&w, &s, "bob@example.com");
    /* The file stays while its name is there. */
    snprintf(name, sizeof name, "%s/filler", w.d.dir);
    FILE *f = fopen(name, "w");
    assert_non_null(f);
    while (fputc('x', f) != EOF)
        ;
    fclose(f);
    enum submit_outcome outcome = SUBMIT_QUEUED;
    int64_t queued = 1;
    /* What the log holds free already may take a few more. */
    for (int i = 0; i < 200 && outcome == SUBMIT_QUEUED; i++) {
        sample_simple(&s, "carol@example.net");
        outcome = world_send(&w, &s);
        queued += outcome == SUBMIT_QUEUED;
    }
    assert_int_equal(outcome, SUBMIT_LATER_DISK);
    assert_int_equal(world_count(&w, "{'verb': 'queue.status'}", "messages"), queued);
    unlink(name);
    world_send_simple(&w, &s, "carol@example.net");
    assert_int_equal(world_count(&w, "{'verb': 'queue.status'}", "messages"), queued + 1);
    world_stop(&w, SIGTERM);
    database_open(&w.d);
    database_verify(&w.d);
    sql_close(w.d.sql);
    assert_int_equal(umount(w.d.dir), 0);
    rmdir(w.d.dir);
}

static void test_a_database_that_cannot_be_opened_is_not_replaced(void **state)
{
    (void)state;
    struct world w;
    struct stat st;
    int status = 0;
    world_make(&w);
    FILE *f = fopen(w.d.path, "w");
    fputs("this is no database, but it may be all that is left of one", f);
    fclose(f);
    chmod(w.d.path, 0600);
    world_start(&w);
    assert_int_equal(waitpid(w.pid, &status, 0), w.pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 0);
    assert_int_equal(stat(w.d.path, &st), 0);
    assert_int_equal(st.st_size, 58);
    unlink(w.d.path);
    w.pid = 0;
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_r2_messages_are_refused_for_now_and_taken_later),
        cmocka_unit_test(test_r2_an_outcome_is_stored_when_the_disk_is_well_again),
        cmocka_unit_test(test_r2_no_lease_that_is_not_on_disk),
        cmocka_unit_test(test_r2_a_full_disk),
        cmocka_unit_test(test_a_database_that_cannot_be_opened_is_not_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
