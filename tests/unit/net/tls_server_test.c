/* The server side of TLS over real connections: which certificate, what is stapled, who the client is. */
#include "tests/unit/net/pki.h"

#include <dirent.h>

#include "gateway/net/conn.h"
#include "gateway/net/tickets.h"
#include "gateway/net/tls_peer.h"
#include "gateway/net/tls_server.h"

static char dir[64];
static struct authority ca, other_ca;

static const char *in_dir(const char *file)
{
    return pki_path(dir, file, "");
}

static void issue(struct authority *by, struct wish wish)
{
    X509_free(pki_issue(dir, by, wish));
}

static void write_ca(const char *file, const struct authority *a)
{
    FILE *f = fopen(in_dir(file), "w");
    assert_true(PEM_write_X509(f, a->certificate));
    fclose(f);
}

/* ---- a server of up to four certificates ---- */

struct setup {
    struct tls_certificate certificates[4];
    size_t n;
    struct tls_server_options options;
};

static void add(struct setup *s, const char *file, const char *ocsp)
{
    s->certificates[s->n++] = (struct tls_certificate){
        .files = {.certificate_path = pki_path(dir, file, ".pem"), .key_path = pki_path(dir, file, ".key")},
        .ocsp_path = ocsp ? in_dir(ocsp) : NULL};
}

static enum status try_open(struct setup *s, struct tls_server **server_out, struct error *err)
{
    s->options.certificates = s->certificates;
    s->options.n_certificates = s->n;
    return tls_server_open(&s->options, server_out, err);
}

static struct tls_server *open_server(struct setup *s)
{
    struct tls_server *server;
    struct error err;
    if (try_open(s, &server, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    return server;
}

/* ---- one connection ---- */

struct client {
    const char *sni;
    const char *certificate; /* FILE.pem and FILE.key; NULL: none */
    const char *signatures;  /* that it understands; NULL: all */
    int version;             /* 0: any */
    const unsigned char *alpn;
    SSL_SESSION *session; /* to resume, and then the newest; owned */
};

struct result {
    char name[64]; /* CN of the server's certificate */
    long stapled;  /* bytes */
    unsigned n_chain;
    bool resumed, verified, alpn;
    struct tls_peer peer;
    const char *refused;
};

struct talk {
    struct event_base *base;
    SSL_CTX *server_ctx, *client_ctx;
    struct client *client;
    struct result result;
    struct conn *server;
    bool server_open, done;
};

static void take_server_side(struct talk *t, struct conn *conn)
{
    t->result.verified = tls_peer_get(conn, &t->result.peer);
    t->result.refused = tls_peer_refused(conn);
    t->result.resumed = SSL_session_reused(conn_ssl(conn));
    t->server_open = true;
    conn_write(conn, span_str("x")); /* tickets of TLS 1.3 come before it */
}

static void take_client_side(struct talk *t, SSL *ssl)
{
    const unsigned char *response, *protocol;
    unsigned len;
    X509 *certificate = SSL_get0_peer_certificate(ssl);
    if (certificate)
        X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, t->result.name,
                                  sizeof t->result.name);
    t->result.stapled = SSL_get_tlsext_status_ocsp_resp(ssl, &response);
    t->result.n_chain = (unsigned)sk_X509_num(SSL_get_peer_cert_chain(ssl));
    SSL_get0_alpn_selected(ssl, &protocol, &len);
    t->result.alpn = len > 0;
}

static void on_server_open(void *arg, struct conn *conn)
{
    take_server_side(arg, conn);
}

static void set_up_client(void *arg, SSL *ssl)
{
    struct talk *t = arg;
    const struct client *c = t->client;
    SSL_set_tlsext_status_type(ssl, TLSEXT_STATUSTYPE_ocsp);
    SSL_set_app_data(ssl, t);
    if (c->session)
        SSL_set_session(ssl, c->session);
    if (c->version)
        SSL_set_min_proto_version(ssl, c->version), SSL_set_max_proto_version(ssl, c->version);
    if (c->signatures)
        assert_int_equal(SSL_set1_sigalgs_list(ssl, c->signatures), 1);
    if (c->alpn)
        assert_int_equal(SSL_set_alpn_protos(ssl, c->alpn, (unsigned)strlen((const char *)c->alpn)), 0);
    if (c->certificate) {
        assert_int_equal(
            SSL_use_certificate_file(ssl, pki_path(dir, c->certificate, ".pem"), SSL_FILETYPE_PEM), 1);
        assert_int_equal(
            SSL_use_PrivateKey_file(ssl, pki_path(dir, c->certificate, ".key"), SSL_FILETYPE_PEM), 1);
    }
}

static void on_client_open(void *arg, struct conn *conn)
{
    struct talk *t = arg;
    struct error err;
    if (conn_is_tls(conn))
        take_client_side(t, conn_ssl(conn));
    else
        assert_int_equal(conn_start_tls(conn, t->client_ctx, t->client->sni, set_up_client, &err), STATUS_OK);
}

static void on_client_data(void *arg, struct conn *conn)
{
    struct talk *t = arg;
    t->done = true;
    conn_close(conn);
}

static void nothing(void *arg, struct conn *conn)
{
    (void)arg, (void)conn;
}

static void on_end(void *arg, struct conn *conn, const struct error *why)
{
    struct talk *t = arg;
    (void)conn;
    if (why->status != STATUS_CLOSED)
        fail_msg("%s", why->text);
    t->server = NULL;
}

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    struct talk *t = SSL_get_app_data(ssl);
    SSL_SESSION_free(t->client->session);
    t->client->session = session;
    return 1;
}

