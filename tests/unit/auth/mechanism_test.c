/* The exchange by itself: each mechanism right, wrong and broken, with a real client on the other side. */
#include "tests/unit/auth/sasl_client.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "gateway/auth/mechanism.h"
#include "gateway/wire/base64.h"

static const unsigned char exporter[MECHANISM_EXPORTER_SIZE] = "exporter of this TLS connection";
static const unsigned char other_exporter[MECHANISM_EXPORTER_SIZE] = "exporter of the other connectio";

/* The owner: alice and Jürgen have SCRAM keys of "secret"; a certificate is carol's. */
struct owner {
    struct scram_keys keys;
    bool away;
    char asked[SASL_USER_MAX];
    unsigned times;
};

static bool owner_keys(void *arg, const char *user, struct scram_keys *keys_out, bool *known_out)
{
    struct owner *o = arg;
    snprintf(o->asked, sizeof o->asked, "%s", user);
    o->times++;
    *keys_out = o->keys;
    *known_out = strcmp(user, "alice") == 0 || strcmp(user, "J\xc3\xbcrgen") == 0;
    return !o->away;
}

static void owner_certificate(void *arg, const char *authzid, char user_out[SASL_USER_MAX])
{
    (void)arg;
    if (!*authzid || strcmp(authzid, "carol") == 0)
        strcpy(user_out, "carol");
}

static Gsasl *library;
static struct owner owner;

static int group_start(void **state)
{
    (void)state;
    struct error err;
    owner.keys = (struct scram_keys){.iterations = 4096, .salt_len = 16, .salt = "0123456789abcdef"};
    return mechanisms_open(&library, &err) == STATUS_OK &&
                   scram_keys_derive("secret", &owner.keys, &err) == STATUS_OK
               ? 0
               : -1;
}

static int group_stop(void **state)
{
    (void)state;
    mechanisms_close(library);
    return 0;
}

static struct mechanism *server(enum sasl_mechanism kind, const unsigned char *binding)
{
    const struct mechanism_owner asks = {
        .scram_keys = owner_keys, .certificate_user = owner_certificate, .arg = &owner};
    struct mechanism *m = NULL;
    struct error err;
    assert_int_equal(mechanism_start(library, kind, binding, &asks, &m, &err), STATUS_OK);
    return m;
}

/* A whole exchange as SMTP would carry it; the server's last word. BINDING: what the server has. */
static enum mechanism_step run(struct sasl_client *c, enum sasl_mechanism kind, const unsigned char *binding,
                               bool initial, struct mechanism **server_out)
{
    struct mechanism *m = server(kind, binding);
    struct buf challenge, response;
    enum mechanism_step step;
    sasl_client_open(c);
    buf_init(&challenge, 10000);
    bool client_first = kind != SASL_LOGIN;
    if (initial && client_first) {
        sasl_client_step(c, span_of(NULL, 0), &response);
        step = mechanism_begin(m, &response, &challenge);
        buf_free(&response);
    } else {
        step = mechanism_begin(m, NULL, &challenge);
    }
    for (int i = 0; step == STEP_CHALLENGE; i++) {
        assert_true(i < 4);
        sasl_client_step(c, buf_span(&challenge), &response);
        buf_reset(&challenge);
        step = mechanism_step(m, &response, &challenge);
        buf_free(&response);
    }
    /* The client is content with the server, too. */
    if (step == STEP_PROVEN && challenge.len > 0) {
        sasl_client_step(c, buf_span(&challenge), &response);
        buf_free(&response);
    }
    buf_free(&challenge);
    sasl_client_close(c);
    if (server_out)
        *server_out = m;
    else
        mechanism_free(m);
    return step;
}

