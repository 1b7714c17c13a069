/* Every body that roles exchange: what is packed comes out again; cut, lengthened or damaged it is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it. */
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/jobs/keys_job.h"
#include "gateway/jobs/queue_job.h"
#include "gateway/jobs/sasl_job.h"
#include "gateway/jobs/sasl_mechanism.h"
#include "gateway/jobs/submit_job.h"

#define ID "06i1a2b3c4d5e6f7g8h9"

static char *copy(const char *s)
{
    char *t = strdup(s);
    assert_non_null(t);
    return t;
}

/* ---- envelope ---- */

static void fill_envelope(struct envelope *e)
{
    struct error err;
    envelope_init(e);
    memcpy(e->id, ID, ID_SIZE);
    e->received_ms = -1234567890123;
    e->reverse_path = copy("");
    e->user = copy("alice");
    e->listener = copy("[::]:465");
    e->client_address = copy("2001:db8::1");
    e->helo = copy("client.example.org");
    e->tls_version = copy("TLSv1.3");
    e->tls_cipher = copy("TLS_AES_256_GCM_SHA384");
    e->body_8bit = true;
    assert_int_equal(envelope_add_recipient(e, "bob@example.com", &err), STATUS_OK);
    assert_int_equal(envelope_add_recipient(e, "carol@example.net", &err), STATUS_OK);
    e->recipients[1].notify = copy("SUCCESS,FAILURE");
    e->recipients[1].orcpt = copy("rfc822;carol@example.net");
}

static void see_envelope(const struct envelope *e)
{
    assert_string_equal(e->id, ID);
    assert_int_equal(e->received_ms, -1234567890123);
    assert_string_equal(e->reverse_path, "");
    assert_string_equal(e->user, "alice");
    assert_string_equal(e->listener, "[::]:465");
    assert_string_equal(e->client_address, "2001:db8::1");
    assert_string_equal(e->helo, "client.example.org");
    assert_string_equal(e->tls_version, "TLSv1.3");
    assert_string_equal(e->tls_cipher, "TLS_AES_256_GCM_SHA384");
    assert_true(e->body_8bit);
    assert_false(e->smtputf8);
    assert_int_equal(e->n_recipients, 2);
    assert_string_equal(e->recipients[0].address, "bob@example.com");
    assert_null(e->recipients[0].notify);
    assert_null(e->recipients[0].orcpt);
    assert_string_equal(e->recipients[1].address, "carol@example.net");
    assert_string_equal(e->recipients[1].notify, "SUCCESS,FAILURE");
    assert_string_equal(e->recipients[1].orcpt, "rfc822;carol@example.net");
}

/* ---- one pair of functions per body: pack an example; unpack, look at it, free it ---- */

typedef void pack_fn(struct buf *b);
typedef enum status unpack_fn(struct span bytes, struct error *err);

static void pack_submit_reply(struct buf *b)
{
    struct submit_reply reply = {.outcome = SUBMIT_REFUSED_LOOP,
                                 .rule = "board",
                                 .recipient = "bob@example.com",
                                 .text = "too many hops"};
    submit_reply_pack(b, &reply);
}

static enum status unpack_submit_reply(struct span bytes, struct error *err)
{
    struct submit_reply reply;
    enum status st = submit_reply_unpack(bytes, &reply, err);
    assert_true(st == STATUS_OK || reply.outcome == SUBMIT_LATER);
    if (st == STATUS_OK) {
        assert_int_equal(reply.outcome, SUBMIT_REFUSED_LOOP);
        assert_string_equal(reply.text, "too many hops");
        assert_string_equal(reply.rule, "board");
        assert_string_equal(reply.recipient, "bob@example.com");
    }
    return st;
}

static struct sasl_start example_start(void)
{
    struct sasl_start start = {.mechanism = "SCRAM-SHA-256-PLUS",
                               .client_address = strdup("192.0.2.1"),
                               .listener = strdup("[::]:465"),
                               .has_exporter = true,
                               .certificate_sha256 = "0123456789abcdef",
                               .certificate_subject = strdup("CN=alice,O=Example"),
                               .has_initial = true};
    memset(start.exporter, 7, sizeof start.exporter);
    buf_init(&start.initial, 100);
    buf_append(&start.initial, "p=tls\0exporter", 14);
    return start;
}

static void pack_sasl_start(struct buf *b)
{
    struct sasl_start start = example_start();
    sasl_start_pack(b, &start);
    sasl_start_free(&start);
}

static enum status unpack_sasl_start(struct span bytes, struct error *err)
{
    static const struct sasl_start wiped = {0};
    struct sasl_start start, wanted = example_start();
    enum status st = sasl_start_unpack(bytes, &start, err);
    if (st == STATUS_OK) {
        assert_string_equal(start.mechanism, wanted.mechanism);
        assert_string_equal(start.client_address, wanted.client_address);
        assert_string_equal(start.listener, wanted.listener);
        assert_true(start.has_exporter && start.has_initial);
        assert_memory_equal(start.exporter, wanted.exporter, sizeof start.exporter);
        assert_string_equal(start.certificate_sha256, wanted.certificate_sha256);
        assert_string_equal(start.certificate_subject, wanted.certificate_subject);
        assert_true(span_eq(buf_span(&start.initial), buf_span(&wanted.initial)));
        sasl_start_free(&start);
    }
    assert_memory_equal(&start, &wiped, sizeof start);
    sasl_start_free(&wanted);
    return st;
}

