/* A held copy, tried again: sealed once its key is there, and by nothing else. */
#include "tests/unit/seal/talk.h"

static const char message[] = "From: alice@example.org\r\n"
                              "To: olga@example.org\r\n"
                              "Bcc: heidi@example.com\r\n"
                              "Subject: quarterly figures\r\n"
                              "\r\n"
                              "CANARY\r\n";
/* With what was missing, and without Bcc. */
static const char inner[] = "From: alice@example.org\r\n"
                            "To: olga@example.org\r\n"
                            "Subject: quarterly figures\r\n"
                            "\r\n"
                            "CANARY\r\n";

/* The test as queue asks; *BODIES_OUT is mapped when it was sealed. False: the worker dropped the request. */
static bool ask(const struct world *w, struct span request, int body_fd, struct queue_released *released_out,
                struct span *bodies_out)
{
    struct call_limits limits = {.taken_ms = WORLD_WAIT_MS, .total_ms = WORLD_WAIT_MS};
    struct ipc_msg reply;
    struct error err;
    *bodies_out = span_of(NULL, 0);
    enum status st =
        call_wait(w->seal[0], QUEUE_RELEASE, request, &body_fd, body_fd >= 0 ? 1 : 0, limits, &reply, &err);
    if (st == STATUS_CLOSED)
        return false;
    assert_int_equal(st, STATUS_OK);
    assert_int_equal(reply.type, QUEUE_RELEASED);
    assert_int_equal(queue_released_unpack(buf_span(&reply.body), released_out, &err), STATUS_OK);
    assert_int_equal(reply.nfds, released_out->verdict == RELEASE_SEALED ? 1 : 0);
    if (released_out->verdict == RELEASE_SEALED)
        assert_int_equal(memfile_map(reply.fds[0], 64u << 20, bodies_out, &err), STATUS_OK);
    ipc_msg_free(&reply);
    return true;
}

/* Frees HELD. */
static void ask_about(const struct world *w, struct queue_release *held, int body_fd,
                      struct queue_released *released_out, struct span *bodies_out)
{
    struct buf body;
    buf_init(&body, IPC_BODY_MAX);
    queue_release_pack(&body, held);
    assert_true(ask(w, buf_span(&body), body_fd, released_out, bodies_out));
    buf_free(&body);
    queue_release_free(held);
}

static void release(const struct world *w, const char *to, const char *id, int body_fd,
                    struct queue_released *released_out, struct span *bodies_out)
{
    const char *recipients[] = {to, NULL};
    struct queue_release held = {.copy_id = 42};
    talk_envelope(&held.envelope, recipients);
    talk_may_send_as(&held.envelope, NULL); /* it was checked when it came in */
    memcpy(held.envelope.id, id, ID_SIZE);
    ask_about(w, &held, body_fd, released_out, bodies_out);
}

/* What queue would hold: the body under the spool key. */
static int locked_body(const struct world *w, const char *id, struct span text)
{
    struct error err;
    struct buf locked;
    int fd;
    buf_init(&locked, 1u << 20);
    assert_int_equal(spool_lock_bytes(&w->settings.spool_key, id, text, &locked, &err), STATUS_OK);
    assert_int_equal(memfile_from("held", buf_span(&locked), &fd, &err), STATUS_OK);
    buf_free(&locked);
    return fd;
}

static void see_held(const struct world *w, const char *to, const char *id, int body_fd, const char *why)
{
    struct queue_released released;
    struct span bodies;
    release(w, to, id, body_fd, &released, &bodies);
    assert_int_equal(released.verdict, RELEASE_NOT);
    if (!strstr(released.why, why))
        fail_msg("%s: %s", to, released.why);
    queue_released_free(&released);
}

static void a_held_copy_is_sealed_once_its_key_is_there(void **state)
{
    struct world *w = *state;
    static const char *const to_olga[] = {"olga@example.org", NULL};
    struct queue_released released;
    struct result r;
    struct span bodies;
    struct error err;
    struct buf plain;
    int fd;
    w->keys->unknown[OLGA] = true;
    talk_submit(w, to_olga, span_str(message), &r);
    assert_true(r.passed_on);
    assert_int_equal(r.store.copies[0].state, COPY_HELD);
    assert_int_equal(memfile_from("held", result_body(&r, &r.store.copies[0]), &fd, &err), STATUS_OK);
    result_free(&r);

    see_held(w, "olga@example.org", TALK_ID, fd, "none found");
    w->keys->unknown[OLGA] = false;
    w->keys->unusable[OLGA] = true;
    see_held(w, "olga@example.org", TALK_ID, fd, "expired on 2024-05-01");
    w->keys->unusable[OLGA] = false;

    release(w, "olga@example.org", TALK_ID, fd, &released, &bodies);
    assert_int_equal(released.verdict, RELEASE_SEALED);
    assert_int_equal(released.store.n_copies, 1);
    const struct store_copy *copy = released.store.copies;
    assert_int_equal(copy->state, COPY_QUEUED);
    assert_int_equal(copy->format, FORMAT_OPENPGP);
    assert_false(copy->locked);
    assert_string_equal(copy->recipients[0].fingerprint, w->certificates[OLGA].fingerprint);
    struct span body = span_of(bodies.p + copy->body_at, copy->body_len);
    /* It came in then, not now. */
    assert_true(holds(body, span_str("Tue, 14 Nov 2023 22:13:20 +0000")));
    assert_false(holds(body, span_str("heidi")));
    assert_true(talk_decrypt(w, body, OLGA, &plain));
    talk_see_entity(buf_span(&plain), TALK_MESSAGE_ID TALK_DATE, span_str(inner));
    buf_free(&plain);
    queue_released_free(&released);
    memfile_unmap(bodies);
    close(fd);
}

