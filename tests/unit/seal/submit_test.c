/* A message on its way through a real worker with real keys; what comes out is read with gpg and openssl. */
#include "tests/unit/seal/talk.h"

#include "gateway/message/outer.h"
#include "gateway/message/tls_required.h"
#include "pgp/armor.h"

static struct world *world(void **state)
{
    return *state;
}

#define HEADER                                                                                               \
    "From: Alice <alice@example.org>\r\n"                                                                    \
    "To: Bob <bob@example.com>, carol@example.net,\r\n\t\"D\" <dave@example.com>, erin@example.net\r\n"      \
    "Cc: frank@example.org, grace-never@example.org\r\n"
#define REST                                                                                                 \
    "Subject: quarterly figures\r\n"                                                                         \
    "Message-ID: <1@example.org>\r\n"                                                                        \
    "Date: Tue, 14 Nov 2023 22:13:19 +0000\r\n"                                                              \
    "X-Mailer: private detail\r\n"                                                                           \
    "MIME-Version: 1.0\r\n"                                                                                  \
    "Content-Type: text/plain; charset=utf-8\r\n"                                                            \
    "Content-Transfer-Encoding: 8bit\r\n"                                                                    \
    "\r\n"                                                                                                   \
    "CANARY gr\xc3\xbc\xc3\x9f"                                                                              \
    "e \r\n"                                                                                                 \
    "-- \r\n.dot\r\n\t \r\n"
#define BCC                                                                                                  \
    "Bcc: heidi@example.com,\r\n ivan@example.net, judy-bounce@example.org\r\n"                              \
    "Resent-Bcc: olga@example.org\r\n"

static const char message[] = HEADER BCC REST;
static const char inner[] = HEADER REST;

static const char *const everybody[] = {"bob@example.com",         "carol@example.net",
                                        "dave@example.com",        "erin@example.net",
                                        "frank@example.org",       "grace-never@example.org",
                                        "heidi@example.com",       "ivan@example.net",
                                        "judy-bounce@example.org", NULL};

static void see_text(struct span got, const char *wanted)
{
    assert_int_equal(got.len, strlen(wanted));
    assert_memory_equal(got.p, wanted, got.len);
}

static void see_readable(const struct world *w, const struct result *r, enum who who)
{
    const struct store_copy *copy = result_copy(r, people[who].address);
    struct buf plain;
    assert_int_equal(copy->state, COPY_QUEUED);
    assert_int_equal(copy->format, people[who].format == CERTIFICATE_OPENPGP ? FORMAT_OPENPGP : FORMAT_SMIME);
    assert_false(copy->locked);
    assert_int_equal(copy->header_len, 0);
    if (!talk_decrypt(w, result_body(r, copy), who, &plain))
        fail_msg("%s cannot read the copy", people[who].name);
    talk_see_entity(buf_span(&plain), "", span_str(inner));
    buf_free(&plain);
    const struct copy_recipient *to = result_recipient(r, people[who].address);
    assert_string_equal(to->fingerprint, w->certificates[who].fingerprint);
    assert_string_equal(to->source, "local");
    assert_string_equal(to->rule, "default");
    assert_null(to->reason);
}

