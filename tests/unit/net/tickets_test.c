/* Session tickets: what the ratchet promises, and handshakes that resume or do not. */
#include "tests/unit/net/fixture.h"

#include <time.h>

#include "base/clock.h"
#include "gateway/net/ticket_ratchet.h"
#include "gateway/net/tickets.h"
#include "gateway/net/tls_server.h"

#define HOUR 3600000

static char dir[64];

/* ---- the ratchet ---- */

static struct ticket_ratchet at_epoch(const struct ticket_ratchet *from, int64_t epoch)
{
    struct ticket_ratchet r = *from;
    struct error err;
    assert_int_equal(ticket_ratchet_advance(&r, epoch, &err), STATUS_OK);
    assert_int_equal(r.epoch, epoch);
    return r;
}

static struct ticket_key key_of(const struct ticket_ratchet *r)
{
    struct ticket_key key;
    struct error err;
    assert_int_equal(ticket_ratchet_key(r, &key, &err), STATUS_OK);
    return key;
}

static void all_who_share_a_secret_have_the_same_keys(void **state)
{
    (void)state;
    struct ticket_ratchet first, step, leap;
    struct error err;
    assert_int_equal(ticket_ratchet_start(&first, 7, &err), STATUS_OK);
    step = at_epoch(&first, 8);
    step = at_epoch(&step, 9);
    leap = at_epoch(&first, 9);
    assert_memory_equal(&step, &leap, sizeof step);
    struct ticket_key a = key_of(&step), b = key_of(&leap);
    assert_memory_equal(&a, &b, sizeof a);
}

static void each_epoch_has_a_key_of_its_own(void **state)
{
    (void)state;
    struct ticket_ratchet r, other;
    struct ticket_key keys[5];
    struct error err;
    assert_int_equal(ticket_ratchet_start(&r, 0, &err), STATUS_OK);
    assert_int_equal(ticket_ratchet_start(&other, 0, &err), STATUS_OK);
    for (int i = 0; i < 4; i++) {
        r = at_epoch(&r, i);
        keys[i] = key_of(&r);
    }
    keys[4] = key_of(&other);
    for (int i = 0; i < 5; i++) {
        for (int j = 0; j < i; j++) {
            assert_memory_not_equal(keys[i].name, keys[j].name, sizeof keys[i].name);
            assert_memory_not_equal(keys[i].cipher, keys[j].cipher, sizeof keys[i].cipher);
            assert_memory_not_equal(keys[i].mac, keys[j].mac, sizeof keys[i].mac);
        }
        assert_memory_not_equal(keys[i].cipher, keys[i].mac, sizeof keys[i].mac);
        assert_memory_not_equal(keys[i].cipher, r.secret, sizeof r.secret);
    }
}

static void there_is_no_way_back(void **state)
{
    (void)state;
    struct ticket_ratchet r, later;
    struct error err;
    assert_int_equal(ticket_ratchet_start(&r, 5, &err), STATUS_OK);
    later = at_epoch(&r, 6);
    assert_memory_not_equal(later.secret, r.secret, sizeof r.secret);
    struct ticket_ratchet back = later;
    assert_int_equal(ticket_ratchet_advance(&back, 5, &err), STATUS_OK);
    assert_memory_equal(&back, &later, sizeof back);
}

/* RFC 5869 with HMAC-SHA256: worked out once with another implementation (Python's hmac). */
static void the_derivation_is_hkdf(void **state)
{
    (void)state;
    struct ticket_ratchet r = {.epoch = 1};
    static const uint8_t next[TICKET_SECRET_SIZE] = {
        0x36, 0xee, 0x7a, 0x1f, 0x0f, 0x53, 0xd6, 0x1e, 0x36, 0x5f, 0xa8, 0x8e, 0xb6, 0xa7, 0x5d, 0x3a,
        0x9d, 0xbe, 0xc1, 0x55, 0xf1, 0xc5, 0xe6, 0xed, 0x80, 0x2e, 0xbf, 0x5c, 0x28, 0x2b, 0x32, 0x27};
    static const uint8_t name[16] = {0x8f, 0x74, 0x11, 0xeb, 0x12, 0x30, 0xf7, 0xdf,
                                     0x2c, 0xcc, 0xaf, 0xa7, 0x51, 0x2a, 0xc8, 0x05};
    for (size_t i = 0; i < sizeof r.secret; i++)
        r.secret[i] = (uint8_t)i;
    struct ticket_key key = key_of(&r);
    assert_memory_equal(key.name, name, sizeof name);
    r = at_epoch(&r, 2);
    assert_memory_equal(r.secret, next, sizeof next);
}