static void pack_sasl_step(struct buf *b)
{
    struct sasl_step step = {.exchange = UINT64_MAX - 1};
    buf_init(&step.response, 10);
    buf_append(&step.response, "a\0b", 3);
    sasl_step_pack(b, &step);
    sasl_step_free(&step);
}

static enum status unpack_sasl_step(struct span bytes, struct error *err)
{
    struct sasl_step step;
    enum status st = sasl_step_unpack(bytes, &step, err);
    if (st == STATUS_OK) {
        assert_true(step.exchange == UINT64_MAX - 1);
        assert_int_equal(step.response.len, 3);
        assert_memory_equal(step.response.data, "a\0b", 3);
        sasl_step_free(&step);
    }
    assert_null(step.response.data);
    return st;
}

static void pack_sasl_abort(struct buf *b)
{
    sasl_abort_pack(b, 42);
}

static enum status unpack_sasl_abort(struct span bytes, struct error *err)
{
    uint64_t exchange;
    enum status st = sasl_abort_unpack(bytes, &exchange, err);
    if (st == STATUS_OK)
        assert_int_equal(exchange, 42);
    return st;
}

static void pack_sasl_result(struct buf *b)
{
    char one[] = "alice@example.org", two[] = "@example.com";
    char *send_as[] = {one, two};
    struct sasl_result result = {.verdict = SASL_OK, .user = "alice", .send_as = send_as, .n_send_as = 2};
    buf_init(&result.challenge, 10);
    buf_append_str(&result.challenge, "v=abc");
    sasl_result_pack(b, &result);
    buf_free(&result.challenge);
}

static enum status unpack_sasl_result(struct span bytes, struct error *err)
{
    struct sasl_result result;
    enum status st = sasl_result_unpack(bytes, &result, err);
    assert_int_equal(result.verdict, st == STATUS_OK ? SASL_OK : SASL_LATER);
    assert_string_equal(result.user, st == STATUS_OK ? "alice" : "");
    assert_int_equal(result.n_send_as, st == STATUS_OK ? 2 : 0);
    if (st == STATUS_OK) {
        assert_string_equal(result.send_as[0], "alice@example.org");
        assert_string_equal(result.send_as[1], "@example.com");
        assert_true(span_eq(buf_span(&result.challenge), span_str("v=abc")));
    }
    sasl_result_free(&result);
    return st;
}

static void pack_keys_lookup(struct buf *b)
{
    char one[] = "bob@example.com", two[] = "carol@example.net";
    char *addresses[] = {one, two};
    struct keys_lookup lookup = {.addresses = addresses, .n = 2, .with_bytes = true};
    keys_lookup_pack(b, &lookup);
}

static enum status unpack_keys_lookup(struct span bytes, struct error *err)
{
    struct keys_lookup lookup;
    enum status st = keys_lookup_unpack(bytes, &lookup, err);
    if (st == STATUS_OK) {
        assert_true(lookup.with_bytes);
        assert_int_equal(lookup.n, 2);
        assert_string_equal(lookup.addresses[0], "bob@example.com");
        assert_string_equal(lookup.addresses[1], "carol@example.net");
        keys_lookup_free(&lookup);
    }
    assert_null(lookup.addresses);
    return st;
}

static void pack_keys_found(struct buf *b)
{
    static const char der[] = "0\x82\0bytes";
    char addresses[] = "bob@example.com", name[] = "Bob";
    struct certificate certificates[2] = {
        {.format = CERTIFICATE_OPENPGP,
         .fingerprint = "0123456789ABCDEF0123456789ABCDEF01234567",
         .source = "local",
         .algorithm = "cv25519",
         .pinned = true,
         .for_domain = true,
         .worked_ms = 1700000001234,
         .usable = true,
         .added = 1700000000,
         .expires = 1900000000,
         .keyids = {0xfeedfacecafebeef, 1},
         .n_keyids = 2,
         .addresses = addresses,
         .name = name},
        {.format = CERTIFICATE_SMIME,
         .fingerprint = "AB",
         .capabilities = CAPABILITY_AES256_GCM | CAPABILITY_RSA_OAEP,
         .reason = "expired on 2024-05-01"},
    };
    struct keys_answer answers[3] = {
        {.state = LOOKUP_DONE, .list = {.items = certificates, .n = 2, .preferred = CERTIFICATE_SMIME}},
        {.state = LOOKUP_FAILED, .why = "database is locked"},
        {.state = LOOKUP_DONE}};
    struct keys_found found = {.answers = answers, .n = 3};
    buf_init(&certificates[0].bytes, 100);
    buf_init(&certificates[1].bytes, 100);
    buf_append(&certificates[0].bytes, der, sizeof der);
    keys_found_pack(b, &found, true);
    buf_free(&certificates[0].bytes);
}

