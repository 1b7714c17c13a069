/* Signing with a PKCS#11 token (SoftHSM). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "smime/sign.h"
#include "tests/unit/smime/forge.h"

#define MODULE "/usr/lib/softhsm/libsofthsm2.so"
#define PIN "123456"
#define OUT_MAX (1u << 20)
#define ENTITY "Content-Type: text/plain\r\n\r\nHello\r\n"

struct state {
    char folder[64];
    struct forged root;
    struct forged rsa, ec; /* by root */
    struct buf out;
};

static int run(const struct state *s, const char *command)
{
    char line[1024];
    snprintf(line, sizeof line, "cd %s && { %s; } >log 2>&1", s->folder, command);
    return system(line);
}

static void write_pem(const struct state *s, const char *name, const struct forged *made, bool key)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", s->folder, name);
    FILE *out = fopen(path, "w");
    forge_must(out != NULL);
    forge_must((key ? PEM_write_PKCS8PrivateKey(out, made->key, NULL, NULL, 0, NULL, NULL)
                    : i2d_X509_fp(out, made->cert)) == 1);
    forge_must(fclose(out) == 0);
}

static void write_entity(const struct state *s)
{
    char path[128];
    snprintf(path, sizeof path, "%s/entity", s->folder);
    FILE *out = fopen(path, "w");
    forge_must(out && fputs(ENTITY, out) >= 0 && fclose(out) == 0);
    snprintf(path, sizeof path, "%s/p7s", s->folder);
    out = fopen(path, "w");
    forge_must(out && fwrite(s->out.data, 1, s->out.len, out) == s->out.len && fclose(out) == 0);
}

static enum status open_token(const char *certificate, const char *key, const char *pin,
                              struct smime_signer **signer, struct error *err)
{
    const struct smime_signer_settings settings = {.name = certificate,
                                                   .certificate_uri = certificate,
                                                   .key_uri = key,
                                                   .pkcs11_module = MODULE,
                                                   .passphrase = pin};
    return smime_signer_open(&settings, signer, err);
}

static enum status sign(struct state *s, struct smime_signer *signer, struct error *err)
{
    const struct span piece = span_str(ENTITY);
    char micalg[SMIME_MICALG_SIZE];
    buf_reset(&s->out);
    return smime_sign(signer, (struct spans){.items = &piece, .n = 1}, &s->out, micalg, err);
}

static void sign_and_verify(struct state *s, const char *certificate, const char *key)
{
    struct smime_signer *signer = NULL;
    struct error err = {0};
    if (open_token(certificate, key, PIN, &signer, &err) != STATUS_OK) {
        fail_msg("%s: %s", certificate, err.text);
    }
    for (int i = 0; i < 2; i++) {
        if (sign(s, signer, &err) != STATUS_OK) {
            fail_msg("%s", err.text);
        }
        write_entity(s);
        if (run(s, "openssl cms -verify -binary -inform DER -in p7s -content entity -CAfile root.pem "
                   "-attime 1790000000 -out /dev/null") != 0) {
            fail_msg("openssl cms does not verify %s, see %s/log", certificate, s->folder);
        }
    }
    assert_int_equal(smime_signer_check(signer, FORGE_NOW, &err), STATUS_OK);
    smime_signer_close(signer);
    assert_int_equal(ERR_peek_error(), 0);
}

static void signs_with_rsa_and_ec(void **state)
{
    struct state *s = *state;
    sign_and_verify(s, "pkcs11:token=mail;object=rsa;type=cert", "pkcs11:token=mail;object=rsa;type=private");
    sign_and_verify(s, "pkcs11:token=mail;id=%02", "pkcs11:token=mail;id=%02");
    sign_and_verify(s, "pkcs11:token=mail;object=ec", NULL); /* one URI for both */
}

/* The certificate from a file, the key on the token. */
static void certificate_from_a_file(void **state)
{
    struct state *s = *state;
    struct smime_signer *signer = NULL;
    struct error err = {0};
    BIO *out = BIO_new(BIO_s_mem());
    char *data = NULL;
    forge_must(PEM_write_bio_X509(out, s->rsa.cert) == 1);
    long len = BIO_get_mem_data(out, &data);
    struct smime_signer_settings settings = {.name = "a",
                                             .certificate = span_of(data, (size_t)len),
                                             .key_uri = "pkcs11:token=mail;object=rsa",
                                             .pkcs11_module = MODULE,
                                             .passphrase = PIN};
    assert_int_equal(smime_signer_open(&settings, &signer, &err), STATUS_OK);
    assert_int_equal(sign(s, signer, &err), STATUS_OK);
    smime_signer_close(signer);
    settings.key_uri = "pkcs11:token=mail;object=ec";
    assert_int_equal(smime_signer_open(&settings, &signer, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "not that of the key"));
    BIO_free(out);
}