static void test_scram(void **state)
{
    (void)state;
    static const struct {
        const char *user, *password, *authzid;
        enum mechanism_step step;
    } cases[] = {
        {"alice", "secret", NULL, STEP_PROVEN},
        {"alice", "secret", "alice", STEP_PROVEN},
        {"alice", "secret", "bob", STEP_WRONG},
        {"alice", "Secret", NULL, STEP_WRONG},
        {"alice", "Secret", "alice", STEP_WRONG},
        {"bob", "secret", NULL, STEP_WRONG}, /* the keys fit, but are nobody's (A19) */
        {"J\xc3\xbcrgen", "secret", NULL, STEP_PROVEN},
        {"Ju\xcc\x88rgen", "secret", NULL, STEP_PROVEN}, /* SASLprep composes */
        {"ali\xc2\xad"
         "ce",
         "secret", NULL, STEP_PROVEN}, /* and takes a soft hyphen away */
        {"Alice", "secret", NULL, STEP_WRONG},
        {"alice,n=bob", "secret", NULL, STEP_WRONG},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int plus = 0; plus < 2; plus++) {
            for (int initial = 0; initial < 2; initial++) {
                struct sasl_client c = {.mechanism = plus ? "SCRAM-SHA-256-PLUS" : "SCRAM-SHA-256",
                                        .user = cases[i].user,
                                        .password = cases[i].password,
                                        .authzid = cases[i].authzid,
                                        .exporter = plus ? exporter : NULL};
                struct mechanism *m;
                enum mechanism_step step =
                    run(&c, plus ? SASL_SCRAM_SHA_256_PLUS : SASL_SCRAM_SHA_256, exporter, initial, &m);
                if (step != cases[i].step)
                    fail_msg("case %zu, plus %d: %d", i, plus, step);
                if (step == STEP_PROVEN)
                    assert_true(strcmp(mechanism_user(m), "alice") == 0 ||
                                strcmp(mechanism_user(m), "J\xc3\xbcrgen") == 0);
                assert_string_equal(mechanism_user(m), owner.asked);
                assert_true(mechanism_next_proves(m));
                mechanism_free(m);
            }
        }
    }
}

/* RFC 5802 §6, RFC 9266: the two ends of the TLS connection must be those of the exchange. */
static void test_channel_binding(void **state)
{
    (void)state;
    struct sasl_client c = {
        .mechanism = "SCRAM-SHA-256-PLUS", .user = "alice", .password = "secret", .exporter = other_exporter};
    assert_int_equal(run(&c, SASL_SCRAM_SHA_256_PLUS, exporter, true, NULL), STEP_WRONG);
    c.exporter = exporter;
    assert_int_equal(run(&c, SASL_SCRAM_SHA_256_PLUS, exporter, true, NULL), STEP_PROVEN);
    c.unique = true;
    assert_int_equal(run(&c, SASL_SCRAM_SHA_256_PLUS, exporter, true, NULL), STEP_NO_BINDING);
}

/* A whole exchange with the gs2 header HEADER and no binding, by hand: libgsasl's client refuses to do so
 * when it could bind. */
static enum mechanism_step by_hand(const unsigned char *binding, const char *header, const char *cbind)
{
    struct mechanism *m = server(SASL_SCRAM_SHA_256, binding);
    struct buf in, challenge, auth;
    char salted[32], client_key[32], server_key[32], stored_key[32], nonce[100];
    unsigned char signature[32];
    unsigned len = sizeof signature;
    buf_init(&in, 2000);
    buf_init(&challenge, 2000);
    buf_init(&auth, 2000);
    buf_printf(&in, "%sn=alice,r=abc", header);
    enum mechanism_step step = mechanism_begin(m, &in, &challenge);
    if (step == STEP_CHALLENGE) {
        assert_int_equal(sscanf(buf_str(&challenge), "r=%99[^,]", nonce), 1);
        buf_reset(&in);
        buf_printf(&in, "c=%s,r=%s", cbind, nonce);
        buf_printf(&auth, "n=alice,r=abc,%s,%s", buf_str(&challenge), buf_str(&in));
        assert_int_equal(gsasl_scram_secrets_from_password(GSASL_HASH_SHA256, "secret", 4096,
                                                           "0123456789abcdef", 16, salted, client_key,
                                                           server_key, stored_key),
                         GSASL_OK);
        assert_non_null(HMAC(EVP_sha256(), stored_key, 32, auth.data, auth.len, signature, &len));
        for (int i = 0; i < 32; i++)
            signature[i] ^= (unsigned char)client_key[i];
        buf_append_str(&in, ",p=");
        base64_encode(span_of(signature, 32), &in);
        buf_reset(&challenge);
        step = mechanism_step(m, &in, &challenge);
    }
    buf_free(&in);
    buf_free(&challenge);
    buf_free(&auth);
    mechanism_free(m);
    return step;
}