static struct result connect_to(const struct tls_server *server, struct client *client)
{
    static const struct conn_handler server_side = {on_server_open, nothing, nothing, nothing, on_end, NULL},
                                     client_side = {on_client_open, on_client_data, nothing,
                                                    nothing,        on_end,         NULL};
    struct conn_limits limits = {4096, 4096};
    struct talk t = {
        .base = event_base_new(), .client = client, .client_ctx = SSL_CTX_new(TLS_client_method())};
    struct sockaddr_in sin;
    struct error err;
    SSL_CTX_set_session_cache_mode(t.client_ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(t.client_ctx, keep_session);
    int listening = fixture_listen(&sin);
    assert_non_null(
        conn_connect(t.base, NULL, (struct sockaddr *)&sin, sizeof sin, &client_side, &t, limits, &err));
    int fd = accept(listening, NULL, NULL);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    t.server = conn_accepted(t.base, fd, tls_server_first(server), &server_side, &t, limits, &err);
    assert_non_null(t.server);
    fixture_run(t.base, &t.done);
    assert_true(t.server_open);
    fixture_finish(t.base);
    close(listening);
    SSL_CTX_free(t.client_ctx);
    event_base_free(t.base);
    return t.result;
}

static struct result ask_for(const struct tls_server *server, const char *sni)
{
    struct client client = {.sni = sni};
    struct result result = connect_to(server, &client);
    SSL_SESSION_free(client.session);
    return result;
}

/* ---- which certificate ---- */

static void the_name_asked_for_chooses(void **state)
{
    (void)state;
    static const struct {
        const char *sni, *want;
    } cases[] = {
        {NULL, "default"},
        {"mail.example.org", "default"},
        {"smtp.example.com", "com"},
        {"SMTP.Example.COM", "com"},
        {"mail.example.com", "com"},
        {"a.example.net", "net"},
        {"exact.example.net", "exact"}, /* before the wildcard that stands first */
        {"example.net", "default"},
        {"a.b.example.net", "default"},
        {"xsmtp.example.com", "default"},
        {"unknown.example", "default"},
        {"com", "default"}, /* CN is no name of a server (RFC 6125 §6.4.4) */
    };
    struct setup s = {.n = 0};
    issue(&ca, (struct wish){.file = "default", .name = "default", .alt = "DNS:mail.example.org"});
    issue(&ca,
          (struct wish){.file = "com", .name = "com", .alt = "DNS:smtp.example.com,DNS:mail.example.com"});
    issue(&ca, (struct wish){.file = "net", .name = "net", .alt = "DNS:*.example.net"});
    issue(&ca, (struct wish){.file = "exact", .name = "exact", .alt = "DNS:exact.example.net"});
    add(&s, "default", NULL);
    add(&s, "com", NULL);
    add(&s, "net", NULL);
    add(&s, "exact", NULL);
    struct tls_server *server = open_server(&s);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct result r = ask_for(server, cases[i].sni);
        if (strcmp(r.name, cases[i].want) != 0)
            fail_msg("%s: %s", cases[i].sni ? cases[i].sni : "(none)", r.name);
        assert_int_equal(r.n_chain, 2);
    }
    tls_server_close(server);
}