static void see_certificates(const struct certificate_list *list)
{
    const struct certificate *c = list->items;
    assert_int_equal(list->n, 2);
    assert_int_equal(list->preferred, CERTIFICATE_SMIME);
    assert_true(c[0].pinned && c[0].for_domain && !c[1].pinned && !c[1].for_domain);
    assert_int_equal(c[0].worked_ms, 1700000001234);
    assert_int_equal(c[1].worked_ms, 0);
    assert_int_equal(c[0].capabilities, 0);
    assert_int_equal(c[1].capabilities, CAPABILITY_AES256_GCM | CAPABILITY_RSA_OAEP);
    assert_int_equal(c[0].format, CERTIFICATE_OPENPGP);
    assert_string_equal(c[0].fingerprint, "0123456789ABCDEF0123456789ABCDEF01234567");
    assert_string_equal(c[0].source, "local");
    assert_string_equal(c[0].algorithm, "cv25519");
    assert_true(c[0].usable);
    assert_int_equal(c[0].added, 1700000000);
    assert_int_equal(c[0].expires, 1900000000);
    assert_int_equal(c[0].n_keyids, 2);
    assert_true(c[0].keyids[0] == 0xfeedfacecafebeef && c[0].keyids[1] == 1);
    assert_true(span_eq(buf_span(&c[0].bytes), span_of("0\x82\0bytes", 9)));
    assert_string_equal(c[0].addresses, "bob@example.com");
    assert_string_equal(c[0].name, "Bob");
    assert_int_equal(c[1].format, CERTIFICATE_SMIME);
    assert_false(c[1].usable);
    assert_string_equal(c[1].reason, "expired on 2024-05-01");
    assert_int_equal(c[1].bytes.len, 0);
    assert_null(c[1].addresses);
    assert_null(c[1].name);
}

static enum status unpack_keys_found(struct span bytes, struct error *err)
{
    struct keys_found found;
    enum status st = keys_found_unpack(bytes, &found, err);
    if (st == STATUS_OK) {
        assert_int_equal(found.n, 3);
        assert_int_equal(found.answers[0].state, LOOKUP_DONE);
        see_certificates(&found.answers[0].list);
        assert_int_equal(found.answers[1].state, LOOKUP_FAILED);
        assert_string_equal(found.answers[1].why, "database is locked");
        assert_int_equal(found.answers[1].list.n, 0);
        assert_int_equal(found.answers[2].state, LOOKUP_DONE);
        assert_int_equal(found.answers[2].list.n, 0);
        keys_found_free(&found);
    }
    assert_null(found.answers);
    return st;
}

static struct queue_store example_store(void)
{
    struct queue_store store = {.reply = {.outcome = SUBMIT_QUEUED, .text = ID " queued"}, .n_copies = 2};
    fill_envelope(&store.envelope);
    store.copies = calloc(2, sizeof *store.copies);
    assert_non_null(store.copies);
    store.copies[0] = (struct store_copy){.state = COPY_QUEUED,
                                          .format = FORMAT_SMIME,
                                          .body_at = 7,
                                          .body_len = 1ull << 40,
                                          .tls = TLS_LEVEL_SECURE,
                                          .tls_optional = true,
                                          .n_recipients = 1};
    store.copies[1] = (struct store_copy){.state = COPY_HELD,
                                          .format = FORMAT_CLEAR,
                                          .locked = true,
                                          .header_at = 3,
                                          .header_len = 5,
                                          .n_recipients = 1};
    for (size_t i = 0; i < 2; i++) {
        store.copies[i].recipients = calloc(1, sizeof *store.copies[i].recipients);
        assert_non_null(store.copies[i].recipients);
        store.copies[i].recipients[0].address = copy(i ? "carol@example.net" : "bob@example.com");
    }
    struct copy_recipient *r = store.copies[0].recipients;
    r->rule = copy("default");
    r->reason = copy("none found");
    r->fingerprint = copy("ABCD");
    r->source = copy("local");
    r->notify = copy("NEVER");
    r->orcpt = copy("rfc822;b");
    store.copies[0].cipher = copy("AES256");
    store.copies[0].notes = calloc(1, sizeof *store.copies[0].notes);
    assert_non_null(store.copies[0].notes);
    store.copies[0].n_notes = 1;
    store.copies[0].notes[0] = (struct copy_note){.event = copy("archived"),
                                                  .address = copy("archive@example.org"),
                                                  .fingerprint = copy("EF01"),
                                                  .source = copy("local")};
    return store;
}