/* A33: neither a rule that would now send it clear nor a failed lookup releases it. */
static void a33_only_sealing_releases(void **state)
{
    struct world *w = *state;
    int fd = locked_body(w, TALK_ID, span_str(message));
    see_held(w, "grace-never@example.org", TALK_ID, fd, "unsealed");
    see_held(w, "x-prefer@example.org", TALK_ID, fd, "unsealed");
    see_held(w, "x-refuse@example.org", TALK_ID, fd, "none found");
    see_held(w, "x-bounce@example.org", TALK_ID, fd, "none found");
    world_set_keys(w, KEYS_FAILED);
    see_held(w, "bob@example.com", TALK_ID, fd, "lookup failed");
    world_set_keys(w, KEYS_DROPPED);
    see_held(w, "bob@example.com", TALK_ID, fd, "lookup failed");
    world_set_keys(w, KEYS_GOOD);
    close(fd);
    /* The rule that looks at the subject. */
    fd = locked_body(w, TALK_ID, span_str("Subject: [never]\r\n\r\nx\r\n"));
    see_held(w, "bob@example.com", TALK_ID, fd, "unsealed");
    close(fd);
}

static void a_gpg_that_fails_keeps_it_held(void **state)
{
    struct world *w = *state;
    int fd = locked_body(w, TALK_ID, span_str(message));
    world_gpg_does(w, "nothing");
    see_held(w, "bob@example.com", TALK_ID, fd, "OpenPGP");
    world_gpg_does(w, "");
    close(fd);
}

static void a_damaged_body_stays_held(void **state)
{
    struct world *w = *state;
    struct error err;
    int fd = locked_body(w, "06i1a2b3c4d5e6f7g8ha", span_str(message));
    see_held(w, "bob@example.com", TALK_ID, fd, "belongs to another message");
    close(fd);
    assert_int_equal(memfile_from("held", span_str("x"), &fd, &err), STATUS_OK);
    see_held(w, "bob@example.com", TALK_ID, fd, "cut");
    close(fd);
    assert_int_equal(memfile_create("open", &fd, &err), STATUS_OK);
    see_held(w, "bob@example.com", TALK_ID, fd, "memory file");
    close(fd);
    see_held(w, "bob@example.com", TALK_ID, -1, "without its body");
}

/* ---- notices ---- */

static const char notice[] = "Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n"
                             "From: Mail Delivery System <MAILER-DAEMON@mail.example.org>\r\n"
                             "Subject: Your message could not be delivered\r\n"
                             "Message-ID: <06i1a2b3c4d5e6f7g8hb@mail.example.org>\r\n"
                             "Auto-Submitted: auto-replied\r\n"
                             "MIME-Version: 1.0\r\n"
                             "Content-Type: multipart/report; report-type=delivery-status; boundary=\"b\"\r\n"
                             "\r\n"
                             "--b\r\nContent-Type: message/delivery-status\r\n\r\nCANARY: x\r\n\r\n--b--\r\n";

/* As queue asks about a DSN: the null reverse-path, nobody's user, no client. */
static void ask_notice(const struct world *w, const char *from, const char *to, int body_fd,
                       struct queue_released *released_out, struct span *bodies_out)
{
    struct queue_release held = {.copy_id = 43, .notice = true};
    struct error err;
    envelope_init(&held.envelope);
    memcpy(held.envelope.id, TALK_ID, ID_SIZE);
    held.envelope.received_ms = TALK_RECEIVED_MS;
    held.envelope.reverse_path = strdup(from);
    assert_int_equal(envelope_add_recipient(&held.envelope, to, &err), STATUS_OK);
    ask_about(w, &held, body_fd, released_out, bodies_out);
}

