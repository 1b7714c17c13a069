/*
 * Every order of up to three commands, from each stage of a session, against the model (A4, A5, A7), over
 * real connections. walk_test.c does five, in one process.
 */
#include "tests/unit/submission/fixture.h"

#include "tests/unit/submission/model.h"

#define LENGTH 3

static struct client *open_at(struct fixture *f, enum model_stage stage, struct model *m)
{
    *m = (struct model){.tls = stage != STAGE_CLEAR};
    struct client *c = client_open(f, stage == STAGE_CLEAR);
    if (stage == STAGE_LOGIN) {
        say(c, "EHLO client.example.org", "250");
        say(c, MODEL_LOGIN, "235");
        m->hello = m->esmtp = m->auth = true;
    }
    return c;
}

static void walk(struct fixture *f, enum model_stage stage, size_t order)
{
    struct model m;
    struct client *c = open_at(f, stage, &m);
    char so_far[200] = "";
    for (int i = 0; i < LENGTH && !m.over; i++, order /= N_COMMANDS) {
        const struct model_command *command = &model_commands[order % N_COMMANDS];
        char code[8];
        bool was_tls = m.tls;
        snprintf(code, sizeof code, "%d", command->step(&m));
        snprintf(so_far + strlen(so_far), sizeof so_far - strlen(so_far), "%.6s ", command->text);
        put_str(c, command->text);
        if (strncmp(get_reply(c), code, 3) != 0)
            fail_msg("stage %d, %s: expected %s, got %s", stage, so_far, code, c->reply);
        if (strcmp(code, "354") == 0) {
            put_str(c, MODEL_MESSAGE);
            expect(c, "250 2.0.0");
        }
        if (m.tls && !was_tls)
            client_tls(c);
    }
    if (m.over)
        expect_end(c);
    client_close(c);
}

static void walk_all(enum model_stage stage)
{
    struct submission_limits limits = test_limits();
    limits.bad_commands_max = 1000;
    struct fixture *f = start_with(limits);
    for (size_t order = 0; order < model_orders(LENGTH); order++)
        walk(f, stage, order);
    finish(f, NULL);
}

static void test_A4_A5_orders_in_clear(void **state)
{
    (void)state;
    walk_all(STAGE_CLEAR);
}

static void test_A7_orders_over_tls(void **state)
{
    (void)state;
    walk_all(STAGE_TLS);
}

static void test_orders_after_login(void **state)
{
    (void)state;
    walk_all(STAGE_LOGIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_A4_A5_orders_in_clear),
        cmocka_unit_test(test_A7_orders_over_tls),
        cmocka_unit_test(test_orders_after_login),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
