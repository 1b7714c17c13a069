/* Every order of up to three commands, from each stage of a session, against a small model (A4, A5, A7). */
#include "tests/unit/submission/fixture.h"

enum stage { STAGE_CLEAR, STAGE_TLS, STAGE_LOGIN, N_STAGES };
#define LENGTH 3

/* What the model knows of a session. */
struct model {
    bool tls, hello, esmtp, auth, mail, rcpt, over;
};

static int need_tls_hello_auth(const struct model *m)
{
    if (!m->tls)
        return 530;
    if (!m->hello)
        return 503;
    return m->auth ? 0 : 530;
}

static int model_ehlo(struct model *m)
{
    m->hello = m->esmtp = true;
    m->mail = m->rcpt = false;
    return 250;
}

static int model_helo(struct model *m)
{
    if (!m->tls)
        return 530;
    m->hello = true;
    m->esmtp = m->mail = m->rcpt = false;
    return 250;
}

static int model_starttls(struct model *m)
{
    if (m->tls)
        return 503;
    *m = (struct model){.tls = true};
    return 220;
}

static int model_auth(struct model *m)
{
    if (!m->tls)
        return 530;
    if (!m->esmtp || m->mail || m->auth)
        return 503;
    m->auth = true;
    return 235;
}

static int model_mail(struct model *m)
{
    int refusal = need_tls_hello_auth(m);
    if (refusal)
        return refusal;
    if (m->mail)
        return 503;
    m->mail = true;
    return 250;
}

static int model_rcpt(struct model *m)
{
    int refusal = need_tls_hello_auth(m);
    if (refusal)
        return refusal;
    if (!m->mail)
        return 503;
    m->rcpt = true;
    return 250;
}

static int model_data(struct model *m)
{
    int refusal = need_tls_hello_auth(m);
    if (refusal)
        return refusal;
    if (!m->mail)
        return 503;
    if (!m->rcpt)
        return 554;
    m->mail = m->rcpt = false;
    return 354;
}

static int model_rset(struct model *m)
{
    if (!m->tls)
        return 530;
    m->mail = m->rcpt = false;
    return 250;
}

static int model_noop(struct model *m)
{
    (void)m;
    return 250;
}

static int model_vrfy(struct model *m)
{
    return m->tls && m->auth ? 252 : 530;
}

static int model_help(struct model *m)
{
    return m->tls ? 214 : 530;
}

static int model_quit(struct model *m)
{
    m->over = true;
    return 221;
}

static int model_unknown(struct model *m)
{
    (void)m;
    return 500;
}

static const struct {
    const char *line;
    int (*model)(struct model *);
} commands[] = {
    {"EHLO client.example.org", model_ehlo},
    {"HELO client.example.org", model_helo},
    {"STARTTLS", model_starttls},
    {AUTH_ALICE, model_auth},
    {"MAIL FROM:<a@example.org>", model_mail},
    {"RCPT TO:<b@example.com>", model_rcpt},
    {"DATA", model_data},
    {"RSET", model_rset},
    {"NOOP", model_noop},
    {"VRFY bob", model_vrfy},
    {"HELP", model_help},
    {"QUIT", model_quit},
    {"BDAT 1 LAST", model_unknown},
};

#define N_COMMANDS (sizeof commands / sizeof *commands)

static struct client *open_at(struct fixture *f, enum stage stage, struct model *m)
{
    *m = (struct model){.tls = stage != STAGE_CLEAR};
    struct client *c = client_open(f, stage == STAGE_CLEAR);
    if (stage == STAGE_LOGIN) {
        say(c, commands[0].line, "250");
        say(c, AUTH_ALICE, "235");
        m->hello = m->esmtp = m->auth = true;
    }
    return c;
}

static void walk(struct fixture *f, enum stage stage, size_t order)
{
    struct model m;
    struct client *c = open_at(f, stage, &m);
    char so_far[200] = "";
    for (int i = 0; i < LENGTH && !m.over; i++, order /= N_COMMANDS) {
        size_t which = order % N_COMMANDS;
        char code[8];
        bool was_tls = m.tls;
        snprintf(code, sizeof code, "%d", commands[which].model(&m));
        snprintf(so_far + strlen(so_far), sizeof so_far - strlen(so_far), "%.6s ", commands[which].line);
        put_str(c, commands[which].line);
        put_str(c, "\r\n");
        if (strncmp(get_reply(c), code, 3) != 0)
            fail_msg("stage %d, %s: expected %s, got %s", stage, so_far, code, c->reply);
        if (strcmp(code, "354") == 0)
            say(c, "Subject: x\r\n\r\ny\r\n.", "250 2.0.0");
        if (m.tls && !was_tls)
            client_tls(c);
    }
    if (m.over)
        expect_end(c);
    client_close(c);
}

static void walk_all(enum stage stage)
{
    struct submission_limits limits = test_limits();
    limits.bad_commands_max = 1000;
    struct fixture *f = start_with(limits);
    size_t orders = 1;
    for (int i = 0; i < LENGTH; i++)
        orders *= N_COMMANDS;
    for (size_t order = 0; order < orders; order++)
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