static void rsa_and_ec_stand_side_by_side(void **state)
{
    (void)state;
    struct setup s = {.n = 0};
    issue(&ca, (struct wish){.file = "default", .name = "default", .alt = "DNS:x.example.org"});
    issue(&ca, (struct wish){.file = "ec", .name = "ec", .alt = "DNS:a.example.org,DNS:b.example.org"});
    issue(&ca, (struct wish){
                   .file = "rsa", .name = "rsa", .alt = "DNS:b.example.org,DNS:a.example.org", .rsa = true});
    add(&s, "default", NULL);
    add(&s, "ec", NULL);
    add(&s, "rsa", NULL);
    struct tls_server *server = open_server(&s);
    struct client modern = {.sni = "a.example.org"},
                  old = {.sni = "b.example.org", .signatures = "RSA-PSS+SHA256:RSA+SHA256"};
    assert_string_equal(connect_to(server, &modern).name, "ec");
    struct result r = connect_to(server, &old);
    assert_string_equal(r.name, "rsa");
    assert_int_equal(r.n_chain, 2);
    SSL_SESSION_free(modern.session);
    SSL_SESSION_free(old.session);
    tls_server_close(server);
}

static void a_bad_pair_among_several_is_named(void **state)
{
    (void)state;
    struct setup s = {.n = 0};
    struct tls_server *server = NULL;
    struct error err;
    issue(&ca, (struct wish){.file = "default", .name = "default", .alt = "DNS:x.example.org"});
    issue(&ca, (struct wish){.file = "one", .name = "one", .alt = "DNS:y.example.org"});
    add(&s, "default", NULL);
    add(&s, "one", NULL);
    s.certificates[1].files.key_path = pki_path(dir, "default", ".key");
    assert_int_equal(try_open(&s, &server, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "one.pem"));
    s.certificates[1].files.certificate_path = "/nonexistent/one.pem";
    assert_int_equal(try_open(&s, &server, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "/nonexistent/one.pem"));
    assert_null(server);
}

/* An offer is neither answered nor refused. */
static void alpn_is_passed_over(void **state)
{
    (void)state;
    static const unsigned char *const offers[] = {(const unsigned char *)"\x02h2\x08http/1.1",
                                                  (const unsigned char *)"\x04smtp",
                                                  (const unsigned char *)"\x01x"};
    struct setup s = {.n = 0};
    issue(&ca, (struct wish){.file = "default", .name = "default", .alt = "DNS:x.example.org"});
    add(&s, "default", NULL);
    struct tls_server *server = open_server(&s);
    for (size_t i = 0; i < sizeof offers / sizeof offers[0]; i++) {
        struct client client = {.alpn = offers[i]};
        assert_false(connect_to(server, &client).alpn);
        SSL_SESSION_free(client.session);
    }
    tls_server_close(server);
}

/* ---- OCSP ---- */

static void count_stale(void *arg, const char *path)
{
    assert_non_null(strstr(path, ".ocsp"));
    ++*(unsigned *)arg;
}

static void a_response_is_stapled_until_it_is_stale(void **state)
{
    (void)state;
    struct setup s = {.n = 0};
    unsigned stale = 0;
    X509 *fresh =
        pki_issue(dir, &ca, (struct wish){.file = "fresh", .name = "fresh", .alt = "DNS:fresh.example"});
    X509 *old = pki_issue(dir, &ca, (struct wish){.file = "old", .name = "old", .alt = "DNS:old.example"});
    X509 *ending =
        pki_issue(dir, &ca, (struct wish){.file = "ending", .name = "ending", .alt = "DNS:ending.example"});
    issue(&ca, (struct wish){.file = "none", .name = "none", .alt = "DNS:none.example"});
    pki_ocsp(in_dir("fresh.ocsp"), &ca, &ca, fresh, V_OCSP_CERTSTATUS_GOOD, 3600);
    pki_ocsp(in_dir("old.ocsp"), &ca, &ca, old, V_OCSP_CERTSTATUS_GOOD, -60);
    pki_ocsp(in_dir("ending.ocsp"), &ca, &ca, ending, V_OCSP_CERTSTATUS_GOOD, 2);
    add(&s, "fresh", "fresh.ocsp");
    add(&s, "old", "old.ocsp");
    add(&s, "ending", "ending.ocsp");
    add(&s, "none", NULL);
    struct tls_server *server = open_server(&s);
    assert_true(ask_for(server, NULL).stapled > 100);
    assert_true(ask_for(server, "fresh.example").stapled > 100);
    assert_true(ask_for(server, "old.example").stapled <= 0);
    assert_true(ask_for(server, "none.example").stapled <= 0);
    /* Also while it runs: what became stale is not stapled any more. */
    for (int i = 0; i < 200 && ask_for(server, "ending.example").stapled > 0; i++)
        usleep(50000);
    assert_true(ask_for(server, "ending.example").stapled <= 0);
    tls_server_stale_ocsp(server, count_stale, &stale);
    assert_int_equal(stale, 2);
    tls_server_close(server);
    X509_free(fresh);
    X509_free(old);
    X509_free(ending);
}

