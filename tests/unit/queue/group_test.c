/* Group commit: one transaction for many, each undone alone, nothing said before it is on disk. */
#include "tests/unit/queue/database.h"

#include <event2/event.h>

#include "gateway/queue/group.h"

struct piece {
    struct work work;
    struct bench *bench;
    enum status wish; /* what apply returns */
    int applied;
    int done;
    enum status told;
    int64_t rows_when_told;
    struct piece *adds; /* when done */
};

struct bench {
    struct database d;
    struct event_base *base;
    struct group *group;
    struct sql *other; /* a second connection: sees only what is committed */
};

static void bench_make(struct bench *b)
{
    struct error err;
    database_make(&b->d);
    b->base = event_base_new();
    assert_int_equal(event_base_priority_init(b->base, 3), 0);
    b->group = group_new(b->base, b->d.sql, NULL, &err);
    assert_non_null(b->group);
    OK(sql_open(b->d.path, queue_schema, &b->other, &err));
}

static void bench_free(struct bench *b)
{
    group_free(b->group);
    event_base_free(b->base);
    sql_close(b->other);
    database_remove(&b->d);
}

static int64_t committed(const struct bench *b)
{
    struct error err;
    int64_t n;
    OK(rows_ask(b->other, "SELECT COUNT(*) FROM audit", NULL, 0, &n, &err));
    return n;
}

static enum status apply(struct work *work, struct sql *sql, int64_t now_ms, struct error *err)
{
    struct piece *p = (struct piece *)work;
    struct audit_row row = {.time_ms = now_ms, .text = {[AUDIT_EVENT] = "accepted"}};
    p->applied++;
    enum status st = audit_append(sql, &row, err);
    return st == STATUS_OK && p->wish != STATUS_OK ? error_set(err, p->wish, "as wished") : st;
}

static void done(struct work *work, enum status st, const struct error *err)
{
    struct piece *p = (struct piece *)work;
    (void)err;
    p->done++;
    p->told = st;
    p->rows_when_told = committed(p->bench);
    if (p->adds)
        group_add(p->bench->group, &p->adds->work);
    p->adds = NULL;
}

static void piece_init(struct piece *p, struct bench *b, enum status wish)
{
    *p = (struct piece){.work = {.apply = apply, .done = done}, .bench = b, .wish = wish};
}

static void test_one_transaction_and_failures_undone_alone(void **state)
{
    (void)state;
    struct bench b;
    struct piece pieces[10];
    bench_make(&b);
    for (int i = 0; i < 10; i++) {
        piece_init(&pieces[i], &b, i % 3 == 1 ? STATUS_INVALID : STATUS_OK);
        group_add(b.group, &pieces[i].work);
    }
    assert_int_equal(committed(&b), 0);
    event_base_loop(b.base, EVLOOP_NONBLOCK);
    assert_int_equal(group_commits(b.group), 1);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(pieces[i].applied, 1);
        assert_int_equal(pieces[i].done, 1);
        assert_int_equal(pieces[i].told, pieces[i].wish);
        assert_int_equal(pieces[i].rows_when_told, 7); /* told when all is on disk */
    }
    database_verify(&b.d);
    bench_free(&b);
}

static void test_what_done_adds_is_another_transaction(void **state)
{
    (void)state;
    struct bench b;
    struct piece first;
    struct piece second;
    bench_make(&b);
    piece_init(&first, &b, STATUS_OK);
    piece_init(&second, &b, STATUS_OK);
    first.adds = &second;
    group_add(b.group, &first.work);
    event_base_loop(b.base, EVLOOP_NONBLOCK);
    event_base_loop(b.base, EVLOOP_NONBLOCK);
    assert_int_equal(second.done, 1);
    assert_int_equal(group_commits(b.group), 2);
    bench_free(&b);
}

static void test_the_last_piece_is_part_of_each(void **state)
{
    (void)state;
    struct bench b;
    struct piece one;
    struct piece last;
    bench_make(&b);
    piece_init(&one, &b, STATUS_INVALID);
    piece_init(&last, &b, STATUS_OK);
    group_set_last(b.group, &last.work);
    group_add(b.group, &one.work);
    event_base_loop(b.base, EVLOOP_NONBLOCK);
    assert_int_equal(last.done, 1);
    group_kick(b.group);
    event_base_loop(b.base, EVLOOP_NONBLOCK);
    assert_int_equal(last.done, 2);
    assert_int_equal(committed(&b), 2);
    bench_free(&b);
}

/* A last piece that has more to do each time, as a claim of leases, and a socket that has something to say.
 */
struct busy {
    struct work work;
    struct group *group;
    int socket; /* to be written to */
    int done;
    int served; /* the socket: by then it was done so often */
};

#define BUSY_MAX 1000

static enum status apply_busy(struct work *work, struct sql *sql, int64_t now_ms, struct error *err)
{
    (void)work, (void)sql, (void)now_ms, (void)err;
    return STATUS_OK;
}

static void busy_done(struct work *work, enum status st, const struct error *err)
{
    struct busy *busy = (struct busy *)work;
    (void)st, (void)err;
    if (busy->done == 0)
        assert_int_equal(write(busy->socket, "x", 1), 1);
    if (++busy->done < BUSY_MAX)
        group_kick(busy->group);
}

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
    struct busy *busy = arg;
    (void)fd, (void)what;
    busy->served = busy->done;
}

static void test_sockets_are_served_while_the_last_piece_goes_on(void **state)
{
    (void)state;
    struct bench b;
    int ends[2];
    bench_make(&b);
    assert_int_equal(pipe(ends), 0);
    struct busy busy = {
        .work = {.apply = apply_busy, .done = busy_done}, .group = b.group, .socket = ends[1]};
    struct event *socket = event_new(b.base, ends[0], EV_READ, on_socket, &busy);
    event_add(socket, NULL);
    group_set_last(b.group, &busy.work);
    group_kick(b.group);
    event_base_loop(b.base, EVLOOP_NONBLOCK);
    assert_in_range(busy.served, 1, 5);
    event_free(socket);
    close(ends[0]);
    close(ends[1]);
    bench_free(&b);
}

static void test_a_failed_transaction_fails_all_and_keeps_nothing(void **state)
{
    (void)state;
    struct bench b;
    struct piece pieces[3];
    struct error err;
    bench_make(&b);
    for (int i = 0; i < 3; i++)
        piece_init(&pieces[i], &b, i == 0 ? STATUS_INVALID : STATUS_OK);
    OK(sql_begin(b.d.sql, &err)); /* so that the group's own begin fails */
    for (int i = 0; i < 3; i++)
        group_add(b.group, &pieces[i].work);
    group_run(b.group);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pieces[i].done, 1);
        assert_int_not_equal(pieces[i].told, STATUS_OK);
    }
    assert_int_equal(group_commits(b.group), 0);
    assert_int_equal(committed(&b), 0);
    /* And works again. */
    piece_init(&pieces[0], &b, STATUS_OK);
    group_add(b.group, &pieces[0].work);
    group_run(b.group);
    assert_int_equal(pieces[0].told, STATUS_OK);
    assert_int_equal(committed(&b), 1);
    bench_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_transaction_and_failures_undone_alone),
        cmocka_unit_test(test_what_done_adds_is_another_transaction),
        cmocka_unit_test(test_the_last_piece_is_part_of_each),
        cmocka_unit_test(test_sockets_are_served_while_the_last_piece_goes_on),
        cmocka_unit_test(test_a_failed_transaction_fails_all_and_keeps_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
