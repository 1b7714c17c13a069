/* The test as submission and queue: sends a message, waits for what becomes of it, reads the copies. */
#ifndef SEALGATE_TESTS_UNIT_SEAL_TALK_H
#define SEALGATE_TESTS_UNIT_SEAL_TALK_H

#include "tests/unit/seal/world.h"

#include <gmime/gmime.h>

#include "base/memfile.h"
#include "gateway/jobs/queue_job.h"
#include "gateway/message/header.h"

#define TALK_ID "06i1a2b3c4d5e6f7g8h9"
#define TALK_RECEIVED_MS 1700000000000 /* Tue, 14 Nov 2023 22:13:20 +0000 */
/* What is added when it is missing. */
#define TALK_MESSAGE_ID "Message-ID: <" TALK_ID "@mail.example.org>\r\n"
#define TALK_DATE "Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n"

struct result {
    bool passed_on;
    bool closed;               /* the worker dropped it: 451 4.3.0 */
    struct queue_store store;  /* passed on */
    struct span bodies;        /* passed on; mapped */
    struct submit_reply reply; /* the answer; when passed on, the one prepared */
};

static inline void result_free(struct result *result)
{
    if (result->passed_on)
        queue_store_free(&result->store);
    memfile_unmap(result->bodies);
}

/* May send as PATTERN (NULL: as nobody) and nobody else. */
static inline void talk_may_send_as(struct envelope *e, const char *pattern)
{
    struct error err;
    char *patterns[] = {(char *)(uintptr_t)pattern};
    assert_int_equal(envelope_set_send_as(e, patterns, pattern ? 1 : 0, &err), STATUS_OK);
}

/* From alice@example.org, who may send as anybody, to RECIPIENTS (NULL-terminated). */
static inline void talk_envelope(struct envelope *e, const char *const *recipients)
{
    struct error err;
    envelope_init(e);
    memcpy(e->id, TALK_ID, ID_SIZE);
    e->received_ms = TALK_RECEIVED_MS;
    e->reverse_path = strdup("alice@example.org");
    e->user = strdup("alice");
    e->client = strdup("");
    e->listener = strdup("[::]:465");
    e->client_address = strdup("192.0.2.1");
    e->helo = strdup("client.example.org");
    e->tls_version = strdup("TLSv1.3");
    e->tls_cipher = strdup("TLS_AES_256_GCM_SHA384");
    talk_may_send_as(e, "*");
    for (; *recipients; recipients++)
        assert_int_equal(envelope_add_recipient(e, *recipients, &err), STATUS_OK);
}