static void see_store(const struct queue_store *store)
{
    see_envelope(&store->envelope);
    assert_int_equal(store->reply.outcome, SUBMIT_QUEUED);
    assert_string_equal(store->reply.text, ID " queued");
    assert_int_equal(store->n_copies, 2);
    const struct store_copy *c = store->copies;
    assert_int_equal(c[0].state, COPY_QUEUED);
    assert_int_equal(c[0].format, FORMAT_SMIME);
    assert_string_equal(c[0].cipher, "AES256");
    assert_int_equal(c[0].tls, TLS_LEVEL_SECURE);
    assert_int_equal(c[1].tls, TLS_LEVEL_NONE);
    assert_true(c[0].tls_optional && !c[1].tls_optional);
    assert_int_equal(c[0].n_notes, 1);
    assert_string_equal(c[0].notes[0].event, "archived");
    assert_string_equal(c[0].notes[0].address, "archive@example.org");
    assert_string_equal(c[0].notes[0].fingerprint, "EF01");
    assert_string_equal(c[0].notes[0].source, "local");
    assert_null(c[1].cipher);
    assert_int_equal(c[1].n_notes, 0);
    assert_false(c[0].locked);
    assert_int_equal(c[0].body_at, 7);
    assert_int_equal(c[0].body_len, 1ull << 40);
    assert_int_equal(c[0].header_len, 0);
    assert_int_equal(c[1].state, COPY_HELD);
    assert_int_equal(c[1].format, FORMAT_CLEAR);
    assert_true(c[1].locked);
    assert_int_equal(c[1].header_at, 3);
    assert_int_equal(c[1].header_len, 5);
    const struct copy_recipient *r = c[0].recipients;
    assert_string_equal(r->address, "bob@example.com");
    assert_string_equal(r->rule, "default");
    assert_string_equal(r->reason, "none found");
    assert_string_equal(r->fingerprint, "ABCD");
    assert_string_equal(r->source, "local");
    assert_string_equal(r->notify, "NEVER");
    assert_string_equal(r->orcpt, "rfc822;b");
    r = c[1].recipients;
    assert_string_equal(r->address, "carol@example.net");
    assert_true(!r->rule && !r->reason && !r->fingerprint && !r->source && !r->notify && !r->orcpt);
}

static void pack_queue_store(struct buf *b)
{
    struct queue_store store = example_store();
    queue_store_pack(b, &store);
    queue_store_free(&store);
}

static enum status unpack_queue_store(struct span bytes, struct error *err)
{
    struct queue_store store;
    enum status st = queue_store_unpack(bytes, &store, err);
    if (st == STATUS_OK) {
        see_store(&store);
        queue_store_free(&store);
    }
    assert_null(store.copies);
    return st;
}

static void pack_queue_release(struct buf *b)
{
    struct queue_release release = {.copy_id = INT64_MAX, .notice = true};
    fill_envelope(&release.envelope);
    queue_release_pack(b, &release);
    queue_release_free(&release);
}

static enum status unpack_queue_release(struct span bytes, struct error *err)
{
    struct queue_release release;
    enum status st = queue_release_unpack(bytes, &release, err);
    if (st == STATUS_OK) {
        see_envelope(&release.envelope);
        assert_int_equal(release.copy_id, INT64_MAX);
        assert_true(release.notice);
        queue_release_free(&release);
    }
    assert_null(release.envelope.recipients);
    return st;
}

static void pack_released_sealed(struct buf *b)
{
    struct queue_released released = {.verdict = RELEASE_SEALED, .store = example_store()};
    queue_released_pack(b, &released);
    queue_released_free(&released);
}

static enum status unpack_released_sealed(struct span bytes, struct error *err)
{
    struct queue_released released;
    enum status st = queue_released_unpack(bytes, &released, err);
    if (st == STATUS_OK) {
        assert_int_equal(released.verdict, RELEASE_SEALED);
        see_store(&released.store);
        queue_released_free(&released);
    }
    assert_int_equal(released.verdict, RELEASE_NOT);
    return st;
}

static void pack_released_as_is(struct buf *b)
{
    struct queue_released released = {.verdict = RELEASE_AS_IS, .why = "none found"};
    queue_released_pack(b, &released);
}

static enum status unpack_released_as_is(struct span bytes, struct error *err)
{
    struct queue_released released;
    enum status st = queue_released_unpack(bytes, &released, err);
    if (st == STATUS_OK) {
        assert_int_equal(released.verdict, RELEASE_AS_IS);
        assert_string_equal(released.why, "none found");
        queue_released_free(&released);
    }
    assert_int_equal(released.verdict, RELEASE_NOT);
    return st;
}

static void pack_released_held(struct buf *b)
{
    struct queue_released released = {.verdict = RELEASE_NOT, .why = "none found"};
    queue_released_pack(b, &released);
}

static enum status unpack_released_held(struct span bytes, struct error *err)
{
    struct queue_released released;
    enum status st = queue_released_unpack(bytes, &released, err);
    assert_int_equal(released.verdict, RELEASE_NOT);
    if (st == STATUS_OK) {
        assert_string_equal(released.why, "none found");
        queue_released_free(&released);
    }
    return st;
}