static void write_text(const char *file, const char *text)
{
    FILE *f = fopen(in_dir(file), "w");
    assert_true(fputs(text, f) >= 0);
    fclose(f);
}

static void bad_responses_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *file, *says;
    } cases[] = {
        {"nothing.ocsp", "nothing.ocsp"},        {"empty.ocsp", "empty"},
        {"junk.ocsp", "no OCSP response"},       {"other.ocsp", "another certificate"},
        {"revoked.ocsp", "does not say"},        {"forever.ocsp", "nextUpdate"},
        {"forged.ocsp", "not signed"},           {"rsa.pem", "no OCSP response"},
        {"foreign.ocsp", "another certificate"},
    };
    X509 *leaf =
        pki_issue(dir, &ca, (struct wish){.file = "rsa", .name = "rsa", .alt = "DNS:a.example", .rsa = true});
    X509 *other =
        pki_issue(dir, &ca, (struct wish){.file = "other", .name = "other", .alt = "DNS:b.example"});
    write_text("empty.ocsp", "");
    write_text("junk.ocsp", "junk");
    pki_ocsp(in_dir("other.ocsp"), &ca, &ca, other, V_OCSP_CERTSTATUS_GOOD, 3600);
    pki_ocsp(in_dir("foreign.ocsp"), &other_ca, &other_ca, leaf, V_OCSP_CERTSTATUS_GOOD, 3600);
    pki_ocsp(in_dir("revoked.ocsp"), &ca, &ca, leaf, V_OCSP_CERTSTATUS_REVOKED, 3600);
    pki_ocsp(in_dir("forever.ocsp"), &ca, &ca, leaf, V_OCSP_CERTSTATUS_GOOD, 0);
    pki_ocsp(in_dir("forged.ocsp"), &other_ca, &ca, leaf, V_OCSP_CERTSTATUS_GOOD, 3600);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct setup s = {.n = 0};
        struct tls_server *server = NULL;
        struct error err;
        add(&s, "rsa", cases[i].file);
        assert_int_equal(try_open(&s, &server, &err), STATUS_INVALID);
        assert_null(server);
        if (!strstr(err.text, cases[i].says))
            fail_msg("%s: %s", cases[i].file, err.text);
    }
    X509_free(leaf);
    X509_free(other);
}

/* ---- clients' certificates ---- */

static struct tls_server *asking_server(const char *client_ca, struct tickets *tickets)
{
    struct setup s = {
        .options = {.client_ca_path = client_ca ? in_dir(client_ca) : NULL, .tickets = tickets}};
    issue(&ca, (struct wish){.file = "default", .name = "default", .alt = "DNS:x.example.org"});
    issue(&ca, (struct wish){.file = "second", .name = "second", .alt = "DNS:second.example"});
    add(&s, "default", NULL);
    add(&s, "second", NULL);
    return open_server(&s);
}