/* ---- handshakes ---- */

static struct tls_server *server_with(struct tickets *tickets)
{
    char cert[128], key[128];
    snprintf(cert, sizeof cert, "%s/cert.pem", dir);
    snprintf(key, sizeof key, "%s/key.pem", dir);
    struct tls_certificate certificate = {.files = {.certificate_path = cert, .key_path = key}};
    struct tls_server_options options = {
        .certificates = &certificate, .n_certificates = 1, .tickets = tickets};
    struct tls_server *server;
    struct error err;
    if (tls_server_open(&options, &server, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    return server;
}

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    SSL_SESSION **kept = SSL_get_app_data(ssl);
    SSL_SESSION_free(*kept);
    *kept = session;
    return 1;
}

/* One handshake in memory and a byte each way; true: it resumed *SESSION, which is then the newest one. */
static bool shake(const struct tls_server *server, int version, SSL_SESSION **session)
{
    SSL_CTX *client_ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_session_cache_mode(client_ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(client_ctx, keep_session);
    SSL_CTX_set_min_proto_version(client_ctx, version);
    SSL_CTX_set_max_proto_version(client_ctx, version);
    SSL *ssl[2] = {SSL_new(client_ctx), SSL_new(tls_server_first(server))};
    BIO *bio[2];
    char byte;
    SSL_set_app_data(ssl[0], session);
    if (*session)
        SSL_set_session(ssl[0], *session);
    BIO_new_bio_pair(&bio[0], 65536, &bio[1], 65536);
    SSL_set_bio(ssl[0], bio[0], bio[0]);
    SSL_set_bio(ssl[1], bio[1], bio[1]);
    SSL_set_connect_state(ssl[0]);
    SSL_set_accept_state(ssl[1]);
    int done[2] = {0, 0};
    for (int i = 0; i < 20 && !(done[0] == 1 && done[1] == 1); i++)
        done[i % 2] = SSL_do_handshake(ssl[i % 2]);
    assert_true(done[0] == 1 && done[1] == 1);
    assert_int_equal(SSL_write(ssl[1], "x", 1), 1);
    assert_int_equal(SSL_read(ssl[0], &byte, 1), 1); /* tickets of TLS 1.3 come before it */
    bool resumed = SSL_session_reused(ssl[1]);
    assert_int_equal(resumed, SSL_session_reused(ssl[0]));
    SSL_shutdown(ssl[0]);
    SSL_free(ssl[0]);
    SSL_free(ssl[1]);
    SSL_CTX_free(client_ctx);
    return resumed;
}

static struct tickets *tickets_of(int64_t rotation_ms)
{
    struct tickets *tickets;
    struct error err;
    assert_int_equal(tickets_open(rotation_ms, &tickets, &err), STATUS_OK);
    return tickets;
}

/* As the supervisor hands them to a process. */
static struct tickets *handed_over(struct tickets *from)
{
    struct tickets *tickets;
    struct error err;
    int fd;
    assert_int_equal(tickets_hand_over(from, &fd, &err), STATUS_OK);
    assert_int_equal(tickets_take(fd, &tickets, &err), STATUS_OK);
    close(fd);
    return tickets;
}

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

static void a_session_resumes_in_another_process(void **state)
{
    (void)state;
    struct tickets *supervisor = tickets_of(HOUR), *a = handed_over(supervisor), *b = handed_over(supervisor);
    struct tickets *stranger = tickets_of(HOUR);
    struct tls_server *one = server_with(a), *two = server_with(b), *other = server_with(stranger);
    for (size_t i = 0; i < 2; i++) {
        SSL_SESSION *session = NULL;
        assert_false(shake(one, versions[i], &session));
        assert_non_null(session);
        assert_true(shake(two, versions[i], &session));
        assert_true(shake(one, versions[i], &session));
        /* Another gateway, with a secret of its own. */
        assert_false(shake(other, versions[i], &session));
        SSL_SESSION_free(session);
    }
    tls_server_close(one);
    tls_server_close(two);
    tls_server_close(other);
    tickets_close(a);
    tickets_close(b);
    tickets_close(supervisor);
    tickets_close(stranger);
}

static void without_tickets_nothing_resumes(void **state)
{
    (void)state;
    struct tls_server *server = server_with(NULL);
    for (size_t i = 0; i < 2; i++) {
        SSL_SESSION *session = NULL;
        assert_false(shake(server, versions[i], &session));
        assert_false(shake(server, versions[i], &session));
        SSL_SESSION_free(session);
    }
    tls_server_close(server);
}

static void sleep_until_epoch(int64_t epoch, int64_t rotation_ms)
{
    while (clock_mono_ms() / rotation_ms < epoch)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

/* What counts is the clock of the tickets, not how slow this machine is: the epoch is looked at before and
 * after. */
static void a_ticket_outlives_one_rotation_and_not_two(void **state)
{
    (void)state;
    const int64_t rotation = 1000;
    struct tickets *tickets = tickets_of(rotation);
    struct tls_server *server = server_with(tickets);
    /* The ticket must not end by its own lifetime: that is the client's to keep. */
    for (size_t i = 0; i < 2; i++) {
        for (;;) {
            SSL_SESSION *session = NULL;
            sleep_until_epoch(clock_mono_ms() / rotation + 1, rotation);
            int64_t began = clock_mono_ms() / rotation;
            assert_false(shake(server, versions[i], &session));
            SSL_SESSION *old = SSL_SESSION_dup(session);
            SSL_SESSION_set_timeout(session, 3600);
            SSL_SESSION_set_timeout(old, 3600);
            bool slow = clock_mono_ms() / rotation != began;
            sleep_until_epoch(began + 1, rotation);
            bool next = shake(server, versions[i], &session);
            slow = slow || clock_mono_ms() / rotation != began + 1;
            sleep_until_epoch(began + 2, rotation);
            bool after = shake(server, versions[i], &old);
            SSL_SESSION_free(session);
            SSL_SESSION_free(old);
            assert_false(after);
            if (slow)
                continue;
            assert_true(next);
            break;
        }
    }
    tls_server_close(server);
    tickets_close(tickets);
}

static void secrets_are_wiped_on_time_without_anybody_asking(void **state)
{
    (void)state;
    struct event_base *base = event_base_new();
    struct tickets *tickets = tickets_of(100);
    uint8_t before[TICKET_SECRET_SIZE], now[TICKET_SECRET_SIZE];
    struct error err;
    memcpy(before, tickets, sizeof before); /* the ratchet's secret stands first */
    assert_int_equal(tickets_run(tickets, base, &err), STATUS_OK);
    alarm(20);
    do {
        assert_int_equal(event_base_loop(base, EVLOOP_ONCE), 0);
        memcpy(now, tickets, sizeof now);
    } while (memcmp(before, now, sizeof now) == 0);
    alarm(0);
    tickets_stop(tickets);
    assert_int_equal(event_base_loop(base, EVLOOP_NONBLOCK), 1); /* nothing is waited for */
    tickets_close(tickets);
    event_base_free(base);
}

static void another_rotation_is_another_secret(void **state)
{
    (void)state;
    struct tickets *tickets = tickets_of(HOUR);
    struct tickets *before = handed_over(tickets), *same, *changed;
    struct error err;
    assert_int_equal(tickets_set_rotation(tickets, HOUR, &err), STATUS_OK);
    same = handed_over(tickets);
    assert_int_equal(tickets_set_rotation(tickets, 2 * HOUR, &err), STATUS_OK);
    changed = handed_over(tickets);
    struct tls_server *a = server_with(before), *b = server_with(same), *c = server_with(changed);
    SSL_SESSION *session = NULL;
    assert_false(shake(a, TLS1_3_VERSION, &session));
    assert_true(shake(b, TLS1_3_VERSION, &session));
    assert_false(shake(c, TLS1_3_VERSION, &session));
    SSL_SESSION_free(session);
    tls_server_close(a);
    tls_server_close(b);
    tls_server_close(c);
    tickets_close(before);
    tickets_close(same);
    tickets_close(changed);
    tickets_close(tickets);
}

static int setup(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/sgtickXXXXXX");
    assert_non_null(mkdtemp(dir));
    fixture_certificate(dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_remove(dir);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_who_share_a_secret_have_the_same_keys),
        cmocka_unit_test(each_epoch_has_a_key_of_its_own),
        cmocka_unit_test(there_is_no_way_back),
        cmocka_unit_test(the_derivation_is_hkdf),
        cmocka_unit_test(a_session_resumes_in_another_process),
        cmocka_unit_test(without_tickets_nothing_resumes),
        cmocka_unit_test(a_ticket_outlives_one_rotation_and_not_two),
        cmocka_unit_test(secrets_are_wiped_on_time_without_anybody_asking),
        cmocka_unit_test(another_rotation_is_another_secret),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