/* A client that can bind, but was shown no -PLUS: somebody took it out, if we offered it (RFC 5802 §6). */
static void test_downgrade(void **state)
{
    (void)state;
    assert_int_equal(by_hand(exporter, "n,,", "biws"), STEP_PROVEN); /* it cannot */
    assert_int_equal(by_hand(NULL, "y,,", "eSws"), STEP_PROVEN);     /* we did not offer it */
    assert_int_equal(by_hand(exporter, "y,,", "eSws"), STEP_WRONG);
    assert_int_equal(by_hand(NULL, "y,,", "biws"), STEP_WRONG); /* changed on the way */
    assert_int_equal(by_hand(exporter, "n,,", "eSws"), STEP_WRONG);
    assert_int_equal(by_hand(exporter, "p=tls-exporter,,", "cD10bHMtZXhwb3J0ZXIsLA=="), STEP_WRONG);
    assert_int_equal(by_hand(NULL, "p=tls-exporter,,", "cD10bHMtZXhwb3J0ZXIsLA=="), STEP_WRONG);
    assert_int_equal(by_hand(exporter, "n,a=alice,", "bixhPWFsaWNlLA=="), STEP_PROVEN);
    assert_int_equal(by_hand(exporter, "n,a=bob,", "bixhPWJvYiw="), STEP_WRONG);
}

static enum mechanism_step first(enum sasl_mechanism kind, const unsigned char *binding, const char *text,
                                 size_t len)
{
    struct mechanism *m = server(kind, binding);
    struct buf initial, challenge;
    buf_init(&initial, 20000);
    buf_init(&challenge, 20000);
    buf_append(&initial, text, len);
    enum mechanism_step step = mechanism_begin(m, &initial, &challenge);
    buf_free(&initial);
    buf_free(&challenge);
    mechanism_free(m);
    return step;
}

static void test_A6_broken_scram(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t len; /* 0: of the string */
        enum mechanism_step plain, plus;
    } cases[] = {
        {"n,,n=alice,r=abc", 0, STEP_CHALLENGE, STEP_WRONG},
        {"y,,n=alice,r=abc", 0, STEP_WRONG, STEP_WRONG},
        {"p=tls-exporter,,n=alice,r=abc", 0, STEP_WRONG, STEP_CHALLENGE},
        {"p=tls-unique,,n=alice,r=abc", 0, STEP_WRONG, STEP_NO_BINDING},
        {"p=tls-server-end-point,,n=alice,r=abc", 0, STEP_WRONG, STEP_WRONG},
        {"p=,,n=alice,r=abc", 0, STEP_WRONG, STEP_MALFORMED},
        {"n", 0, STEP_MALFORMED, STEP_MALFORMED},
        {"n,", 0, STEP_MALFORMED, STEP_MALFORMED},
        {"n,,", 0, STEP_MALFORMED, STEP_MALFORMED},
        {"n,,n=", 0, STEP_MALFORMED, STEP_MALFORMED},
        {"n,,n=alice", 0, STEP_MALFORMED, STEP_MALFORMED},
        {"n,,n=alice,r=", 0, STEP_MALFORMED, STEP_MALFORMED},
        {"n,,n=,r=abc", 0, STEP_MALFORMED, STEP_MALFORMED},
        {"n,,n=a=3,r=abc", 0, STEP_MALFORMED, STEP_MALFORMED},
        {"n,,n=a=2c,r=abc", 0, STEP_MALFORMED, STEP_MALFORMED},
        {"n,,n=a=2Cb=3D,r=abc", 0, STEP_CHALLENGE, STEP_WRONG},
        {"n,a=x=,n=a,r=abc", 0, STEP_MALFORMED, STEP_MALFORMED},
        {"n,,m=x,n=alice,r=abc", 0, STEP_MALFORMED, STEP_MALFORMED},
        {"n,,n=al\0ce,r=abc", 16, STEP_MALFORMED, STEP_MALFORMED},
        {"\0n,,n=alice,r=abc", 17, STEP_MALFORMED, STEP_MALFORMED},
        {"n,,n=a\nb,r=abc", 0, STEP_WRONG, STEP_WRONG},
        {"n,,n=\xff\xfe,r=abc", 0, STEP_WRONG, STEP_WRONG},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t len = cases[i].len ? cases[i].len : strlen(cases[i].text);
        enum mechanism_step plain = first(SASL_SCRAM_SHA_256, exporter, cases[i].text, len);
        enum mechanism_step plus = first(SASL_SCRAM_SHA_256_PLUS, exporter, cases[i].text, len);
        /* Which of the two refusals it is does not matter where both are there. */
        if (plain != cases[i].plain)
            fail_msg("case %zu: %d", i, plain);
        if (cases[i].plus == STEP_MALFORMED ? plus < STEP_WRONG : plus != cases[i].plus)
            fail_msg("case %zu, plus: %d", i, plus);
    }
}