/* Whatever the client shows, the handshake succeeds. */
static void only_a_good_certificate_counts(void **state)
{
    (void)state;
    static const struct {
        const char *certificate, *refused;
        bool counts;
    } cases[] = {
        {NULL, NULL, false},
        {"alice", NULL, true},
        {"plain", NULL, true}, /* without extended key usage it is for everything */
        {"late", "certificate has expired", false},
        {"early", "certificate is not yet valid", false},
        {"server", "unsuitable certificate purpose", false},
        {"mallory", "unable to get local issuer certificate", false},
    };
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    issue(&ca, (struct wish){.file = "alice", .name = "alice", .usage = "clientAuth"});
    issue(&ca, (struct wish){.file = "plain", .name = "plain"});
    issue(&ca, (struct wish){.file = "late", .name = "late", .from_s = -7200, .for_s = 3600});
    issue(&ca, (struct wish){.file = "early", .name = "early", .from_s = 1800, .for_s = 3600});
    issue(&ca, (struct wish){.file = "server", .name = "server", .usage = "serverAuth"});
    issue(&other_ca, (struct wish){.file = "mallory", .name = "alice", .usage = "clientAuth"});
    struct tls_server *server = asking_server("ca.pem", NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t v = 0; v < 4; v++) {
            struct client c = {.certificate = cases[i].certificate,
                               .version = versions[v % 2],
                               .sni = v / 2 ? "second.example" : NULL};
            struct result r = connect_to(server, &c);
            assert_int_equal(r.verified, cases[i].counts);
            assert_int_equal(r.refused != NULL, cases[i].refused != NULL);
            if (r.refused)
                assert_string_equal(r.refused, cases[i].refused);
            assert_int_equal(strlen(r.peer.fingerprint), cases[i].counts ? 64 : 0);
            assert_string_equal(r.name, v / 2 ? "second" : "default");
            SSL_SESSION_free(c.session);
        }
    }
    tls_server_close(server);
}