static void pack_queue_refused(struct buf *b)
{
    struct queue_refused refused = {
        .recipient = copy("bob@example.com"), .rule = copy("default"), .reply = copy("550 5.7.1 no")};
    fill_envelope(&refused.envelope);
    queue_refused_pack(b, &refused);
    queue_refused_free(&refused);
}

static enum status unpack_queue_refused(struct span bytes, struct error *err)
{
    struct queue_refused refused;
    enum status st = queue_refused_unpack(bytes, &refused, err);
    if (st == STATUS_OK) {
        see_envelope(&refused.envelope);
        assert_string_equal(refused.recipient, "bob@example.com");
        assert_string_equal(refused.rule, "default");
        assert_string_equal(refused.reply, "550 5.7.1 no");
        queue_refused_free(&refused);
    }
    assert_null(refused.recipient);
    return st;
}

static void pack_queue_attach(struct buf *b)
{
    struct queue_attach attach = {.instance = ID, .window = 40};
    queue_attach_pack(b, &attach);
}

static enum status unpack_queue_attach(struct span bytes, struct error *err)
{
    struct queue_attach attach;
    enum status st = queue_attach_unpack(bytes, &attach, err);
    assert_string_equal(attach.instance, st == STATUS_OK ? ID : "");
    assert_int_equal(attach.window, st == STATUS_OK ? 40 : 0);
    return st;
}

static void pack_queue_lease(struct buf *b)
{
    char bob[] = "bob@example.com", why[] = "none found", never[] = "NEVER", orcpt[] = "rfc822;b",
         from[] = "", envid[] = "QQ314159", ret[] = "FULL", rule[] = "confidential";
    struct lease_recipient recipients[2] = {{.id = 11,
                                             .address = bob,
                                             .reason = why,
                                             .notify = never,
                                             .orcpt = orcpt,
                                             .attempts = 3,
                                             .expires_ms = 2},
                                            {.id = 12, .address = bob}};
    struct queue_lease lease = {.copy_id = 9,
                                .message_id = ID,
                                .state = COPY_RETURN,
                                .format = FORMAT_CLEAR,
                                .locked = true,
                                .smtputf8 = true,
                                .requiretls = true,
                                .tls = TLS_LEVEL_DANE_ONLY,
                                .rule = rule,
                                .received_ms = 1,
                                .reverse_path = from,
                                .envid = envid,
                                .ret = ret,
                                .recipients = recipients,
                                .n_recipients = 2};
    buf_init(&lease.dsn_header, 100);
    buf_append_str(&lease.dsn_header, "Subject: x\r\n");
    queue_lease_pack(b, &lease);
    buf_free(&lease.dsn_header);
}

static void see_lease(const struct queue_lease *lease)
{
    assert_int_equal(lease->copy_id, 9);
    assert_string_equal(lease->message_id, ID);
    assert_int_equal(lease->state, COPY_RETURN);
    assert_int_equal(lease->format, FORMAT_CLEAR);
    assert_true(lease->locked && lease->smtputf8 && !lease->body_8bit && lease->requiretls);
    assert_string_equal(lease->envid, "QQ314159");
    assert_string_equal(lease->ret, "FULL");
    assert_int_equal(lease->tls, TLS_LEVEL_DANE_ONLY);
    assert_string_equal(lease->rule, "confidential");
    assert_int_equal(lease->received_ms, 1);
    assert_int_equal(lease->recipients[0].expires_ms, 2);
    assert_string_equal(lease->reverse_path, "");
    assert_true(span_eq(buf_span(&lease->dsn_header), span_str("Subject: x\r\n")));
    assert_int_equal(lease->n_recipients, 2);
    const struct lease_recipient *r = lease->recipients;
    assert_int_equal(r[0].id, 11);
    assert_string_equal(r[0].address, "bob@example.com");
    assert_string_equal(r[0].reason, "none found");
    assert_string_equal(r[0].notify, "NEVER");
    assert_string_equal(r[0].orcpt, "rfc822;b");
    assert_int_equal(r[0].attempts, 3);
    assert_int_equal(r[1].id, 12);
    assert_true(!r[1].reason && !r[1].notify && !r[1].orcpt && r[1].attempts == 0);
}

static enum status unpack_queue_lease(struct span bytes, struct error *err)
{
    struct queue_lease lease;
    enum status st = queue_lease_unpack(bytes, &lease, err);
    if (st == STATUS_OK) {
        see_lease(&lease);
        queue_lease_free(&lease);
    }
    assert_null(lease.recipients);
    return st;
}