/* The second message, which proves: cut, of another exchange, not base64. */
static void test_A6_broken_proofs(void **state)
{
    (void)state;
    static const char *const proofs[] = {"x",
                                         "c=biws",
                                         "c=biws,r=NONCE",
                                         "c=biws,r=NONCE,p=",
                                         "r=NONCE,p=YQ==",
                                         "c=biws,r=NONCE,p=YQ==",
                                         "c=biws,r=abc,p=YQ==",
                                         "c=!!!!,r=NONCE,p=YQ==",
                                         "c=,r=NONCE,p=YQ==",
                                         "c=biws,r=NONCE,p=!!!!",
                                         "c=eSws,r=NONCE,p="
                                         "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=",
                                         "c=biws,r=NONCE,p=YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE="};
    for (size_t i = 0; i < sizeof proofs / sizeof *proofs; i++) {
        struct mechanism *m = server(SASL_SCRAM_SHA_256, NULL);
        struct buf in, challenge;
        char nonce[100];
        buf_init(&in, 2000);
        buf_init(&challenge, 2000);
        buf_append_str(&in, "n,,n=alice,r=abc");
        assert_int_equal(mechanism_begin(m, &in, &challenge), STEP_CHALLENGE);
        assert_int_equal(sscanf(buf_str(&challenge), "r=%99[^,]", nonce), 1);
        buf_reset(&in);
        buf_reset(&challenge);
        const char *at = strstr(proofs[i], "NONCE");
        if (at)
            buf_printf(&in, "%.*s%s%s", (int)(at - proofs[i]), proofs[i], nonce, at + 5);
        else
            buf_append_str(&in, proofs[i]);
        enum mechanism_step step = mechanism_step(m, &in, &challenge);
        if (step != STEP_WRONG && step != STEP_MALFORMED)
            fail_msg("%s: %d", proofs[i], step);
        assert_int_equal(challenge.len, 0);
        /* It is over. */
        step = mechanism_step(m, &in, &challenge);
        assert_true(step >= STEP_WRONG);
        buf_free(&in);
        buf_free(&challenge);
        mechanism_free(m);
    }
}

static void test_plain_and_login(void **state)
{
    (void)state;
    static const struct {
        const char *user, *authzid;
        enum mechanism_step plain, login;
        const char *taken;
    } cases[] = {
        {"alice", NULL, STEP_PASSWORD, STEP_PASSWORD, "alice"},
        {"alice", "alice", STEP_PASSWORD, STEP_PASSWORD, "alice"},
        {"alice", "bob", STEP_WRONG, STEP_PASSWORD, "alice"},
        {"Ju\xcc\x88rgen", "J\xc3\xbcrgen", STEP_PASSWORD, STEP_PASSWORD, "J\xc3\xbcrgen"},
        {"Ju\xcc\x88rgen", "Ju\xcc\x88rgen", STEP_PASSWORD, STEP_PASSWORD, "J\xc3\xbcrgen"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int login = 0; login < 2; login++) {
            struct sasl_client c = {.mechanism = login ? "LOGIN" : "PLAIN",
                                    .user = cases[i].user,
                                    .password = "se cret",
                                    .authzid = cases[i].authzid};
            struct mechanism *m;
            enum mechanism_step step = run(&c, login ? SASL_LOGIN : SASL_PLAIN, NULL, i % 2, &m);
            assert_int_equal(step, login ? cases[i].login : cases[i].plain);
            assert_string_equal(mechanism_user(m), cases[i].taken);
            assert_string_equal(mechanism_password(m), step == STEP_PASSWORD ? "se cret" : "");
            mechanism_free(m);
        }
    }
}