static struct buf unlocked(const struct world *w, const struct result *r, const char *address)
{
    const struct store_copy *copy = result_copy(r, address);
    struct error err;
    struct buf plain;
    assert_true(copy->locked);
    assert_int_equal(copy->format, copy->state == COPY_QUEUED ? FORMAT_CLEAR : FORMAT_NONE);
    buf_init(&plain, 64u << 20);
    if (spool_unlock(&w->settings.spool_key, TALK_ID, result_body(r, copy), &plain, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    return plain;
}

/* The outer header that a DSN may show of a held or returned copy. */
static void see_shown_header(const struct result *r, const char *address)
{
    const struct store_copy *copy = result_copy(r, address);
    assert_true(copy->header_len > 0 && copy->header_at + copy->header_len <= r->bodies.len);
    struct span shown = span_of(r->bodies.p + copy->header_at, copy->header_len);
    assert_true(span_starts(shown, "Received: from client.example.org"));
    assert_true(holds(shown, span_str("Message-ID: <1@example.org>\r\n")));
    /* A32: it was not to go clear, so its subject does not either. */
    assert_true(holds(shown, span_str("Subject: [...]\r\n")));
    assert_false(holds(shown, span_str("quarterly")));
    assert_false(holds(shown, span_str("Bcc")));
    assert_false(holds(shown, span_str("heidi")));
    assert_false(holds(shown, span_str("CANARY")));
    assert_false(holds(shown, span_str("X-Mailer")));
}

static void see_unsealed(const struct world *w, const struct result *r)
{
    struct buf plain = unlocked(w, r, "frank@example.org");
    assert_int_equal(result_copy(r, "frank@example.org")->state, COPY_HELD);
    assert_string_equal(result_recipient(r, "frank@example.org")->reason, "none found");
    see_text(buf_span(&plain), message);
    buf_free(&plain);
    see_shown_header(r, "frank@example.org");

    plain = unlocked(w, r, "judy-bounce@example.org");
    assert_int_equal(result_copy(r, "judy-bounce@example.org")->state, COPY_RETURN);
    assert_string_equal(result_recipient(r, "judy-bounce@example.org")->rule, "bounce");
    see_text(buf_span(&plain), message);
    buf_free(&plain);
    see_shown_header(r, "judy-bounce@example.org");

    plain = unlocked(w, r, "grace-never@example.org");
    assert_int_equal(result_copy(r, "grace-never@example.org")->state, COPY_QUEUED);
    assert_int_equal(result_copy(r, "grace-never@example.org")->header_len, 0);
    assert_string_equal(result_recipient(r, "grace-never@example.org")->reason, "rule says never");
    struct span clear = buf_span(&plain);
    const char *end = memmem(clear.p, clear.len, inner, sizeof inner - 1);
    assert_non_null(end);
    assert_ptr_equal(end + sizeof inner - 1, clear.p + clear.len);
    assert_true(span_starts(clear, "Received: from client.example.org"));
    buf_free(&plain);
}

static void mixed_recipients_each_get_what_the_rules_say(void **state)
{
    struct world *w = world(state);
    struct result r;
    talk_submit(w, everybody, span_str(message), &r);
    assert_true(r.passed_on);
    assert_int_equal(r.reply.outcome, SUBMIT_QUEUED);
    assert_string_equal(r.reply.text, TALK_ID " queued, sealed for 6 of 9 recipients, held for a key: 1");
    assert_int_equal(r.store.envelope.n_recipients, 9);
    assert_int_equal(r.store.n_copies, 7);
    for (enum who who = BOB; who <= IVAN; who++)
        see_readable(w, &r, who);
    /* Who is named shares a copy by format; who is not has one alone. */
    assert_ptr_equal(result_copy(&r, "bob@example.com"), result_copy(&r, "carol@example.net"));
    assert_ptr_equal(result_copy(&r, "dave@example.com"), result_copy(&r, "erin@example.net"));
    assert_int_equal(result_copy(&r, "heidi@example.com")->n_recipients, 1);
    assert_int_equal(result_copy(&r, "ivan@example.net")->n_recipients, 1);
    see_unsealed(w, &r);
    result_free(&r);
}

/* RFC 3156 §4, RFC 8551 §3.3; nothing of the message but its outer fields stands outside, and of OpenPGP no
 * subject (RFC 9788, hcp_baseline). */
static void outer_header_is_as_the_rfcs_say(void **state)
{
#define BEHIND_SUBJECT                                                                                       \
    "Message-ID: <1@example.org>\r\nDate: Tue, 14 Nov 2023 22:13:19 +0000\r\nMIME-Version: 1.0\r\n"
    static const struct {
        const char *address, *subject, *mime;
    } copies[] = {
        {"bob@example.com", "[...]",
         "Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\";\r\n boundary=\"=_"},
        {"dave@example.com", "quarterly figures",
         "Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m\r\n"
         "Content-Transfer-Encoding: base64\r\n"
         "Content-Disposition: attachment; filename=smime.p7m\r\n\r\n"},
    };
    struct result r;
    struct buf received;
    talk_submit(world(state), everybody, span_str(message), &r);
    buf_init(&received, 2000);
    received_field(&r.store.envelope, "mail.example.org", &received);
    for (size_t i = 0; i < 2; i++) {
        char wanted[2000];
        snprintf(wanted, sizeof wanted, "%s" HEADER "Subject: %s\r\n" BEHIND_SUBJECT "%s", buf_str(&received),
                 copies[i].subject, copies[i].mime);
        struct span copy = result_body(&r, result_copy(&r, copies[i].address));
        assert_true(copy.len > strlen(wanted));
        see_text(span_of(copy.p, strlen(wanted)), wanted);
        for (size_t at = 0; at < copy.len; at++)
            assert_true((unsigned char)copy.p[at] < 0x80);
        assert_memory_equal(copy.p + copy.len - 2, "\r\n", 2);
    }
    buf_free(&received);
    result_free(&r);
}

/* The binary data of a sealed copy, in which key IDs and serial numbers stand. */
static void binary_of(const struct store_copy *copy, struct span body, struct buf *out)
{
    struct error err;
    if (copy->format == FORMAT_OPENPGP) {
        const struct sink sink = sink_to_buf(out);
        struct buf armored;
        buf_init(&armored, 64u << 20);
        talk_armored(body, &armored);
        assert_int_equal(pgp_armor_decode_message(buf_span(&armored), &sink, &err), STATUS_OK);
        buf_free(&armored);
        return;
    }
    struct message_parts parts;
    message_split(body, &parts);
    gint base64_state = 0;
    guint32 save = 0;
    uint8_t *room = buf_reserve(out, parts.body.len);
    assert_non_null(room);
    buf_commit(out, g_base64_decode_step(parts.body.p, parts.body.len, room, &base64_state, &save));
}

/* What would give WHO away: key IDs, or the common name of a self-signed certificate's issuer. */
static bool binary_names(const struct world *w, struct span binary, enum who who)
{
    const struct certificate *c = &w->certificates[who];
    char name[40];
    for (size_t i = 0; i < c->n_keyids; i++) {
        uint64_t keyid = __builtin_bswap64(c->keyids[i]);
        if (holds(binary, span_of(&keyid, sizeof keyid)))
            return true;
    }
    snprintf(name, sizeof name, "Person %s", people[who].name);
    return holds(binary, span_str(name));
}

/* A10 */
static void a10_no_copy_tells_of_a_bcc_or_of_another_copy(void **state)
{
    struct world *w = world(state);
    static const char *const hidden[] = {"heidi@", "ivan@", "judy-bounce@", "olga@", "Bcc:", "bcc:"};
    struct result r;
    talk_submit(w, everybody, span_str(message), &r);
    for (size_t i = 0; i < r.store.n_copies; i++) {
        const struct store_copy *copy = &r.store.copies[i];
        if (copy->locked)
            continue;
        struct span body = result_body(&r, copy);
        struct buf binary;
        buf_init(&binary, 64u << 20);
        binary_of(copy, body, &binary);
        for (size_t j = 0; j < sizeof hidden / sizeof *hidden; j++) {
            assert_false(holds(body, span_str(hidden[j])));
            assert_false(holds(buf_span(&binary), span_str(hidden[j])));
        }
        for (enum who who = 0; who < PEOPLE; who++) {
            bool reader = false;
            for (size_t j = 0; j < copy->n_recipients; j++)
                reader = reader || strcmp(copy->recipients[j].address, people[who].address) == 0;
            /* That it is found for readers shows that the search can find it. */
            assert_int_equal(binary_names(w, buf_span(&binary), who), reader);
        }
        buf_free(&binary);
    }
    result_free(&r);
}

/* A10: whoever decrypts finds no Bcc field either, and nobody else's key opens the copy. */
static void a10_a_copy_opens_for_its_recipients_alone(void **state)
{
    struct world *w = world(state);
    struct result r;
    struct buf plain;
    talk_submit(w, everybody, span_str(message), &r);
    struct span by_dave = result_body(&r, result_copy(&r, "dave@example.com"));
    struct span by_bob = result_body(&r, result_copy(&r, "bob@example.com"));
    struct span by_heidi = result_body(&r, result_copy(&r, "heidi@example.com"));
    assert_false(talk_decrypt(w, by_dave, IVAN, &plain));
    assert_false(talk_decrypt(w, by_bob, HEIDI, &plain));
    assert_false(talk_decrypt(w, by_heidi, BOB, &plain));
    assert_true(talk_decrypt(w, by_heidi, HEIDI, &plain));
    assert_false(holds(buf_span(&plain), span_str("Bcc")));
    buf_free(&plain);
    result_free(&r);
}

/* A27: what is logged, and what is passed on in clear, holds nothing of subject and body. */
static void a27_neither_subject_nor_body_is_logged(void **state)
{
    struct world *w = world(state);
    struct result r;
    struct buf log;
    talk_submit(w, everybody, span_str(message), &r);
    assert_false(holds(r.bodies, span_str("CANARY")));
    result_free(&r);
    world_read(w, "log", &log);
    assert_true(holds(buf_span(&log), span_str("id=" TALK_ID)));
    assert_false(holds(buf_span(&log), span_str("CANARY")));
    assert_false(holds(buf_span(&log), span_str("quarterly")));
    buf_free(&log);
}

/* A27: no temporary file with plaintext is left in the worker's folder; only gpg.conf and certificates. */
static void a27_the_workers_folder_holds_certificates_only(void **state)
{
    struct world *w = world(state);
    struct result r;
    talk_submit(w, everybody, span_str(message), &r);
    result_free(&r);
    assert_true(world_shell(w, "! grep -rq -e CANARY -e quarterly w"));
    assert_true(world_shell(w, "test $(ls w/certificates | wc -l) -ge 3"));
    assert_true(world_shell(w, "test \"$(stat -c %%a w w/certificates | sort -u)\" = 700"));
}

/* ---- forms of messages ---- */

/* None of these has a Message-ID or a Date: both stand in front (RFC 6409 §8), and nothing else is touched
 * but by header protection. */
static void see_completed(struct span got, struct span message_sent)
{
    talk_see_entity(got, TALK_MESSAGE_ID TALK_DATE, message_sent);
}

static void the_decrypted_entity_is_what_was_submitted(void **state)
{
    static const char *const messages[] = {
        "",
        "\r\n",
        "\r\nbody only\r\n",
        "Subject: header only\r\n",
        "Subject: x\r\n\r\n",
        "From: a@example.org\r\nnot a field\r\nSubject: x\r\n\r\nbody\r\n",
        "Subject: x\r\nX-Raw: \xe4\xf6 in a field that stays inside\r\n\r\n\xff\xfe\r\n",
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none \r\n--b--\r\nepilogue\r\n",
        "To: bob@example.com\r\n\r\n--=_06\r\n.\r\n..\r\nFrom x\r\n",
    };
    static const char *const to[] = {"bob@example.com", "dave@example.com", NULL};
    struct world *w = world(state);
    for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
        struct result r;
        struct buf plain;
        talk_submit(w, to, span_str(messages[i]), &r);
        if (!r.passed_on)
            fail_msg("message %zu: %s", i, r.reply.text);
        for (enum who who = BOB; who <= DAVE; who += DAVE - BOB) {
            if (!talk_decrypt(w, result_body(&r, result_copy(&r, people[who].address)), who, &plain))
                fail_msg("message %zu: %s cannot read it", i, people[who].name);
            see_completed(buf_span(&plain), span_str(messages[i]));
            buf_free(&plain);
        }
        result_free(&r);
    }
}

static void large_messages_go_through(void **state)
{
    struct world *w = world(state);
    static const char *const to[] = {"bob@example.com", "dave@example.com", NULL};
    struct buf large, plain;
    struct result r;
    buf_init(&large, 20u << 20);
    buf_append_str(&large, "Subject: large\r\n\r\n");
    for (unsigned i = 0; large.len < (8u << 20); i++)
        buf_printf(&large, "%u: a line of a large message, %x\r\n", i, i * 2654435761u);
    talk_submit(w, to, buf_span(&large), &r);
    assert_true(r.passed_on);
    for (enum who who = BOB; who <= DAVE; who += DAVE - BOB) {
        assert_true(talk_decrypt(w, result_body(&r, result_copy(&r, people[who].address)), who, &plain));
        see_completed(buf_span(&plain), buf_span(&large));
        buf_free(&plain);
    }
    result_free(&r);
    buf_free(&large);
}

static void the_same_recipient_twice_is_no_harm(void **state)
{
    struct world *w = world(state);
    static const char *const to[] = {"bob@example.com", "bob@example.com", "dave@example.com",
                                     "dave@example.com", NULL};
    struct result r;
    struct buf plain;
    talk_submit(w, to, span_str(message), &r);
    assert_true(r.passed_on);
    assert_int_equal(r.store.n_copies, 2);
    assert_true(talk_decrypt(w, result_body(&r, &r.store.copies[0]), BOB, &plain));
    buf_free(&plain);
    result_free(&r);
}

static void the_address_may_be_written_in_other_letters(void **state)
{
    struct world *w = world(state);
    static const char *const to[] = {"bob@EXAMPLE.com", "Carol@example.net", NULL};
    struct result r;
    talk_submit(w, to, span_str(message), &r);
    assert_true(r.passed_on);
    assert_string_equal(r.reply.text, TALK_ID " queued, sealed for 2 of 2 recipients");
    /* "Carol" is not letter for letter "carol": perhaps somebody else, who then is a Bcc recipient. */
    assert_int_equal(r.store.n_copies, 2);
    result_free(&r);
}

static void dsn_parameters_travel_with_their_recipient(void **state)
{
    struct world *w = world(state);
    static const char *const to[] = {"bob@example.com", "frank@example.org", NULL};
    struct envelope e;
    struct result r;
    talk_envelope(&e, to);
    e.recipients[1].notify = strdup("NEVER");
    e.recipients[1].orcpt = strdup("rfc822;frank@example.org");
    talk_submit_envelope(w, &e, span_str(message), &r);
    envelope_free(&e);
    assert_true(r.passed_on);
    assert_null(result_recipient(&r, "bob@example.com")->notify);
    assert_string_equal(result_recipient(&r, "frank@example.org")->notify, "NEVER");
    assert_string_equal(result_recipient(&r, "frank@example.org")->orcpt, "rfc822;frank@example.org");
    assert_int_equal(r.store.envelope.received_ms, TALK_RECEIVED_MS);
    assert_string_equal(r.store.envelope.user, "alice");
    result_free(&r);
}

static bool says_no(struct span body)
{
    const char *end = memmem(body.p, body.len, "\r\n\r\n", 4);
    assert_non_null(end);
    return tls_required_no(span_of(body.p, (size_t)(end - body.p) + 2));
}

/* RFC 8689 §3: queue is told of each copy what delivery will read in its header. */
static void queue_hears_that_tls_is_not_required(void **state)
{
    struct world *w = world(state);
    static const char *const to[] = {"bob@example.com", "carol@example.net", "frank@example.org",
                                     "grace-never@example.org", NULL};
    static const struct {
        const char *message;
        bool requiretls, optional;
    } cases[] = {{message, false, false},
                 {"TLS-Required: No\r\n" HEADER REST, false, true},
                 {"TLS-Required: No\r\n" HEADER REST, true, false},
                 {"TLS-Required: No\r\nTLS-Required: No\r\n" HEADER REST, false, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct envelope e;
        struct result r;
        talk_envelope(&e, to);
        e.requiretls = cases[i].requiretls;
        talk_submit_envelope(w, &e, span_str(cases[i].message), &r);
        envelope_free(&e);
        assert_true(r.passed_on);
        for (size_t k = 0; k < 4; k++) {
            const struct store_copy *copy = result_copy(&r, to[k]);
            assert_int_equal(copy->tls_optional, cases[i].optional);
            if (!copy->locked)
                assert_int_equal(says_no(result_body(&r, copy)) && !cases[i].requiretls, cases[i].optional);
        }
        result_free(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mixed_recipients_each_get_what_the_rules_say),
        cmocka_unit_test(outer_header_is_as_the_rfcs_say),
        cmocka_unit_test(a10_no_copy_tells_of_a_bcc_or_of_another_copy),
        cmocka_unit_test(a10_a_copy_opens_for_its_recipients_alone),
        cmocka_unit_test(a27_neither_subject_nor_body_is_logged),
        cmocka_unit_test(a27_the_workers_folder_holds_certificates_only),
        cmocka_unit_test(the_decrypted_entity_is_what_was_submitted),
        cmocka_unit_test(large_messages_go_through),
        cmocka_unit_test(the_same_recipient_twice_is_no_harm),
        cmocka_unit_test(the_address_may_be_written_in_other_letters),
        cmocka_unit_test(dsn_parameters_travel_with_their_recipient),
        cmocka_unit_test(queue_hears_that_tls_is_not_required),
    };
    return cmocka_run_group_tests(tests, talk_group_start, talk_group_end);
}