static void a_notice_is_sealed_to_its_recipient_alone(void **state)
{
    struct world *w = *state;
    static const enum who recipients[] = {BOB, DAVE};
    int fd = locked_body(w, TALK_ID, span_str(notice));
    for (size_t i = 0; i < 2; i++) {
        struct queue_released released;
        struct span bodies;
        struct buf plain;
        enum who who = recipients[i];
        ask_notice(w, "", people[who].address, fd, &released, &bodies);
        assert_int_equal(released.verdict, RELEASE_SEALED);
        assert_int_equal(released.store.n_copies, 1);
        const struct store_copy *copy = released.store.copies;
        assert_int_equal(copy->format,
                         people[who].format == CERTIFICATE_OPENPGP ? FORMAT_OPENPGP : FORMAT_SMIME);
        assert_false(copy->locked);
        assert_int_equal(copy->n_notes, 0);
        struct span body = span_of(bodies.p + copy->body_at, copy->body_len);
        assert_false(holds(body, span_str("CANARY")));
        assert_false(holds(body, span_str("Received:"))); /* nobody sent it to this gateway */
        assert_true(holds(body, span_str("\r\nAuto-Submitted: auto-replied\r\n")));
        /* Outlook shows no subject from inside of S/MIME. */
        assert_int_equal(holds(body, span_str("could not be delivered")), copy->format == FORMAT_SMIME);
        assert_true(talk_decrypt(w, body, who, &plain));
        talk_see_entity(buf_span(&plain), "", span_str(notice));
        buf_free(&plain);
        queue_released_free(&released);
        memfile_unmap(bodies);
    }
    close(fd);
}

static void see_notice(const struct world *w, const char *from, const char *to, enum release_verdict verdict,
                       const char *why)
{
    struct queue_released released;
    struct span bodies;
    int fd = locked_body(w, TALK_ID, span_str(notice));
    ask_notice(w, from, to, fd, &released, &bodies);
    if (released.verdict != verdict || !strstr(released.why, why))
        fail_msg("%s: %d, %s", to, released.verdict, released.why);
    queue_released_free(&released);
    close(fd);
}

/* "None found" is not "lookup failed": only the first lets a notice go as it is. */
static void a33_a_notice_goes_as_it_is_only_without_a_certificate(void **state)
{
    struct world *w = *state;
    see_notice(w, "", "nobody@example.org", RELEASE_AS_IS, "none found");
    /* A rule for users' mail says nothing of notices. */
    see_notice(w, "", "x-refuse@example.org", RELEASE_AS_IS, "none found");
    w->keys->unusable[BOB] = true;
    see_notice(w, "", "bob@example.com", RELEASE_AS_IS, "expired on 2024-05-01");
    w->keys->unusable[BOB] = false;
    world_set_keys(w, KEYS_FAILED);
    see_notice(w, "", "nobody@example.org", RELEASE_NOT, "lookup failed");
    /* To what is no address no certificate belongs, and it would fail for ever. */
    see_notice(w, "", "postmaster", RELEASE_AS_IS, "none found");
    world_set_keys(w, KEYS_DROPPED);
    see_notice(w, "", "nobody@example.org", RELEASE_NOT, "lookup failed");
    world_set_keys(w, KEYS_GOOD);
    world_gpg_does(w, "nothing");
    see_notice(w, "", "bob@example.com", RELEASE_NOT, "OpenPGP");
    world_gpg_does(w, "");
    /* Somebody's message cannot pass for one. */
    see_notice(w, "alice@example.org", "nobody@example.org", RELEASE_NOT, "reverse-path");
}

static void notice_protect_require_and_never(void **state)
{
    struct world *w = *state;
    world_kill(w);
    w->settings.notice_rule = policy_notice_rule(&world_policy, PROTECT_REQUIRE);
    /* Limits of users' mail are not a notice's. */
    const struct prescan_limits limits = w->settings.prescan;
    w->settings.prescan.parts_max = w->settings.prescan.depth_max = 1;
    world_start(w);
    see_notice(w, "", "nobody@example.org", RELEASE_NOT, "none found");
    see_notice(w, "", "bob@example.com", RELEASE_SEALED, "");
    world_kill(w);
    w->settings.notice_rule = policy_notice_rule(&world_policy, PROTECT_NEVER);
    world_start(w);
    see_notice(w, "", "bob@example.com", RELEASE_AS_IS, "never");
    world_kill(w);
    w->settings.notice_rule = policy_notice_rule(&world_policy, PROTECT_PREFER);
    w->settings.prescan = limits;
    world_start(w);
}

static void garbage_is_dropped(void **state)
{
    struct world *w = *state;
    struct queue_released released;
    struct span bodies;
    assert_false(ask(w, span_str("garbage"), -1, &released, &bodies));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_held_copy_is_sealed_once_its_key_is_there),
        cmocka_unit_test(a33_only_sealing_releases),
        cmocka_unit_test(a_gpg_that_fails_keeps_it_held),
        cmocka_unit_test(a_damaged_body_stays_held),
        cmocka_unit_test(a_notice_is_sealed_to_its_recipient_alone),
        cmocka_unit_test(a33_a_notice_goes_as_it_is_only_without_a_certificate),
        cmocka_unit_test(notice_protect_require_and_never),
        cmocka_unit_test(garbage_is_dropped),
    };
    return cmocka_run_group_tests(tests, talk_group_start, talk_group_end);
}
