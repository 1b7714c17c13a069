/* Logging in to a smarthost: the exchange against libgsasl's own server side, and the dialog around it. */
#include "tests/unit/delivery/bench.h"

#include <gsasl.h>
#include <openssl/ssl.h>

#include "gateway/delivery/login.h"

static const struct credentials credentials = {.user = "relay@example.net", .password = "p\xC3\xA4ss, w=rd"};

/* ---- the exchange ---- */

struct server_side {
    Gsasl *library;
    Gsasl_session *session;
    const char *password;
    const char *exporter; /* as base64; NULL: its TLS has none, or it does not offer -PLUS */
};

/* Of both ends of one connection. */
static const char exporter[] = "0123456789abcdef0123456789abcdef";
#define EXPORTER_BASE64 "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
#define OTHER_BASE64 "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE="

static int answer(Gsasl *library, Gsasl_session *session, Gsasl_property property)
{
    struct server_side *s = gsasl_callback_hook_get(library);
    if (property == GSASL_PASSWORD)
        return gsasl_property_set(session, property, s->password);
    if (property == GSASL_CB_TLS_EXPORTER && s->exporter)
        return gsasl_property_set(session, property, s->exporter);
    if (property != GSASL_VALIDATE_SIMPLE)
        return GSASL_NO_CALLBACK;
    return strcmp(gsasl_property_fast(session, GSASL_AUTHID), credentials.user) == 0 &&
                   strcmp(gsasl_property_fast(session, GSASL_PASSWORD), s->password) == 0
               ? GSASL_OK
               : GSASL_AUTHENTICATION_ERROR;
}

static void server_open(struct server_side *s, const char *mechanism, const char *password)
{
    *s = (struct server_side){.password = password};
    assert_int_equal(gsasl_init(&s->library), GSASL_OK);
    gsasl_callback_set(s->library, answer);
    gsasl_callback_hook_set(s->library, s);
    assert_int_equal(gsasl_server_start(s->library, mechanism, &s->session), GSASL_OK);
}

static void server_close(struct server_side *s)
{
    gsasl_finish(s->session);
    gsasl_done(s->library);
}

/* Both sides to the end; what the server thinks of it. */
static int talk(struct login *login, struct server_side *s)
{
    struct buf challenge, response;
    struct error err;
    int rc = GSASL_NEEDS_MORE;
    buf_init(&challenge, 4096);
    buf_init(&response, 4096);
    while (rc == GSASL_NEEDS_MORE) {
        char *out = NULL;
        size_t len = 0;
        buf_reset(&response);
        assert_int_equal(login_step(login, buf_span(&challenge), &response, &err), STATUS_OK);
        rc = gsasl_step(s->session, (const char *)response.data, response.len, &out, &len);
        buf_reset(&challenge);
        buf_append(&challenge, out, len);
        gsasl_free(out);
    }
    /* SCRAM: the server's proof goes out with its success, as a last challenge (RFC 4954 §4). */
    if (rc == GSASL_OK && challenge.len > 0)
        assert_int_equal(login_step(login, buf_span(&challenge), &response, &err), STATUS_OK);
    buf_free(&challenge);
    buf_free(&response);
    return rc;
}

static struct login *start_bound(const struct ehlo *ehlo, struct span binding, const char *mechanism)
{
    struct login *login;
    struct error err;
    assert_int_equal(login_start(&credentials, ehlo, binding, &login, &err), STATUS_OK);
    assert_string_equal(login_mechanism(login), mechanism);
    assert_false(login_is_complete(login));
    return login;
}

static struct login *start(const struct ehlo *ehlo, const char *mechanism)
{
    return start_bound(ehlo, span_of(NULL, 0), mechanism);
}