static void test_A6_broken_plain(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t len;
        enum mechanism_step step;
    } cases[] = {
        {"\0alice\0secret", 13, STEP_PASSWORD},
        {"alice", 5, STEP_MALFORMED},
        {"\0alice", 6, STEP_MALFORMED},
        {"\0alice\0", 7, STEP_MALFORMED}, /* no password */
        {"\0\0\0", 3, STEP_MALFORMED},
        {"\0\0secret", 8, STEP_MALFORMED}, /* no name */
        {"\0alice\0sec\0ret", 14, STEP_MALFORMED},
        {"bob\0alice\0secret", 16, STEP_WRONG},
        {"\0al\nice\0secret", 14, STEP_WRONG},
        {"\0\xff\0secret", 9, STEP_WRONG},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum mechanism_step step = first(SASL_PLAIN, NULL, cases[i].text, cases[i].len);
        bool good = cases[i].step == STEP_PASSWORD ? step == STEP_PASSWORD : step >= STEP_WRONG;
        if (!good || (cases[i].step == STEP_WRONG && step != STEP_WRONG))
            fail_msg("case %zu: %d", i, step);
    }
    assert_int_equal(first(SASL_PLAIN, NULL, "", 0), STEP_MALFORMED);
    assert_int_equal(first(SASL_LOGIN, NULL, "", 0), STEP_MALFORMED);
    assert_int_equal(first(SASL_LOGIN, NULL, "al\0ice", 6), STEP_MALFORMED);
    assert_int_equal(first(SASL_LOGIN, NULL, "alice", 5), STEP_CHALLENGE);
}

/* A21: such names are nobody's, or are asked about as they are, byte by byte. */
static void test_A21_strange_names(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool possible;
    } cases[] = {{")(|*", true},         {"*)(uid=*", true}, {"a'b\"c", true},
                 {"a\\b", true},         {"%s%n", true},     {"../../etc/passwd", true},
                 {"a:b", true},          {"#a", true},       {"a\nb", false},
                 {"a\tb", false},        {"a\x7f", false},   {"a\xe2\x80\xa8z", false},
                 {"\xed\xa0\x80", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char plain[100], login[100], scram[100];
        int len = snprintf(plain, sizeof plain, "%c%s%csecret", 0, cases[i].name, 0);
        snprintf(login, sizeof login, "%s", cases[i].name);
        const char *equals = strchr(cases[i].name, '=');
        if (equals)
            snprintf(scram, sizeof scram, "n,,n=%.*s=3D%s,r=abc", (int)(equals - cases[i].name),
                     cases[i].name, equals + 1);
        else
            snprintf(scram, sizeof scram, "n,,n=%s,r=abc", cases[i].name);
        owner.times = 0;
        owner.asked[0] = '\0';
        if (first(SASL_PLAIN, NULL, plain, (size_t)len) != (cases[i].possible ? STEP_PASSWORD : STEP_WRONG))
            fail_msg("PLAIN %s", cases[i].name);
        if (first(SASL_SCRAM_SHA_256, NULL, scram, strlen(scram)) !=
            (cases[i].possible ? STEP_CHALLENGE : STEP_WRONG))
            fail_msg("SCRAM %s", cases[i].name);
        assert_string_equal(owner.asked, cases[i].possible ? cases[i].name : "");
        struct sasl_client c = {.mechanism = "LOGIN", .user = login, .password = "x"};
        struct mechanism *m;
        assert_int_equal(run(&c, SASL_LOGIN, NULL, false, &m),
                         cases[i].possible ? STEP_PASSWORD : STEP_WRONG);
        assert_string_equal(mechanism_user(m), cases[i].name); /* for the log, also if it is nobody's */
        mechanism_free(m);
    }
}

static void test_credentials_too_long(void **state)
{
    (void)state;
    static const struct {
        size_t user, password;
        enum mechanism_step step;
    } cases[] = {
        {255, 1023, STEP_PASSWORD}, {256, 10, STEP_WRONG}, {10, 1024, STEP_WRONG}, {4000, 4000, STEP_WRONG}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t len = 2 + cases[i].user + cases[i].password;
        char *plain = malloc(len);
        memset(plain, 'a', len);
        plain[0] = plain[1 + cases[i].user] = '\0';
        assert_int_equal(first(SASL_PLAIN, NULL, plain, len), cases[i].step);
        free(plain);
    }
    char *scram = malloc(9000);
    memset(scram, 'a', 9000);
    memcpy(scram, "n,,n=", 5);
    memcpy(scram + 5 + 256, ",r=", 3);
    assert_int_equal(first(SASL_SCRAM_SHA_256, NULL, scram, 9000), STEP_WRONG);
    memcpy(scram + 5 + 255, ",r=", 3);
    assert_int_equal(first(SASL_SCRAM_SHA_256, NULL, scram, 1000), STEP_CHALLENGE);
    free(scram);
}