static void pack_queue_outcome(struct buf *b)
{
    char reply[] = "250 ok", host[] = "mx.example.com", version[] = "TLSv1.3", cipher[] = "AES",
         peer[] = "verified", from[] = "alice@example.org";
    struct outcome_recipient recipients[2] = {{.id = 5,
                                               .outcome = OUTCOME_DELIVERED,
                                               .reply = reply,
                                               .host = host,
                                               .tls_version = version,
                                               .tls_cipher = cipher,
                                               .tls_peer = peer},
                                              {.id = 6, .outcome = OUTCOME_BOUNCED}};
    struct queue_outcome outcome = {.number = 3,
                                    .copy_id = 9,
                                    .recipients = recipients,
                                    .n_recipients = 2,
                                    .has_dsn = true,
                                    .dsn_id = ID,
                                    .dsn_recipient = from,
                                    .dsn_tls_optional = true};
    queue_outcome_pack(b, &outcome);
}

static void see_outcome(const struct queue_outcome *outcome)
{
    assert_int_equal(outcome->number, 3);
    assert_int_equal(outcome->copy_id, 9);
    assert_true(outcome->has_dsn);
    assert_string_equal(outcome->dsn_id, ID);
    assert_string_equal(outcome->dsn_recipient, "alice@example.org");
    assert_true(outcome->dsn_tls_optional);
    assert_int_equal(outcome->n_recipients, 2);
    const struct outcome_recipient *r = outcome->recipients;
    assert_int_equal(r[0].id, 5);
    assert_int_equal(r[0].outcome, OUTCOME_DELIVERED);
    assert_string_equal(r[0].reply, "250 ok");
    assert_string_equal(r[0].host, "mx.example.com");
    assert_string_equal(r[0].tls_version, "TLSv1.3");
    assert_string_equal(r[0].tls_cipher, "AES");
    assert_string_equal(r[0].tls_peer, "verified");
    assert_int_equal(r[1].outcome, OUTCOME_BOUNCED);
    assert_true(!r[1].reply && !r[1].host && !r[1].tls_version && !r[1].tls_cipher && !r[1].tls_peer);
}

static enum status unpack_queue_outcome(struct span bytes, struct error *err)
{
    struct queue_outcome outcome;
    enum status st = queue_outcome_unpack(bytes, &outcome, err);
    if (st == STATUS_OK) {
        see_outcome(&outcome);
        queue_outcome_free(&outcome);
    }
    assert_null(outcome.recipients);
    assert_null(outcome.dsn_recipient);
    return st;
}

static const struct body {
    const char *name;
    pack_fn *pack;
    unpack_fn *unpack;
} bodies[] = {
    {"submit_reply", pack_submit_reply, unpack_submit_reply},
    {"sasl_start", pack_sasl_start, unpack_sasl_start},
    {"sasl_step", pack_sasl_step, unpack_sasl_step},
    {"keys_lookup", pack_keys_lookup, unpack_keys_lookup},
    {"keys_found", pack_keys_found, unpack_keys_found},
    {"queue_store", pack_queue_store, unpack_queue_store},
    {"queue_release", pack_queue_release, unpack_queue_release},
    {"queue_released, sealed", pack_released_sealed, unpack_released_sealed},
    {"queue_released, as it is", pack_released_as_is, unpack_released_as_is},
    {"queue_released, held", pack_released_held, unpack_released_held},
    {"queue_refused", pack_queue_refused, unpack_queue_refused},
    {"queue_attach", pack_queue_attach, unpack_queue_attach},
    {"queue_lease", pack_queue_lease, unpack_queue_lease},
    {"queue_outcome", pack_queue_outcome, unpack_queue_outcome},
    {"sasl_abort", pack_sasl_abort, unpack_sasl_abort},
    {"sasl_result", pack_sasl_result, unpack_sasl_result},
};

#define N_BODIES (sizeof bodies / sizeof *bodies)

static void pack_example(const struct body *body, struct buf *b)
{
    buf_init(b, 1u << 20);
    body->pack(b);
    assert_false(b->failed);
}

static void comes_out_as_it_went_in(void **state)
{
    (void)state;
    for (const struct body *body = bodies; body < bodies + N_BODIES; body++) {
        struct buf b;
        struct error err;
        pack_example(body, &b);
        if (body->unpack(buf_span(&b), &err) != STATUS_OK)
            fail_msg("%s: %s", body->name, err.text);
        buf_free(&b);
    }
}

/* Each length is in memory of its own, so that AddressSanitizer sees a read past the end. */
static enum status unpack_alone(const struct body *body, struct span bytes)
{
    struct error err;
    char *alone = malloc(bytes.len + 1);
    assert_non_null(alone);
    char *end_aligned = alone + 1;
    if (bytes.len > 0)
        memcpy(end_aligned, bytes.p, bytes.len);
    enum status st = body->unpack(span_of(end_aligned, bytes.len), &err);
    free(alone);
    return st;
}

static void cut_at_every_length_is_refused(void **state)
{
    (void)state;
    for (const struct body *body = bodies; body < bodies + N_BODIES; body++) {
        struct buf b;
        pack_example(body, &b);
        for (size_t len = 0; len < b.len; len++)
            if (unpack_alone(body, span_of(b.data, len)) == STATUS_OK)
                fail_msg("%s: %zu of %zu bytes were taken", body->name, len, b.len);
        buf_append_char(&b, 'x');
        if (unpack_alone(body, buf_span(&b)) == STATUS_OK)
            fail_msg("%s: a byte left over was taken", body->name);
        buf_free(&b);
    }
}