static inline void talk_take_store(int fd, struct result *result)
{
    struct ipc_msg msg;
    struct request request;
    struct error err;
    assert_int_equal(ipc_recv(fd, &msg, &err), STATUS_OK);
    assert_int_equal(msg.type, QUEUE_STORE);
    assert_int_equal(request_take_silently(&msg, &request, &err), STATUS_OK);
    assert_int_equal(request.msg.nfds, 1);
    if (queue_store_unpack(buf_span(&request.msg.body), &result->store, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    assert_int_equal(memfile_map(request.msg.fds[0], 2000u << 20, &result->bodies, &err), STATUS_OK);
    result->passed_on = true;
    result->reply = result->store.reply;
    request_free(&request);
}

/* Reads the reply descriptor; true when it is done with. */
static inline bool talk_take_reply(int fd, struct result *result)
{
    struct ipc_msg msg;
    struct error err;
    enum status st = ipc_recv(fd, &msg, &err);
    if (st == STATUS_CLOSED) {
        result->closed = true;
        return true;
    }
    assert_int_equal(st, STATUS_OK);
    bool taken = msg.type == CALL_TAKEN;
    if (!taken) {
        assert_int_equal(msg.type, SUBMIT_REPLY);
        assert_int_equal(submit_reply_unpack(buf_span(&msg.body), &result->reply, &err), STATUS_OK);
    }
    ipc_msg_free(&msg);
    return !taken;
}

/* Whatever ended the talk, nothing more may come to queue: it would have been sent before the end. */
static inline void talk_wait(const struct world *w, int reply_fd, struct result *result)
{
    struct pollfd p[2] = {{.fd = reply_fd, .events = POLLIN}, {.fd = w->queue[1], .events = POLLIN}};
    bool done = false;
    while (!done) {
        assert_true(poll(p, 2, WORLD_WAIT_MS) > 0);
        if (p[1].revents) {
            talk_take_store(w->queue[1], result);
            done = true;
        } else if (p[0].revents) {
            done = talk_take_reply(reply_fd, result);
        }
    }
    p[1].revents = 0;
    assert_int_equal(poll(&p[1], 1, 0), 0);
}

/* Submits; returns the reply descriptor. */
static inline int talk_send(const struct world *w, const struct envelope *e, const int *fds, size_t nfds)
{
    int pair[2], all[IPC_FDS_MAX];
    struct error err;
    struct buf body;
    assert_int_equal(ipc_pair(pair, &err), STATUS_OK);
    all[0] = pair[1];
    for (size_t i = 0; i < nfds; i++)
        all[i + 1] = fds[i];
    buf_init(&body, IPC_BODY_MAX);
    envelope_pack(&body, e);
    assert_int_equal(ipc_send(w->seal[0], SUBMIT_MESSAGE, buf_span(&body), all, nfds + 1, &err), STATUS_OK);
    buf_free(&body);
    close(pair[1]);
    return pair[0];
}

static inline void talk_submit_envelope(const struct world *w, const struct envelope *e, struct span message,
                                        struct result *result_out)
{
    struct error err;
    int fd;
    *result_out = (struct result){0};
    assert_int_equal(memfile_from("message", message, &fd, &err), STATUS_OK);
    int reply_fd = talk_send(w, e, &fd, 1);
    close(fd);
    talk_wait(w, reply_fd, result_out);
    close(reply_fd);
}

/* Submits MESSAGE to RECIPIENTS and waits; free with result_free. */
static inline void talk_submit(const struct world *w, const char *const *recipients, struct span message,
                               struct result *result_out)
{
    struct envelope e;
    talk_envelope(&e, recipients);
    talk_submit_envelope(w, &e, message, result_out);
    envelope_free(&e);
}

/* ---- copies ---- */

static inline struct span result_body(const struct result *result, const struct store_copy *copy)
{
    assert_true(copy->body_at + copy->body_len <= result->bodies.len);
    return span_of(result->bodies.p + copy->body_at, copy->body_len);
}

/* The copy for ADDRESS. */
static inline const struct store_copy *result_copy(const struct result *result, const char *address)
{
    for (size_t i = 0; i < result->store.n_copies; i++)
        for (size_t j = 0; j < result->store.copies[i].n_recipients; j++)
            if (strcmp(result->store.copies[i].recipients[j].address, address) == 0)
                return &result->store.copies[i];
    fail_msg("no copy for %s", address);
    return NULL;
}

static inline const struct copy_recipient *result_recipient(const struct result *result, const char *address)
{
    const struct store_copy *copy = result_copy(result, address);
    for (size_t i = 0; i < copy->n_recipients; i++)
        if (strcmp(copy->recipients[i].address, address) == 0)
            return &copy->recipients[i];
    return NULL;
}

static inline bool holds(struct span bytes, struct span what)
{
    return what.len > 0 && memmem(bytes.p, bytes.len, what.p, what.len) != NULL;
}

/* Second part of multipart/encrypted, as GMime, which shares no code with the writer, reads it. */
static inline void talk_armored(struct span copy, struct buf *armored_out)
{
    GMimeStream *stream = g_mime_stream_mem_new_with_buffer(copy.p, copy.len);
    GMimeParser *parser = g_mime_parser_new_with_stream(stream);
    GMimeMessage *message = g_mime_parser_construct_message(parser, NULL);
    assert_non_null(message);
    GMimeObject *root = g_mime_message_get_mime_part(message);
    assert_true(GMIME_IS_MULTIPART_ENCRYPTED(root));
    assert_string_equal(g_mime_object_get_content_type_parameter(root, "protocol"),
                        "application/pgp-encrypted");
    assert_int_equal(g_mime_multipart_get_count((GMimeMultipart *)root), 2);
    GMimeObject *part = g_mime_multipart_get_part((GMimeMultipart *)root, 1);
    GMimeStream *out = g_mime_stream_mem_new();
    g_mime_data_wrapper_write_to_stream(g_mime_part_get_content((GMimePart *)part), out);
    GByteArray *bytes = g_mime_stream_mem_get_byte_array((GMimeStreamMem *)out);
    buf_append(armored_out, bytes->data, bytes->len);
    g_object_unref(out);
    g_object_unref(message);
    g_object_unref(parser);
    g_object_unref(stream);
}

/* Decrypts a sealed copy as WHO with gpg or openssl; PLAIN_OUT is initialised. False: WHO cannot read it. */
static inline bool talk_decrypt(const struct world *w, struct span copy, enum who who, struct buf *plain_out)
{
    bool read;
    if (people[who].format == CERTIFICATE_OPENPGP) {
        struct buf armored;
        buf_init(&armored, 256u << 20);
        talk_armored(copy, &armored);
        world_write(w, "in", buf_span(&armored));
        buf_free(&armored);
        read = world_shell(w, "home %s; pgp --yes --output out --decrypt in", people[who].name);
    } else {
        world_write(w, "in", copy);
        read =
            world_shell(w, "openssl cms -decrypt -inform SMIME -in in -inkey %s.key -recip %s.pem -out out",
                        people[who].name, people[who].name);
    }
    if (read)
        world_read(w, "out", plain_out);
    return read;
}

/* ---- what was decrypted ---- */

/*
 * Is ENTITY the message that was SENT (without its Bcc), with what header protection adds (RFC 9788): fields
 * in front that were MISSING, parameters at the end of Content-Type, or a Content-Type where there was none,
 * and HP-Outer fields? The body is the same bytes.
 */
static inline void talk_see_entity(struct span entity, const char *missing, struct span sent)
{
    struct message_parts got, wanted;
    struct header_field have, want;
    message_split(entity, &got);
    message_split(sent, &wanted);
    assert_true(span_starts(got.header, missing));
    got.header = span_of(got.header.p + strlen(missing), got.header.len - strlen(missing));
    bool more = header_next(&wanted.header, &want);
    while (header_next(&got.header, &have)) {
        bool type = span_is(have.name, "Content-Type");
        if (more && span_eq(have.raw, want.raw)) {
            more = header_next(&wanted.header, &want);
        } else if (more && type && span_is(want.name, "Content-Type")) {
            assert_true(have.value.len > want.value.len &&
                        memcmp(have.value.p, want.value.p, want.value.len) == 0);
            assert_true(holds(have.value, span_str("hp=\"cipher\"")));
            more = header_next(&wanted.header, &want);
        } else if (!type && !span_is(have.name, "HP-Outer")) {
            fail_msg("a field that was not sent: %.*s", (int)have.raw.len, have.raw.p);
        }
    }
    if (more)
        fail_msg("a field is missing: %.*s", (int)want.raw.len, want.raw.p);
    assert_true(span_eq(got.body, wanted.body));
}

/* ---- one worker for a group of tests ---- */

static inline int talk_group_start(void **state)
{
    struct world *w = malloc(sizeof *w);
    assert_non_null(w);
    g_mime_init();
    world_make(w);
    world_start(w);
    *state = w;
    return 0;
}

static inline int talk_group_end(void **state)
{
    struct world *w = *state;
    int status = world_end(w);
    world_free(w);
    free(w);
    /* It served all of the tests and ended as told. */
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

#endif