/* Several keys of one module, as with a signing section for each of two people. */
static void two_signers_share_a_token(void **state)
{
    struct state *s = *state;
    const char *rsa = "pkcs11:token=mail;object=rsa";
    const char *ec = "pkcs11:token=mail;object=ec";
    struct smime_signer *one = NULL;
    struct smime_signer *two = NULL;
    struct error err = {0};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(open_token(rsa, rsa, PIN, &one, &err), STATUS_OK);
        assert_int_equal(open_token(ec, ec, PIN, &two, &err), STATUS_OK);
        for (int j = 0; j < 2; j++) {
            if (sign(s, one, &err) != STATUS_OK || sign(s, two, &err) != STATUS_OK) {
                fail_msg("%s", err.text);
            }
        }
        smime_signer_close(one);
        /* which ended the sessions of the other too */
        assert_int_equal(sign(s, two, &err), STATUS_OK);
        smime_signer_close(two);
    }
}

static void refuses_what_is_not_there(void **state)
{
    (void)state;
    const struct {
        const char *uri;
        enum status status;
        const char *text;
    } rows[] = {
        {"pkcs11:token=mail;object=nobody", STATUS_INVALID, "not on the token"},
        {"pkcs11:token=other;object=rsa", STATUS_TEMPORARY, "not there"},
        {"pkcs11:object=rsa", STATUS_INVALID, "several tokens"},
        {"pkcs11:token=mail", STATUS_INVALID, "several keys"},
        {"pkcs11:token=mail;object=rsa?pin-value=" PIN, STATUS_INVALID, "PIN belongs"},
        {"pkcs11:token=mail;object=rsa?pin-source=file:/etc/pin", STATUS_INVALID, "PIN belongs"},
        {"file:rsa", STATUS_INVALID, "URI"},
        {"pkcs11:token=mail;colour=red", STATUS_INVALID, "not known"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct smime_signer *signer = NULL;
        struct error err = {0};
        enum status got = open_token(rows[i].uri, rows[i].uri, PIN, &signer, &err);
        if (got != rows[i].status || !strstr(err.text, rows[i].text)) {
            fail_msg("%s: %s %s", rows[i].uri, status_word(got), err.text);
        }
        assert_null(signer);
        assert_int_equal(ERR_peek_error(), 0);
    }
}

static void refuses_wrong_pins_and_modules(void **state)
{
    (void)state;
    struct smime_signer *signer = NULL;
    struct error err = {0};
    const char *uri = "pkcs11:token=mail;object=rsa";
    assert_int_equal(open_token(uri, uri, "000000", &signer, &err), STATUS_DENIED);
    assert_non_null(strstr(err.text, "PIN is wrong"));
    assert_int_equal(open_token(uri, uri, NULL, &signer, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "wants a PIN"));
    struct smime_signer_settings settings = {.name = uri, .certificate_uri = uri, .passphrase = PIN};
    assert_int_equal(smime_signer_open(&settings, &signer, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "no module"));
    settings.pkcs11_module = "/nonexistent/module.so";
    assert_int_equal(smime_signer_open(&settings, &signer, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "/nonexistent/module.so"));
    assert_null(signer);
    assert_int_equal(open_token(uri, uri, PIN, &signer, &err), STATUS_OK);
    smime_signer_close(signer);
}

#define MAKE_SHORT                                                                                           \
    "softhsm2-util --init-token --free --label short --pin " PIN " --so-pin " PIN                            \
    " && softhsm2-util --token short --pin " PIN " --import rsa.pem --label rsa --id 01"                     \
    " && pkcs11-tool --module " MODULE " --token-label short --login --pin " PIN                             \
    " --write-object rsa.der --type cert --label rsa --id 01"

/* Which step went otherwise than it should; 0: none. */
static int lose_and_find_token(struct state *s)
{
    const char *uri = "pkcs11:token=short;object=rsa";
    struct smime_signer *signer = NULL;
    struct error err = {0};
    if (open_token(uri, uri, PIN, &signer, &err) != STATUS_OK || sign(s, signer, &err) != STATUS_OK) {
        return 2;
    }
    if (run(s, "softhsm2-util --delete-token --token short") != 0) {
        return 3;
    }
    for (int i = 0; i < 2; i++) {
        if (sign(s, signer, &err) != STATUS_TEMPORARY || s->out.len != 0 || !strstr(err.text, uri)) {
            return 4;
        }
    }
    struct smime_signer *other = NULL;
    if (open_token(uri, uri, PIN, &other, &err) != STATUS_TEMPORARY || other) {
        return 5;
    }
    if (run(s, MAKE_SHORT) != 0) {
        return 6;
    }
    if (sign(s, signer, &err) != STATUS_OK) {
        return 7;
    }
    smime_signer_close(signer);
    return 0;
}

/* A33: never unsigned. In a process of its own, since the library remembers tokens it saw. */
static void removed_token_is_temporary(void **state)
{
    struct state *s = *state;
    int result = 0;
    assert_int_equal(run(s, MAKE_SHORT), 0);
    pid_t child = fork();
    if (child == 0) {
        _exit(lose_and_find_token(s));
    }
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFEXITED(result));
    assert_int_equal(WEXITSTATUS(result), 0);
}

