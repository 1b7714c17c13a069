#include "tests/unit/net/fixture.h"

#include "gateway/net/tls.h"

static char dir[64];

static const char *in_dir(const char *name)
{
    static char path[4][128];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof path[turn], "%s/%s", dir, name);
    return path[turn];
}

static void a26_secret_file_rights(void **state)
{
    (void)state;
    static const struct {
        mode_t mode;
        enum status want;
    } cases[] = {{0600, STATUS_OK},     {0400, STATUS_OK},     {0640, STATUS_DENIED},
                 {0604, STATUS_DENIED}, {0610, STATUS_DENIED}, {0602, STATUS_DENIED}};
    struct error err;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(chmod(in_dir("key.pem"), cases[i].mode), 0);
        assert_int_equal(secret_file_check(in_dir("key.pem"), &err), cases[i].want);
        if (cases[i].want != STATUS_OK)
            assert_non_null(strstr(err.text, "chmod 600"));
    }
    chmod(in_dir("key.pem"), 0600);
    assert_int_equal(secret_file_check(dir, &err), STATUS_DENIED);
    assert_int_equal(secret_file_check("/dev/null", &err), STATUS_DENIED);
    assert_int_equal(secret_file_check(in_dir("none"), &err), STATUS_NOT_FOUND);
    /* A link is followed: what counts is the file. */
    assert_int_equal(symlink(in_dir("key.pem"), in_dir("link.pem")), 0);
    assert_int_equal(secret_file_check(in_dir("link.pem"), &err), STATUS_OK);
    chmod(in_dir("key.pem"), 0644);
    assert_int_equal(secret_file_check(in_dir("link.pem"), &err), STATUS_DENIED);
    chmod(in_dir("key.pem"), 0600);
    if (geteuid() != 0)
        return;
    assert_int_equal(chown(in_dir("key.pem"), 65534, 0), 0);
    assert_int_equal(secret_file_check(in_dir("key.pem"), &err), STATUS_DENIED);
    assert_int_equal(secret_file_check_for(in_dir("key.pem"), 65534, &err), STATUS_OK);
    assert_int_equal(secret_file_check_for(in_dir("key.pem"), 65533, &err), STATUS_DENIED);
    assert_int_equal(chown(in_dir("key.pem"), 0, 0), 0);
}

static void a26_server_context_refuses_an_open_key(void **state)
{
    (void)state;
    struct error err;
    SSL_CTX *ctx = NULL;
    struct tls_server_settings settings = {in_dir("cert.pem"), in_dir("key.pem")};
    chmod(in_dir("key.pem"), 0644);
    assert_int_equal(tls_server_context(&settings, &ctx, &err), STATUS_DENIED);
    assert_null(ctx);
    chmod(in_dir("key.pem"), 0600);
    assert_int_equal(tls_server_context(&settings, &ctx, &err), STATUS_OK);
    SSL_CTX_free(ctx);
}

static void write_key(const char *path, const EVP_CIPHER *cipher)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    FILE *f = fdopen(open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600), "w");
    assert_true(PEM_write_PrivateKey(f, key, cipher, (const unsigned char *)"x", cipher ? 1 : 0, NULL, NULL));
    fclose(f);
    EVP_PKEY_free(key);
}

static void bad_identities_are_refused(void **state)
{
    (void)state;
    struct error err;
    SSL_CTX *ctx = NULL;
    write_key(in_dir("other.pem"), NULL);
    write_key(in_dir("locked.pem"), EVP_aes_256_cbc());
    static const struct {
        const char *cert, *key, *says;
    } cases[] = {
        {"cert.pem", "other.pem", "does not belong"},
        {"cert.pem", "locked.pem", "passphrase"}, /* and no question on the terminal */
        {"cert.pem", "none.pem", "none.pem"},
        {"none.pem", "key.pem", "none.pem"},
        {"key.pem", "key.pem", "certificate"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tls_server_settings settings = {in_dir(cases[i].cert), in_dir(cases[i].key)};
        assert_int_not_equal(tls_server_context(&settings, &ctx, &err), STATUS_OK);
        assert_null(ctx);
        assert_non_null(strstr(err.text, cases[i].says));
    }
}

static void server_offers_only_forward_secrecy_and_aead(void **state)
{
    (void)state;
    struct error err;
    SSL_CTX *ctx = NULL;
    struct tls_server_settings settings = {in_dir("cert.pem"), in_dir("key.pem")};
    assert_int_equal(tls_server_context(&settings, &ctx, &err), STATUS_OK);
    STACK_OF(SSL_CIPHER) *ciphers = SSL_CTX_get_ciphers(ctx);
    assert_true(sk_SSL_CIPHER_num(ciphers) >= 6);
    for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); i++) {
        const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(ciphers, i);
        int kx = SSL_CIPHER_get_kx_nid(cipher);
        assert_true(kx == NID_kx_ecdhe || kx == NID_kx_any);
        assert_true(SSL_CIPHER_is_aead(cipher));
    }
    assert_int_equal(SSL_CTX_get_min_proto_version(ctx), TLS1_2_VERSION);
    uint64_t options = SSL_CTX_get_options(ctx);
    assert_true(options & SSL_OP_NO_RENEGOTIATION);
    assert_true(options & SSL_OP_NO_COMPRESSION);
    assert_true(options & SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_free(ctx);
}

static void client_anchors(void **state)
{
    (void)state;
    struct error err;
    SSL_CTX *ctx = NULL;
    struct tls_client_settings missing = {in_dir("none.pem")}, given = {in_dir("cert.pem")}, system = {NULL};
    assert_int_equal(tls_client_context(&missing, &ctx, &err), STATUS_INVALID);
    assert_null(ctx);
    assert_int_equal(tls_client_context(&given, &ctx, &err), STATUS_OK);
    STACK_OF(X509_OBJECT) *anchors = X509_STORE_get0_objects(SSL_CTX_get_cert_store(ctx));
    assert_int_equal(sk_X509_OBJECT_num(anchors), 1);
    SSL_CTX_free(ctx);
    assert_int_equal(tls_client_context(&system, &ctx, &err), STATUS_OK);
    SSL_CTX_free(ctx);
}

static int setup(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/sgtlsXXXXXX");
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
        cmocka_unit_test(a26_secret_file_rights),
        cmocka_unit_test(a26_server_context_refuses_an_open_key),
        cmocka_unit_test(bad_identities_are_refused),
        cmocka_unit_test(server_offers_only_forward_secrecy_and_aead),
        cmocka_unit_test(client_anchors),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