/* Counts and lengths of 4 billion at every place: refused (or, inside a string, not seen), at once. */
static void huge_numbers_are_refused(void **state)
{
    (void)state;
    struct queue_store store;
    struct keys_found found;
    struct queue_lease lease;
    struct error err;
    struct buf b;
    pack_example(&bodies[5], &b);
    for (size_t at = 0; at + 4 <= b.len; at++) {
        struct buf damaged;
        buf_init(&damaged, b.len);
        buf_append_span(&damaged, buf_span(&b));
        memset(damaged.data + at, 0xfe, 4);
        if (queue_store_unpack(buf_span(&damaged), &store, &err) == STATUS_OK)
            queue_store_free(&store);
        if (keys_found_unpack(buf_span(&damaged), &found, &err) == STATUS_OK)
            keys_found_free(&found);
        if (queue_lease_unpack(buf_span(&damaged), &lease, &err) == STATUS_OK)
            queue_lease_free(&lease);
        buf_free(&damaged);
    }
    buf_free(&b);
}

static void enum_out_of_range_is_refused(void **state)
{
    (void)state;
    static const uint32_t wrong[] = {0, SUBMIT_LATER_SIGNING + 1, UINT32_MAX};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct submit_reply reply = {.outcome = wrong[i]}, out;
        struct sasl_result result = {.verdict = wrong[i]}, result_out;
        struct error err;
        struct buf b;
        buf_init(&b, 1000);
        submit_reply_pack(&b, &reply);
        assert_int_equal(submit_reply_unpack(buf_span(&b), &out, &err), STATUS_INTERNAL);
        assert_int_equal(out.outcome, SUBMIT_LATER);
        buf_reset(&b);
        sasl_result_pack(&b, &result);
        assert_int_equal(sasl_result_unpack(buf_span(&b), &result_out, &err), STATUS_INTERNAL);
        assert_int_equal(result_out.verdict, SASL_LATER);
        buf_free(&b);
    }
}

/* Success without a name is none, and no other verdict gives rights. */
static void sasl_result_that_contradicts_itself_is_refused(void **state)
{
    (void)state;
    char pattern[] = "*";
    char *send_as[] = {pattern};
    for (unsigned verdict = SASL_GO_ON; verdict <= SASL_LATER; verdict++) {
        struct sasl_result result = {.verdict = verdict, .send_as = send_as, .n_send_as = 1}, out;
        struct error err;
        struct buf b;
        buf_init(&b, 1000);
        sasl_result_pack(&b, &result);
        assert_int_equal(sasl_result_unpack(buf_span(&b), &out, &err), STATUS_INTERNAL);
        assert_int_equal(out.verdict, SASL_LATER);
        assert_int_equal(out.n_send_as, 0);
        buf_free(&b);
    }
}

/* More than a line can hold is from nobody who speaks SMTP. */
static void sasl_response_that_is_too_long_is_refused(void **state)
{
    (void)state;
    struct sasl_step step = {.exchange = 1}, out;
    struct error err;
    struct buf b;
    buf_init(&b, 20000);
    buf_init(&step.response, SASL_RESPONSE_MAX + 1);
    memset(buf_reserve(&step.response, SASL_RESPONSE_MAX), 'a', SASL_RESPONSE_MAX);
    buf_commit(&step.response, SASL_RESPONSE_MAX);
    sasl_step_pack(&b, &step);
    assert_int_equal(sasl_step_unpack(buf_span(&b), &out, &err), STATUS_OK);
    sasl_step_free(&out);
    buf_append_char(&step.response, 'a');
    buf_reset(&b);
    sasl_step_pack(&b, &step);
    assert_int_equal(sasl_step_unpack(buf_span(&b), &out, &err), STATUS_INTERNAL);
    sasl_step_free(&step);
    buf_free(&b);
}