/* ---- setup ---- */

static int make_token(void **state)
{
    struct state *s = calloc(1, sizeof *s);
    const struct forge_order root = {
        .key = "rsa2048",
        .subject = "Root",
        .extensions = {{NID_basic_constraints, "critical,CA:TRUE"}, {NID_key_usage, "critical,keyCertSign"}}};
    const struct forge_order rsa = {.key = "rsa2048", .serial = 1, .extensions = {FORGE_SAN_ALICE}};
    const struct forge_order ec = {.key = "P-256", .serial = 2, .extensions = {FORGE_SAN_ALICE}};
    char path[128];
    forge_must(s != NULL);
    s->root = forge(&root, NULL);
    s->rsa = forge(&rsa, &s->root);
    s->ec = forge(&ec, &s->root);
    buf_init(&s->out, OUT_MAX);
    const char *tmp = getenv("TMPDIR");
    snprintf(s->folder, sizeof s->folder, "%.40s/token.XXXXXX", tmp ? tmp : "/tmp");
    forge_must(mkdtemp(s->folder) != NULL);
    snprintf(path, sizeof path, "%s/softhsm2.conf", s->folder);
    FILE *out = fopen(path, "w");
    forge_must(out && fprintf(out, "directories.tokendir = %s/tokens\n", s->folder) > 0 && fclose(out) == 0);
    forge_must(setenv("SOFTHSM2_CONF", path, 1) == 0);
    write_pem(s, "rsa.pem", &s->rsa, true);
    write_pem(s, "ec.pem", &s->ec, true);
    write_pem(s, "rsa.der", &s->rsa, false);
    write_pem(s, "ec.der", &s->ec, false);
    snprintf(path, sizeof path, "%s/root.pem", s->folder);
    out = fopen(path, "w");
    forge_must(out && PEM_write_X509(out, s->root.cert) == 1 && fclose(out) == 0);
    forge_must(run(s, "mkdir tokens && "
                      "softhsm2-util --init-token --free --label mail --pin " PIN " --so-pin " PIN " && "
                      "softhsm2-util --init-token --free --label second --pin " PIN " --so-pin " PIN " && "
                      "for k in 'rsa 01' 'ec 02'; do set -- $k; "
                      "softhsm2-util --token mail --pin " PIN " --import $1.pem --label $1 --id $2 && "
                      "pkcs11-tool --module " MODULE " --token-label mail --login --pin " PIN
                      " --write-object $1.der --type cert --label $1 --id $2 || exit 1; done") == 0);
    *state = s;
    return 0;
}

static int free_token(void **state)
{
    struct state *s = *state;
    char line[128];
    snprintf(line, sizeof line, "rm -rf %s", s->folder);
    forge_must(system(line) == 0);
    forged_free(&s->root);
    forged_free(&s->rsa);
    forged_free(&s->ec);
    buf_free(&s->out);
    free(s);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(removed_token_is_temporary), /* first: before this process has loaded the module */
        cmocka_unit_test(signs_with_rsa_and_ec),          cmocka_unit_test(certificate_from_a_file),
        cmocka_unit_test(two_signers_share_a_token),      cmocka_unit_test(refuses_what_is_not_there),
        cmocka_unit_test(refuses_wrong_pins_and_modules),
    };
    return cmocka_run_group_tests(tests, make_token, free_token);
}