static void test_external(void **state)
{
    (void)state;
    static const struct {
        const char *authzid;
        size_t len;
        enum mechanism_step step;
    } cases[] = {{"", 0, STEP_PROVEN},
                 {"carol", 5, STEP_PROVEN},
                 {"alice", 5, STEP_WRONG},
                 {"car\0ol", 6, STEP_MALFORMED},
                 {"car\nol", 6, STEP_WRONG},
                 {"\xff", 1, STEP_WRONG},
                 {"ca\xc2\xadrol", 7, STEP_PROVEN}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (first(SASL_EXTERNAL, NULL, cases[i].authzid, cases[i].len) != cases[i].step)
            fail_msg("case %zu", i);
    /* Without an initial response the server asks for it, with an empty challenge (RFC 4422 §5). */
    struct mechanism *m = server(SASL_EXTERNAL, NULL);
    struct buf empty, challenge;
    buf_init(&empty, 10);
    buf_init(&challenge, 10);
    assert_int_equal(mechanism_begin(m, NULL, &challenge), STEP_CHALLENGE);
    assert_int_equal(challenge.len, 0);
    assert_int_equal(mechanism_step(m, &empty, &challenge), STEP_PROVEN);
    assert_string_equal(mechanism_user(m), "carol");
    mechanism_free(m);
    buf_free(&empty);
    buf_free(&challenge);
}

static void test_keys_that_cannot_be_had_are_no_wrong_password(void **state)
{
    (void)state;
    owner.away = true;
    assert_int_equal(first(SASL_SCRAM_SHA_256, NULL, "n,,n=alice,r=abc", 16), STEP_FAILED);
    assert_int_equal(first(SASL_SCRAM_SHA_256, NULL, "n,,n=bob,r=abc", 14), STEP_FAILED);
    owner.away = false;
}

/* Keys are asked for once: the users file may change between the two steps. */
static void test_keys_are_asked_for_once(void **state)
{
    (void)state;
    struct sasl_client c = {.mechanism = "SCRAM-SHA-256", .user = "alice", .password = "secret"};
    owner.times = 0;
    assert_int_equal(run(&c, SASL_SCRAM_SHA_256, NULL, true, NULL), STEP_PROVEN);
    assert_int_equal(owner.times, 1);
    assert_string_equal(c.iterations, "4096");
    assert_string_equal(c.salt, "MDEyMzQ1Njc4OWFiY2RlZg==");
}

/* A6: every short text, in every mechanism and every step, without a crash (with the sanitizers). */
static void test_A6_every_short_text(void **state)
{
    (void)state;
    static const char alphabet[] = "n,=y\0pa\xff";
    static const enum sasl_mechanism kinds[] = {SASL_SCRAM_SHA_256_PLUS, SASL_SCRAM_SHA_256, SASL_PLAIN,
                                                SASL_LOGIN, SASL_EXTERNAL};
    for (size_t i = 0; i < 4096; i++) {
        char text[4];
        for (size_t j = 0, rest = i; j < 4; j++, rest /= 8)
            text[j] = alphabet[rest % 8];
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
            struct mechanism *m = server(kinds[k], exporter);
            struct buf in, challenge;
            buf_init(&in, 10);
            buf_init(&challenge, 1000);
            buf_append(&in, text, 1 + i % 4);
            enum mechanism_step step = mechanism_begin(m, i & 8 ? &in : NULL, &challenge);
            for (int n = 0; step == STEP_CHALLENGE; n++) {
                assert_true(n < 4);
                buf_reset(&challenge);
                step = mechanism_step(m, &in, &challenge);
            }
            assert_true(step != STEP_PROVEN || kinds[k] == SASL_EXTERNAL);
            mechanism_free(m);
            buf_free(&in);
            buf_free(&challenge);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scram),
        cmocka_unit_test(test_channel_binding),
        cmocka_unit_test(test_downgrade),
        cmocka_unit_test(test_A6_broken_scram),
        cmocka_unit_test(test_A6_broken_proofs),
        cmocka_unit_test(test_plain_and_login),
        cmocka_unit_test(test_A6_broken_plain),
        cmocka_unit_test(test_A21_strange_names),
        cmocka_unit_test(test_credentials_too_long),
        cmocka_unit_test(test_external),
        cmocka_unit_test(test_keys_that_cannot_be_had_are_no_wrong_password),
        cmocka_unit_test(test_keys_are_asked_for_once),
        cmocka_unit_test(test_A6_every_short_text),
    };
    return cmocka_run_group_tests(tests, group_start, group_stop);
}