static void mechanisms_are_offered_as_a_connection_can(void **state)
{
    (void)state;
    static const struct {
        unsigned allowed;
        bool exporter, certificate;
        const char *list;
    } cases[] = {
        {SASL_ALL_MECHANISMS, true, true, "SCRAM-SHA-256-PLUS SCRAM-SHA-256 EXTERNAL PLAIN LOGIN"},
        {SASL_ALL_MECHANISMS, false, false, "SCRAM-SHA-256 PLAIN LOGIN"},
        {SASL_ALL_MECHANISMS, true, false, "SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN"},
        {SASL_PLAIN | SASL_EXTERNAL, true, true, "EXTERNAL PLAIN"},
        {SASL_SCRAM_SHA_256_PLUS, false, true, ""},
        {0, true, true, ""},
        {UINT32_MAX, false, true, "SCRAM-SHA-256 EXTERNAL PLAIN LOGIN"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char list[SASL_LIST_SIZE];
        sasl_mechanisms_list(
            sasl_mechanisms_offered(cases[i].allowed, cases[i].exporter, cases[i].certificate), list);
        assert_string_equal(list, cases[i].list);
    }
    assert_int_equal(sasl_mechanism_find("scram-Sha-256-pluS"), SASL_SCRAM_SHA_256_PLUS);
    assert_int_equal(sasl_mechanism_find("PLAIN"), SASL_PLAIN);
    assert_int_equal(sasl_mechanism_find("PLAINER"), SASL_NO_MECHANISM);
    assert_int_equal(sasl_mechanism_find(""), SASL_NO_MECHANISM);
    assert_string_equal(sasl_mechanism_name(SASL_EXTERNAL), "EXTERNAL");
    assert_string_equal(sasl_mechanism_name(SASL_NO_MECHANISM), "");
}

/* A33: "lookup failed" with certificates beside it would let somebody take the one for the other. */
static void a33_failed_lookup_with_a_list_is_refused(void **state)
{
    (void)state;
    struct certificate certificate = {.format = CERTIFICATE_OPENPGP, .usable = true};
    struct keys_answer answer = {.state = LOOKUP_FAILED, .list = {.items = &certificate, .n = 1}};
    struct keys_found found = {.answers = &answer, .n = 1}, out;
    struct error err;
    struct buf b;
    buf_init(&b, 1000);
    keys_found_pack(&b, &found, true);
    assert_int_equal(keys_found_unpack(buf_span(&b), &out, &err), STATUS_INTERNAL);
    assert_null(out.answers);
    buf_free(&b);
}

static void bytes_are_left_out_when_not_asked_for(void **state)
{
    (void)state;
    struct certificate certificate = {.format = CERTIFICATE_SMIME, .usable = true};
    struct keys_answer answer = {.state = LOOKUP_DONE, .list = {.items = &certificate, .n = 1}};
    struct keys_found found = {.answers = &answer, .n = 1}, out;
    struct error err;
    struct buf b;
    buf_init(&certificate.bytes, 100);
    buf_append_str(&certificate.bytes, "bytes");
    buf_init(&b, 1000);
    keys_found_pack(&b, &found, false);
    assert_int_equal(keys_found_unpack(buf_span(&b), &out, &err), STATUS_OK);
    assert_int_equal(out.answers[0].list.items[0].bytes.len, 0);
    assert_true(out.answers[0].list.items[0].usable);
    keys_found_free(&out);
    buf_free(&certificate.bytes);
    buf_free(&b);
}

/* A place in the memory file whose end does not fit a number would pass a check of "at + len <= size". */
static void place_that_overflows_is_refused(void **state)
{
    (void)state;
    struct queue_store store = example_store(), out;
    struct error err;
    struct buf b;
    buf_init(&b, 100000);
    store.copies[1].body_at = UINT64_MAX - 3;
    store.copies[1].body_len = 8;
    queue_store_pack(&b, &store);
    assert_int_equal(queue_store_unpack(buf_span(&b), &out, &err), STATUS_INTERNAL);
    queue_store_free(&store);
    buf_free(&b);
}

/* A24: an instance or queue id becomes part of names and queries. */
static void a24_ids_of_another_form_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", "../../../../etc/pass", "06i1a2b3c4d5e6f7g8hz", "06i1"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct queue_attach attach = {.window = 1}, out;
        struct error err;
        struct buf b;
        buf_init(&b, 1000);
        memcpy(attach.instance, wrong[i], strlen(wrong[i]));
        queue_attach_pack(&b, &attach);
        assert_int_equal(queue_attach_unpack(buf_span(&b), &out, &err), STATUS_INTERNAL);
        buf_free(&b);
    }
}

static void formats_have_words(void **state)
{
    (void)state;
    assert_string_equal(copy_format_word(FORMAT_CLEAR), "clear");
    assert_string_equal(copy_format_word(FORMAT_OPENPGP), "openpgp");
    assert_string_equal(copy_format_word(FORMAT_SMIME), "smime");
    assert_string_equal(copy_format_word(0), "unknown");
    assert_string_equal(copy_format_word(FORMAT_NONE), "none");
    assert_string_equal(copy_format_word(5), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_out_as_it_went_in),
        cmocka_unit_test(cut_at_every_length_is_refused),
        cmocka_unit_test(huge_numbers_are_refused),
        cmocka_unit_test(enum_out_of_range_is_refused),
        cmocka_unit_test(sasl_result_that_contradicts_itself_is_refused),
        cmocka_unit_test(sasl_response_that_is_too_long_is_refused),
        cmocka_unit_test(mechanisms_are_offered_as_a_connection_can),
        cmocka_unit_test(a33_failed_lookup_with_a_list_is_refused),
        cmocka_unit_test(bytes_are_left_out_when_not_asked_for),
        cmocka_unit_test(place_that_overflows_is_refused),
        cmocka_unit_test(a24_ids_of_another_form_are_refused),
        cmocka_unit_test(formats_have_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