static void what_is_told_of_a_client(void **state)
{
    (void)state;
    unsigned char digest[32];
    char hex[65];
    X509 *leaf =
        pki_issue(dir, &ca, (struct wish){.file = "alice", .name = "alice, \xc3\xa9", .usage = "clientAuth"});
    X509_digest(leaf, EVP_sha256(), digest, NULL);
    for (int i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    struct tls_server *server = asking_server("ca.pem", NULL);
    struct client c = {.certificate = "alice"};
    struct result r = connect_to(server, &c);
    assert_true(r.verified);
    assert_string_equal(r.peer.fingerprint, hex);
    assert_string_equal(r.peer.subject, "CN=alice\\, \\C3\\A9,O=Example");
    SSL_SESSION_free(c.session);
    tls_server_close(server);
    X509_free(leaf);
}

static void nobody_is_asked_without_authorities(void **state)
{
    (void)state;
    issue(&ca, (struct wish){.file = "alice", .name = "alice", .usage = "clientAuth"});
    struct tls_server *server = asking_server(NULL, NULL);
    struct client c = {.certificate = "alice"};
    struct result r = connect_to(server, &c);
    assert_false(r.verified);
    assert_null(r.refused);
    SSL_SESSION_free(c.session);
    tls_server_close(server);
}

/* A session has the certificate of the one it resumes, under the same authorities only. */
static void resumed_sessions_keep_their_certificate(void **state)
{
    (void)state;
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    struct tickets *tickets;
    struct error err;
    assert_int_equal(tickets_open(3600000, &tickets, &err), STATUS_OK);
    issue(&ca, (struct wish){.file = "alice", .name = "alice", .usage = "clientAuth"});
    issue(&other_ca, (struct wish){.file = "mallory", .name = "alice", .usage = "clientAuth"});
    struct tls_server *one = asking_server("ca.pem", tickets), *two = asking_server("ca.pem", tickets),
                      *changed = asking_server("other-ca.pem", tickets), *none = asking_server(NULL, tickets);
    for (size_t i = 0; i < 2; i++) {
        struct client alice = {.certificate = "alice", .version = versions[i]},
                      mallory = {.certificate = "mallory", .version = versions[i]};
        struct result first = connect_to(one, &alice), again = connect_to(two, &alice);
        assert_true(first.verified && again.verified && again.resumed);
        assert_string_equal(first.peer.fingerprint, again.peer.fingerprint);
        struct result after = connect_to(changed, &alice);
        assert_false(after.resumed);
        assert_false(after.verified);
        SSL_SESSION_free(alice.session);

        /* One that did not verify does not by being resumed. */
        assert_false(connect_to(one, &mallory).verified);
        again = connect_to(two, &mallory);
        assert_true(again.resumed);
        assert_false(again.verified);
        assert_non_null(again.refused);
        SSL_SESSION_free(mallory.session);

        alice = (struct client){.certificate = "alice", .version = versions[i]};
        assert_true(connect_to(one, &alice).verified);
        again = connect_to(none, &alice);
        assert_false(again.resumed);
        assert_false(again.verified);
        SSL_SESSION_free(alice.session);
    }
    tls_server_close(one);
    tls_server_close(two);
    tls_server_close(changed);
    tls_server_close(none);
    tickets_close(tickets);
}

static void a_certificate_that_expired_since_does_not_count(void **state)
{
    (void)state;
    struct tickets *tickets;
    struct error err;
    assert_int_equal(tickets_open(3600000, &tickets, &err), STATUS_OK);
    struct tls_server *server = asking_server("ca.pem", tickets);
    struct client c = {.certificate = "short", .version = TLS1_3_VERSION};
    issue(&ca, (struct wish){.file = "short", .name = "short", .from_s = -60, .for_s = 66});
    struct result r = connect_to(server, &c);
    bool was = r.verified;
    for (int i = 0; i < 600 && r.verified; i++) {
        usleep(50000);
        r = connect_to(server, &c);
        assert_true(r.resumed);
    }
    assert_true(was);
    assert_false(r.verified);
    assert_string_equal(r.refused, "certificate has expired");
    SSL_SESSION_free(c.session);
    tls_server_close(server);
    tickets_close(tickets);
}

/* Bundles of authorities hold CRLs now and then. */
static void a_crl_among_the_authorities_is_passed_over(void **state)
{
    (void)state;
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *now = X509_gmtime_adj(NULL, -60);
    X509_CRL_set_version(crl, 1);
    X509_CRL_set_issuer_name(crl, X509_get_subject_name(ca.certificate));
    X509_CRL_set1_lastUpdate(crl, now);
    X509_CRL_set1_nextUpdate(crl, now); /* it is stale at once */
    assert_true(X509_CRL_sign(crl, ca.key, EVP_sha256()) > 0);
    FILE *f = fopen(in_dir("with-crl.pem"), "w");
    assert_true(PEM_write_X509_CRL(f, crl) && PEM_write_X509(f, ca.certificate));
    fclose(f);
    issue(&ca, (struct wish){.file = "alice", .name = "alice", .usage = "clientAuth"});
    struct tls_server *server = asking_server("with-crl.pem", NULL);
    struct client c = {.certificate = "alice", .version = TLS1_3_VERSION};
    assert_true(connect_to(server, &c).verified);
    SSL_SESSION_free(c.session);
    tls_server_close(server);
    ASN1_TIME_free(now);
    X509_CRL_free(crl);
}

static void bad_authorities_are_refused(void **state)
{
    (void)state;
    struct setup s = {.options = {.client_ca_path = "/nonexistent/ca.pem"}};
    struct tls_server *server;
    struct error err;
    issue(&ca, (struct wish){.file = "default", .name = "default", .alt = "DNS:x.example.org"});
    add(&s, "default", NULL);
    assert_int_equal(try_open(&s, &server, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "/nonexistent/ca.pem"));
    write_text("empty.pem", "");
    s.options.client_ca_path = in_dir("empty.pem");
    assert_int_equal(try_open(&s, &server, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "empty.pem"));
}

static int setup(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/sgserverXXXXXX");
    assert_non_null(mkdtemp(dir));
    ca = authority_make("Test CA");
    other_ca = authority_make("Other CA");
    write_ca("ca.pem", &ca);
    write_ca("other-ca.pem", &other_ca);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    DIR *folder = opendir(dir);
    const struct dirent *entry;
    while ((entry = readdir(folder)))
        if (entry->d_name[0] != '.')
            unlink(in_dir(entry->d_name));
    closedir(folder);
    rmdir(dir);
    authority_free(&ca);
    authority_free(&other_ca);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_name_asked_for_chooses),
        cmocka_unit_test(rsa_and_ec_stand_side_by_side),
        cmocka_unit_test(a_bad_pair_among_several_is_named),
        cmocka_unit_test(alpn_is_passed_over),
        cmocka_unit_test(a_response_is_stapled_until_it_is_stale),
        cmocka_unit_test(bad_responses_are_refused),
        cmocka_unit_test(only_a_good_certificate_counts),
        cmocka_unit_test(what_is_told_of_a_client),
        cmocka_unit_test(nobody_is_asked_without_authorities),
        cmocka_unit_test(resumed_sessions_keep_their_certificate),
        cmocka_unit_test(a_certificate_that_expired_since_does_not_count),
        cmocka_unit_test(a_crl_among_the_authorities_is_passed_over),
        cmocka_unit_test(bad_authorities_are_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