static void each_mechanism_logs_in_and_the_best_is_taken(void **state)
{
    (void)state;
    static const struct {
        struct ehlo ehlo;
        const char *mechanism;
    } cases[] = {
        {{.auth_plain = true}, "PLAIN"},
        {{.auth_plain = true, .auth_scram_sha_1 = true}, "SCRAM-SHA-1"},
        {{.auth_plain = true, .auth_scram_sha_1 = true, .auth_scram_sha_256 = true}, "SCRAM-SHA-256"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct server_side s;
        struct login *login = start(&cases[i].ehlo, cases[i].mechanism);
        server_open(&s, cases[i].mechanism, credentials.password);
        assert_int_equal(talk(login, &s), GSASL_OK);
        assert_true(login_is_complete(login));
        login_free(login);
        server_close(&s);
    }
}

static void a_wrong_password_is_the_servers_to_refuse(void **state)
{
    (void)state;
    const struct ehlo ehlo = {.auth_scram_sha_256 = true};
    struct server_side s;
    struct login *login = start(&ehlo, "SCRAM-SHA-256");
    server_open(&s, "SCRAM-SHA-256", "another");
    assert_int_equal(talk(login, &s), GSASL_AUTHENTICATION_ERROR);
    assert_false(login_is_complete(login));
    login_free(login);
    server_close(&s);
}

/* Whoever answers without knowing the password is not believed. */
static void a_server_without_a_proof_is_none(void **state)
{
    (void)state;
    static const char *const lies[] = {"",
                                       "v=",
                                       "v=AAAA",
                                       "e=other-error",
                                       "r=x,s=QQ==,i=1",
                                       "\xFF",
                                       "v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="};
    const struct ehlo ehlo = {.auth_scram_sha_256 = true};
    const size_t n = sizeof lies / sizeof lies[0];
    for (size_t i = 0; i < 2 * n; i++) {
        struct server_side s;
        struct buf response;
        struct error err;
        char *out;
        size_t len;
        /* The second half with "y", which is not libgsasl's. */
        struct login *login =
            start_bound(&ehlo, span_of(exporter, i < n ? 0 : sizeof exporter - 1), "SCRAM-SHA-256");
        server_open(&s, "SCRAM-SHA-256", credentials.password);
        buf_init(&response, 4096);
        assert_int_equal(login_step(login, span_of(NULL, 0), &response, &err), STATUS_OK);
        assert_int_equal(gsasl_step(s.session, (char *)response.data, response.len, &out, &len),
                         GSASL_NEEDS_MORE);
        buf_reset(&response);
        assert_int_equal(login_step(login, span_of(out, len), &response, &err), STATUS_OK);
        gsasl_free(out);
        buf_reset(&response);
        assert_int_equal(login_step(login, span_str(lies[i % n]), &response, &err), STATUS_DENIED);
        assert_int_equal(response.len, 0);
        assert_false(login_is_complete(login));
        login_free(login);
        server_close(&s);
        buf_free(&response);
    }
}

static const struct ehlo offers_all = {.auth_plain = true,
                                       .auth_scram_sha_1 = true,
                                       .auth_scram_sha_256 = true,
                                       .auth_scram_sha_1_plus = true,
                                       .auth_scram_sha_256_plus = true};

/* RFC 5802 §6: "p" where -PLUS is offered and we can bind, "y" where it is not, "n" where we cannot. */
static void what_is_said_of_channel_binding(void **state)
{
    (void)state;
    static const struct {
        struct ehlo ehlo;
        bool can_bind, shows_middleman;
        const char *mechanism, *flag;
    } cases[] = {
        {offers_all, true, true, "SCRAM-SHA-256-PLUS", "p=tls-exporter,,"},
        {{.auth_scram_sha_256 = true, .auth_scram_sha_1_plus = true},
         true,
         true,
         "SCRAM-SHA-1-PLUS",
         "p=tls-exporter,,"},
        {{.auth_scram_sha_256 = true, .auth_plain = true}, true, true, "SCRAM-SHA-256", "y,,"},
        {{.auth_scram_sha_1 = true}, true, true, "SCRAM-SHA-1", "y,,"},
        {offers_all, false, false, "SCRAM-SHA-256", "n,,"},
        {{.auth_plain = true}, true, false, "PLAIN", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf response;
        struct error err;
        struct span binding = span_of(exporter, cases[i].can_bind ? sizeof exporter - 1 : 0);
        struct login *login = start_bound(&cases[i].ehlo, binding, cases[i].mechanism);
        buf_init(&response, 4096);
        assert_int_equal(login_step(login, span_of(NULL, 0), &response, &err), STATUS_OK);
        assert_memory_equal(response.data, cases[i].flag, strlen(cases[i].flag));
        assert_int_equal(login_shows_middleman(login), cases[i].shows_middleman);
        buf_free(&response);
        login_free(login);
    }
}

/* Neither user nor password leaves where none is bound and one must be; where none may be, it is as before
 * TLS 1.3. */
static void whether_a_login_is_bound_can_be_said(void **state)
{
    (void)state;
    static const struct ehlo not_bound = {
        .auth_plain = true, .auth_scram_sha_1 = true, .auth_scram_sha_256 = true};
    static const struct {
        enum login_binding binding;
        const struct ehlo *ehlo;
        bool can_bind;
        const char *mechanism, *said; /* the error where there is no mechanism */
    } cases[] = {
        {LOGIN_BINDING_AUTO, &offers_all, true, "SCRAM-SHA-256-PLUS", "p=tls-exporter,,"},
        {LOGIN_BINDING_REQUIRE, &offers_all, true, "SCRAM-SHA-256-PLUS", "p=tls-exporter,,"},
        {LOGIN_BINDING_REQUIRE, &not_bound, true, NULL,
         "the host offers no login bound to TLS; see channel-binding"},
        {LOGIN_BINDING_REQUIRE, &offers_all, false, NULL,
         "no login can be bound to TLS before TLS 1.3; see channel-binding"},
        {LOGIN_BINDING_NEVER, &offers_all, true, "SCRAM-SHA-256", "n,,"},
        {LOGIN_BINDING_NEVER, &not_bound, true, "SCRAM-SHA-256", "n,,"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct credentials wanted = credentials;
        struct login *login;
        struct buf response;
        struct error err;
        wanted.binding = cases[i].binding;
        enum status st =
            login_start(&wanted, cases[i].ehlo,
                        span_of(exporter, cases[i].can_bind ? sizeof exporter - 1 : 0), &login, &err);
        if (!cases[i].mechanism) {
            assert_int_equal(st, STATUS_DENIED);
            assert_string_equal(err.text, cases[i].said);
            assert_null(login);
            continue;
        }
        buf_init(&response, 4096);
        assert_int_equal(st, STATUS_OK);
        assert_string_equal(login_mechanism(login), cases[i].mechanism);
        assert_int_equal(login_is_bound(login), cases[i].binding != LOGIN_BINDING_NEVER);
        assert_int_equal(login_step(login, span_of(NULL, 0), &response, &err), STATUS_OK);
        assert_memory_equal(response.data, cases[i].said, strlen(cases[i].said));
        buf_free(&response);
        login_free(login);
    }
}

static void a_bound_login_ends_where_tls_does(void **state)
{
    (void)state;
    static const struct {
        struct ehlo seen;
        const char *mechanism, *exporter; /* the server's */
        int result;
    } cases[] = {
        {{.auth_scram_sha_256_plus = true}, "SCRAM-SHA-256-PLUS", EXPORTER_BASE64, GSASL_OK},
        {{.auth_scram_sha_1_plus = true}, "SCRAM-SHA-1-PLUS", EXPORTER_BASE64, GSASL_OK},
        /* Somebody between, who ends TLS. */
        {{.auth_scram_sha_256_plus = true}, "SCRAM-SHA-256-PLUS", OTHER_BASE64, GSASL_AUTHENTICATION_ERROR},
        /* Somebody who also took -PLUS out of the reply. */
        {{.auth_scram_sha_256 = true}, "SCRAM-SHA-256", OTHER_BASE64, GSASL_AUTHENTICATION_ERROR},
        /* A server that cannot bind. */
        {{.auth_scram_sha_256 = true}, "SCRAM-SHA-256", NULL, GSASL_OK},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct server_side s;
        struct login *login =
            start_bound(&cases[i].seen, span_of(exporter, sizeof exporter - 1), cases[i].mechanism);
        server_open(&s, cases[i].mechanism, credentials.password);
        s.exporter = cases[i].exporter;
        int rc = talk(login, &s);
        if (rc != cases[i].result)
            print_message("case %zu: %s\n", i, gsasl_strerror(rc));
        assert_int_equal(rc, cases[i].result);
        assert_int_equal(login_is_complete(login), rc == GSASL_OK);
        login_free(login);
        server_close(&s);
    }
}

/* What a server says first, to us who say "y" and to libgsasl which says "n": "%s" is the nonce of the
 * client. */
static void what_is_no_first_message_of_a_server(void **state)
{
    (void)state;
    static const struct {
        const char *challenge;
        enum status result;
        bool ours_alone; /* libgsasl does not mind */
    } cases[] = {
        {"r=%sX,s=QQ==,i=10", STATUS_OK},
        {"r=%sX,s=QQ==,i=10,x=extension", STATUS_OK},
        {"", STATUS_DENIED},
        {"r=%s,s=QQ==,i=10", STATUS_DENIED, true},
        {"r=X%s,s=QQ==,i=10", STATUS_DENIED},
        {"m=%sX,r=%sX,s=QQ==,i=10", STATUS_DENIED},
        {"r=%sX,i=10,s=QQ==", STATUS_DENIED},
        {"r=%sX,s=,i=10", STATUS_DENIED},
        {"r=%sX,s=Q,i=10", STATUS_DENIED},
        {"r=%sX,s=QQ==", STATUS_DENIED},
        {"r=%sX,s=QQ==,i=", STATUS_DENIED},
        {"r=%sX,s=QQ==,i=0", STATUS_DENIED},
        {"r=%sX,s=QQ==,i=-1", STATUS_DENIED},
        {"r=%sX,s=QQ==,i=200001", STATUS_DENIED},
        {"r=%sX,s=QQ==,i=18446744073709551626", STATUS_DENIED},
        {"v=QQ==", STATUS_DENIED},
        {"e=other-error", STATUS_DENIED},
    };
    static const struct ehlo ehlo = {.auth_scram_sha_256 = true};
    const size_t n = sizeof cases / sizeof cases[0];
    for (size_t at = 0; at < 2 * n; at++) {
        size_t i = at % n;
        if (at >= n && cases[i].ours_alone)
            continue;
        struct login *login =
            start_bound(&ehlo, span_of(exporter, at < n ? sizeof exporter - 1 : 0), "SCRAM-SHA-256");
        struct buf response, challenge;
        struct error err;
        buf_init(&response, 4096);
        buf_init(&challenge, 4096);
        assert_int_equal(login_step(login, span_of(NULL, 0), &response, &err), STATUS_OK);
        const char *nonce = strstr(buf_str(&response), ",r=") + 3;
        for (const char *p = cases[i].challenge; *p; p++) {
            bool is_nonce = p[0] == '%' && p[1] == 's';
            buf_append_str(&challenge, is_nonce ? nonce : (char[]){*p, '\0'});
            p += is_nonce;
        }
        buf_reset(&response);
        enum status st = login_step(login, buf_span(&challenge), &response, &err);
        if (st != cases[i].result)
            print_message("case %zu\n", at);
        assert_int_equal(st, cases[i].result);
        assert_int_equal(response.len > 0, st == STATUS_OK);
        buf_reset(&response);
        assert_int_equal(login_step(login, span_str("v=QQ=="), &response, &err), STATUS_DENIED);
        assert_false(login_is_complete(login));
        buf_free(&response);
        buf_free(&challenge);
        login_free(login);
    }
}

static void no_mechanism_in_common(void **state)
{
    (void)state;
    struct login *login;
    struct error err;
    assert_int_equal(
        login_start(&credentials, &(struct ehlo){.starttls = true}, span_of(NULL, 0), &login, &err),
        STATUS_DENIED);
    assert_int_equal(login_start(&credentials, &(struct ehlo){.auth_scram_sha_256_plus = true},
                                 span_of(NULL, 0), &login, &err),
                     STATUS_DENIED);
    assert_null(login);
    login_free(NULL);
}

/* ---- the dialog ---- */

static struct bench bench;
static const char small[] = "From: alice@example.org\r\n\r\nbody\r\n";

static int prepare(void **state)
{
    (void)state;
    bench_prepare(&bench);
    bench.settings.credentials = credentials;
    bench.smtpd.capabilities = "250-AUTH PLAIN\r\n";
    return 0;
}

static int clean(void **state)
{
    (void)state;
    bench_clean(&bench);
    return 0;
}

static const struct outcome_recipient *deliver(void)
{
    bench_start(&bench);
    bench_send(&bench, &(struct bench_lease){
                           .copy_id = 1, .body = span_str(small), .recipients = {"bob@example.com"}});
    bench_wait(&bench, 1);
    bench_stop(&bench);
    return &bench.outcomes[0].recipients[0];
}

static bool said(const char *text)
{
    return strstr(buf_str(&bench.smtpd.commands), text) != NULL;
}

/* RFC 4616: NUL, name, NUL, password. */
#define PLAIN_LINE "AUTH PLAIN AHJlbGF5QGV4YW1wbGUubmV0AHDDpHNzLCB3PXJk\nMAIL FROM:"

static void it_logs_in_once_before_mail(void **state)
{
    (void)state;
    bench.smtpd.auth = "235 2.7.0 welcome\r\n";
    snprintf(bench.route, sizeof bench.route, "[localhost]:%d", bench.smtpd.port);
    assert_int_equal(deliver()->outcome, OUTCOME_DELIVERED);
    assert_true(said(PLAIN_LINE));
}

static void a_long_password_waits_for_the_challenge(void **state)
{
    (void)state;
    char password[1024];
    memset(password, 'p', sizeof password - 1);
    password[sizeof password - 1] = '\0';
    bench.settings.credentials.password = password;
    bench.smtpd.auth = "334 \r\n";
    snprintf(bench.route, sizeof bench.route, "[localhost]:%d", bench.smtpd.port);
    assert_int_equal(deliver()->outcome, OUTCOME_DELIVERED);
    assert_true(said("AUTH PLAIN\nAHJlbGF5"));
}

/* Nothing that goes wrong with the login is a recipient's fault. */
static void whatever_the_host_answers_mail_waits(void **state)
{
    (void)state;
    static const struct {
        const char *auth, *capabilities, *words;
    } cases[] = {
        {"535 5.7.8 wrong\r\n", NULL, "mail waits until delivery user and password-file are right"},
        {"534 5.7.9 too weak\r\n", NULL, "refuses the login by PLAIN (534 5.7.9 too weak)"},
        {"454 4.7.0 not now\r\n", NULL, "cannot check the login now (454"},
        {"421 4.3.2 closing\r\n", NULL, "421"},
        {"334 not base64!\r\n", NULL, "is no base64"},
        {"334 QUJD\r\n", NULL, "asks for more than PLAIN has"},
        {"235 2.7.0 welcome\r\n", "250-AUTH SCRAM-SHA-256\r\n", "without a proof"},
        {"334 cj14LHM9UVE9PSxpPTE=\r\n", "250-AUTH SCRAM-SHA-1\r\n", "its part of SCRAM-SHA-1 is wrong"},
        {"235 2.7.0 welcome\r\n", "250-AUTH LOGIN CRAM-MD5\r\n", "offers no login by"},
        {"235 2.7.0 welcome\r\n", "", "offers no login by"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        buf_reset(&bench.smtpd.commands);
        bench.smtpd.auth = cases[i].auth;
        bench.smtpd.capabilities = cases[i].capabilities ? cases[i].capabilities : "250-AUTH PLAIN\r\n";
        snprintf(bench.route, sizeof bench.route, "[localhost]:%d", bench.smtpd.port);
        const struct outcome_recipient *r = deliver();
        if (r->outcome != OUTCOME_DEFERRED || !strstr(r->reply, cases[i].words))
            print_message("case %zu: %s\n", i, r->reply);
        assert_int_equal(r->outcome, OUTCOME_DEFERRED);
        assert_non_null(strstr(r->reply, cases[i].words));
        assert_false(said("MAIL"));
        assert_null(strstr(r->reply, "p\xC3\xA4ss"));
        bench_forget(&bench);
    }
}

static size_t count(const char *text)
{
    size_t n = 0;
    for (const char *at = buf_str(&bench.smtpd.commands); (at = strstr(at, text)); at += strlen(text))
        n++;
    return n;
}

/* Mail for MESSAGES domains, all at once. */
static void send_many(int messages)
{
    char address[64];
    for (int i = 0; i < messages; i++) {
        snprintf(address, sizeof address, "bob@d%d.example", i);
        bench_send(&bench,
                   &(struct bench_lease){.copy_id = i + 1, .body = span_str(small), .recipients = {address}});
    }
    bench_wait(&bench, (size_t)messages);
}

/* An account is locked after a few wrong passwords: one try speaks for all that waits, whatever it is for. */
static void a_refused_login_is_tried_once_for_all_mail(void **state)
{
    (void)state;
    bench.smtpd.auth = "535 5.7.8 wrong\r\n";
    snprintf(bench.route, sizeof bench.route, "[localhost]:%d", bench.smtpd.port);
    bench_start(&bench);
    send_many(20);
    assert_int_equal(count("AUTH PLAIN"), 1);
    for (size_t i = 0; i < bench.n_outcomes; i++) {
        assert_int_equal(bench.outcomes[i].recipients[0].outcome, OUTCOME_DEFERRED);
        assert_int_equal(bench.outcomes[i].recipients[0].reach, REACH_NO_HOST);
        assert_non_null(strstr(bench.outcomes[i].recipients[0].reply, "535"));
    }
    /* Queue's probe asks again, and once it is let in there may be several connections. */
    bench_forget(&bench);
    bench.smtpd.auth = "235 2.7.0 welcome\r\n";
    send_many(20);
    for (size_t i = 0; i < bench.n_outcomes; i++)
        assert_int_equal(bench.outcomes[i].recipients[0].outcome, OUTCOME_DELIVERED);
    assert_true(count("AUTH PLAIN") > 2);
    bench_stop(&bench);
}

/* Whatever the host says, and however long: what to do stands behind it. */
static void a_refused_bound_login_says_what_to_do(void **state)
{
    (void)state;
    char auth[400];
    memset(auth, 'x', sizeof auth);
    memcpy(auth, "535 5.7.8 ", 10);
    memcpy(auth + sizeof auth - 3, "\r\n", 3);
    bench.smtpd.auth = auth;
    bench.smtpd.capabilities = "250-AUTH SCRAM-SHA-256-PLUS SCRAM-SHA-256\r\n";
    snprintf(bench.route, sizeof bench.route, "[localhost]:%d", bench.smtpd.port);
    assert_non_null(strstr(deliver()->reply, "until delivery channel-binding is never"));
    bench_forget(&bench);
}

/* A login that cannot be checked now, or by whom: the smarthost's, too, and of all domains. */
static void trouble_with_the_login_is_the_smarthosts(void **state)
{
    (void)state;
    static const struct {
        const char *auth, *capabilities;
    } cases[] = {
        {"454 4.7.0 not now\r\n", "250-AUTH PLAIN\r\n"},
        {"235 2.7.0 welcome\r\n", "250-AUTH LOGIN\r\n"},
        {"235 2.7.0 welcome\r\n", "250-AUTH SCRAM-SHA-256\r\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bench.smtpd.auth = cases[i].auth;
        bench.smtpd.capabilities = cases[i].capabilities;
        snprintf(bench.route, sizeof bench.route, "[localhost]:%d", bench.smtpd.port);
        assert_int_equal(deliver()->reach, REACH_NO_HOST);
        bench_forget(&bench);
    }
}

/* Whatever less the level is content with. */
static void the_password_goes_only_to_the_proven_host(void **state)
{
    (void)state;
    SSL_CTX *trusts_nobody = SSL_CTX_new(TLS_client_method());
    static const struct {
        enum tls_level level;
        bool no_starttls, trusted;
        const char *host;
    } cases[] = {
        {TLS_LEVEL_NONE, false, true, "localhost"},    {TLS_LEVEL_MAY, true, true, "localhost"},
        {TLS_LEVEL_MAY, false, false, "localhost"},    {TLS_LEVEL_ENCRYPT, false, false, "localhost"},
        {TLS_LEVEL_ENCRYPT, false, true, "127.0.0.1"}, /* the certificate is for localhost alone */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        buf_reset(&bench.smtpd.commands);
        bench.settings.tls.level = cases[i].level;
        bench.settings.tls_context = cases[i].trusted ? bench.client_tls : trusts_nobody;
        bench.smtpd.no_starttls = cases[i].no_starttls;
        bench.smtpd.auth = "235 2.7.0 welcome\r\n";
        snprintf(bench.route, sizeof bench.route, "[%s]:%d", cases[i].host, bench.smtpd.port);
        assert_int_equal(deliver()->outcome, OUTCOME_DEFERRED);
        assert_false(said("AUTH"));
        assert_false(said("MAIL"));
        bench_forget(&bench);
    }
    SSL_CTX_free(trusts_nobody);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_mechanism_logs_in_and_the_best_is_taken),
        cmocka_unit_test(a_wrong_password_is_the_servers_to_refuse),
        cmocka_unit_test(a_server_without_a_proof_is_none),
        cmocka_unit_test(what_is_said_of_channel_binding),
        cmocka_unit_test(whether_a_login_is_bound_can_be_said),
        cmocka_unit_test(a_bound_login_ends_where_tls_does),
        cmocka_unit_test(what_is_no_first_message_of_a_server),
        cmocka_unit_test(no_mechanism_in_common),
        cmocka_unit_test_setup_teardown(it_logs_in_once_before_mail, prepare, clean),
        cmocka_unit_test_setup_teardown(a_long_password_waits_for_the_challenge, prepare, clean),
        cmocka_unit_test_setup_teardown(whatever_the_host_answers_mail_waits, prepare, clean),
        cmocka_unit_test_setup_teardown(a_refused_login_is_tried_once_for_all_mail, prepare, clean),
        cmocka_unit_test_setup_teardown(a_refused_bound_login_says_what_to_do, prepare, clean),
        cmocka_unit_test_setup_teardown(trouble_with_the_login_is_the_smarthosts, prepare, clean),
        cmocka_unit_test_setup_teardown(the_password_goes_only_to_the_proven_host, prepare, clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
