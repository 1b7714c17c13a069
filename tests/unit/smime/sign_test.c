/* Signatures from key files. Others read them: openssl cms and gpgsm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>

#include "smime/capabilities.h"
#include "smime/sign.h"
#include "smime/signed.h"
#include "tests/unit/smime/forge.h"

#define OUT_MAX (1u << 20)
#define FILE_SIZE 65536
#define SECRET "correct horse"
#define ENTITY "Content-Type: text/plain\r\n\r\nHello\r\n"
#define CA                                                                                                   \
    {NID_basic_constraints, "critical,CA:TRUE"},                                                             \
    {                                                                                                        \
        NID_key_usage, "critical,keyCertSign"                                                                \
    }

struct state {
    struct forged root;
    struct forged intermediate; /* by root */
    struct forged leaf;         /* RSA, by intermediate */
    struct forged other;        /* RSA, by root */
    struct buf out;
    char folder[64];
};

/* ---- files ---- */

enum container { PEM_ONE, PEM_ENCRYPTED, PKCS12_FILE };

/* LEAF with its key, and the two above it, as an administrator's file. */
static struct span make_file(const struct state *s, const struct forged *leaf, enum container container,
                             struct buf *to)
{
    BIO *out = BIO_new(BIO_s_mem());
    char *data = NULL;
    forge_must(out != NULL);
    if (container == PKCS12_FILE) {
        STACK_OF(X509) *chain = sk_X509_new_null();
        forge_must(sk_X509_push(chain, s->root.cert) > 0 && sk_X509_push(chain, s->intermediate.cert) > 0);
        PKCS12 *p12 = PKCS12_create(SECRET, "alice", leaf->key, leaf->cert, chain, 0, 0, 0, 0, 0);
        forge_must(p12 && i2d_PKCS12_bio(out, p12) == 1);
        PKCS12_free(p12);
        sk_X509_free(chain);
    } else {
        bool encrypted = container == PEM_ENCRYPTED;
        forge_must(PEM_write_bio_X509(out, s->root.cert) == 1);
        forge_must(PEM_write_bio_PKCS8PrivateKey(out, leaf->key, encrypted ? EVP_aes_256_cbc() : NULL, NULL,
                                                 0, NULL, encrypted ? (void *)SECRET : NULL) == 1);
        forge_must(PEM_write_bio_X509(out, leaf->cert) == 1);
        forge_must(PEM_write_bio_X509(out, s->intermediate.cert) == 1);
    }
    long len = BIO_get_mem_data(out, &data);
    buf_init(to, FILE_SIZE);
    buf_append(to, data, (size_t)len);
    BIO_free(out);
    return buf_span(to);
}

static enum status open_leaf(const struct state *s, const struct forged *leaf, enum container container,
                             const char *passphrase, struct smime_signer **signer, struct error *err)
{
    struct buf file;
    struct smime_signer_settings settings = {.name = "alice.pem", .passphrase = passphrase};
    settings.certificate = make_file(s, leaf, container, &file);
    enum status status = smime_signer_open(&settings, signer, err);
    buf_free(&file);
    return status;
}

static void write_file(const struct state *s, const char *name, struct span bytes)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", s->folder, name);
    FILE *out = fopen(path, "w");
    forge_must(out && fwrite(bytes.p, 1, bytes.len, out) == bytes.len && fclose(out) == 0);
}

static int run(const struct state *s, const char *command)
{
    char line[1024];
    snprintf(line, sizeof line, "cd %s && { %s; } >log 2>&1", s->folder, command);
    return system(line);
}

/* ---- reading back ---- */

static CMS_ContentInfo *parse(struct span der)
{
    const unsigned char *p = (const unsigned char *)der.p;
    CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &p, (long)der.len);
    assert_non_null(cms);
    assert_ptr_equal(p, der.p + der.len);
    return cms;
}

static void sign_with(struct state *s, struct smime_signer *signer, char micalg[SMIME_MICALG_SIZE])
{
    const char *entity = ENTITY; /* in pieces, one of them empty */
    const struct span pieces[] = {span_of(entity, 7), span_of(entity, 0),
                                  span_of(entity + 7, strlen(entity) - 7)};
    struct error err = {0};
    buf_reset(&s->out);
    if (smime_sign(signer, (struct spans){.items = pieces, .n = 3}, &s->out, micalg, &err) != STATUS_OK) {
        fail_msg("%s", err.text);
    }
}

struct row {
    const char *key;
    enum container container;
    const char *passphrase;
    const char *micalg;
};

static const struct row rows[] = {
    {"rsa2048", PKCS12_FILE, SECRET, "sha-256"},   {"rsa3072", PEM_ONE, NULL, "sha-256"},
    {"rsa2048", PEM_ENCRYPTED, SECRET, "sha-256"}, {"P-256", PEM_ONE, NULL, "sha-256"},
    {"P-384", PKCS12_FILE, SECRET, "sha-384"},     {"P-521", PEM_ENCRYPTED, SECRET, "sha-512"},
    {"brainpoolP256r1", PEM_ONE, NULL, "sha-256"},
};

/* Every kind of key and file; the programs of others verify, and see a changed byte. */
static void signs_what_others_verify(void **state)
{
    struct state *s = *state;
    const struct forge_order order = {.subject = "Alice", .extensions = {FORGE_SAN_ALICE}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct forge_order one = order;
        struct smime_signer *signer = NULL;
        struct error err = {0};
        char micalg[SMIME_MICALG_SIZE];
        one.key = rows[i].key;
        struct forged leaf = forge(&one, &s->intermediate);
        if (open_leaf(s, &leaf, rows[i].container, rows[i].passphrase, &signer, &err) != STATUS_OK) {
            fail_msg("%s: %s", rows[i].key, err.text);
        }
        sign_with(s, signer, micalg);
        assert_string_equal(micalg, rows[i].micalg);
        write_file(s, "entity", span_str(ENTITY));
        write_file(s, "p7s", buf_span(&s->out));
        const char *verify =
            "openssl cms -verify -binary -inform DER -in p7s -content entity -CAfile root.pem "
            "-attime 1790000000 -out /dev/null";
        if (run(s, verify) != 0) {
            fail_msg("openssl cms does not verify %s, see %s/log", rows[i].key, s->folder);
        }
        write_file(s, "entity", span_str("x" ENTITY));
        assert_int_not_equal(run(s, verify), 0);
        smime_signer_close(signer);
        forged_free(&leaf);
    }
    assert_int_equal(ERR_peek_error(), 0);
}

/* gpgsm shares no code with OpenSSL. It judges by the time of the day, so its certificates are of today. */
static void gpgsm_verifies(void **state)
{
    struct state *s = *state;
    const char *const kinds[] = {"rsa2048", "P-256", "P-384"};
    int today = (int)((time(NULL) - FORGE_NOW) / FORGE_DAY);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct smime_signer *signer = NULL;
        struct error err = {0};
        char micalg[SMIME_MICALG_SIZE];
        const struct forge_order root_order = {.key = "rsa2048",
                                               .subject = "Root",
                                               .days_from = today - 9,
                                               .days_to = today + 9,
                                               .extensions = {CA}};
        struct forged root = forge(&root_order, NULL);
        const struct forge_order order = {.key = kinds[i],
                                          .serial = 5 + (long)i,
                                          .days_from = today - 9,
                                          .days_to = today + 9,
                                          .extensions = {FORGE_SAN_ALICE}};
        struct forged leaf = forge(&order, &root);
        assert_int_equal(open_leaf(s, &leaf, PEM_ONE, NULL, &signer, &err), STATUS_OK);
        sign_with(s, signer, micalg);
        write_file(s, "p7s", buf_span(&s->out));
        write_file(s, "entity", span_str(ENTITY));
        write_file(s, "root.der", root.der);
        int good = run(s, "rm -rf home && mkdir -m 700 home && export GNUPGHOME=$PWD/home && "
                          "openssl x509 -inform DER -in root.der -noout -fingerprint -sha1 | "
                          "sed 's/.*=//;s/$/ S relax/' >home/trustlist.txt && "
                          "gpgsm --batch --disable-dirmngr --import root.der && "
                          "gpgsm --batch --disable-crl-checks --status-fd 1 --verify p7s entity >status; "
                          "r=$?; gpgconf --kill all; [ $r = 0 ] && grep -q VALIDSIG status && "
                          "grep -q TRUST_FULLY status");
        if (good != 0) {
            fail_msg("gpgsm does not verify %s, see %s/log", kinds[i], s->folder);
        }
        smime_signer_close(signer);
        forged_free(&leaf);
        forged_free(&root);
    }
}

static void attributes_and_chain(void **state)
{
    struct state *s = *state;
    struct smime_signer *signer = NULL;
    struct error err = {0};
    char micalg[SMIME_MICALG_SIZE];
    assert_int_equal(open_leaf(s, &s->leaf, PEM_ONE, NULL, &signer, &err), STATUS_OK);
    sign_with(s, signer, micalg);
    CMS_ContentInfo *cms = parse(buf_span(&s->out));
    STACK_OF(X509) *certs = CMS_get1_certs(cms);
    assert_int_equal(CMS_is_detached(cms), 1);
    assert_int_equal(sk_X509_num(certs), 2); /* its own and the intermediate's, no root */
    bool root = false;
    for (int i = 0; i < sk_X509_num(certs); i++) {
        root = root || X509_cmp(sk_X509_value(certs, i), s->root.cert) == 0;
    }
    assert_false(root);
    assert_int_equal(sk_CMS_SignerInfo_num(CMS_get0_SignerInfos(cms)), 1);
    const CMS_SignerInfo *info = sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(cms), 0);
    const int wanted[] = {NID_pkcs9_contentType, NID_pkcs9_messageDigest, NID_pkcs9_signingTime,
                          NID_SMIMECapabilities};
    assert_int_equal(CMS_signed_get_attr_count(info), 4);
    for (size_t i = 0; i < 4; i++) {
        assert_true(CMS_signed_get_attr_by_NID(info, wanted[i], -1) >= 0);
    }
    /* what the people's programs cannot read is not announced */
    assert_int_equal(smime_capabilities_of_signer(info), 0);
    assert_int_equal(CMS_unsigned_get_attr_count(info), -1);
    sk_X509_pop_free(certs, X509_free);
    CMS_ContentInfo_free(cms);
    smime_signer_close(signer);
}

static void announces_gcm_when_told(void **state)
{
    struct state *s = *state;
    struct smime_signer *signer = NULL;
    struct error err = {0};
    struct buf file;
    char micalg[SMIME_MICALG_SIZE];
    struct smime_signer_settings settings = {.name = "a", .capabilities = SMIME_CAPABILITY_AES256_GCM};
    settings.certificate = make_file(s, &s->leaf, PEM_ONE, &file);
    assert_int_equal(smime_signer_open(&settings, &signer, &err), STATUS_OK);
    sign_with(s, signer, micalg);
    CMS_ContentInfo *cms = parse(buf_span(&s->out));
    const CMS_SignerInfo *info = sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(cms), 0);
    assert_int_equal(smime_capabilities_of_signer(info), SMIME_CAPABILITY_AES256_GCM);
    CMS_ContentInfo_free(cms);
    smime_signer_close(signer);
    buf_free(&file);
}

static void key_and_certificate_in_two_files(void **state)
{
    struct state *s = *state;
    struct buf certificate;
    struct buf key;
    struct smime_signer *signer = NULL;
    struct error err = {0};
    struct smime_signer_settings settings = {.name = "a", .passphrase = SECRET};
    settings.certificate = make_file(s, &s->leaf, PEM_ONE, &certificate);
    settings.key = make_file(s, &s->leaf, PEM_ENCRYPTED, &key);
    assert_int_equal(smime_signer_open(&settings, &signer, &err), STATUS_OK);
    assert_int_equal(strlen(smime_signer_fingerprint(signer)), 64);
    smime_signer_close(signer);
    /* the key of somebody else */
    buf_free(&key);
    BIO *out = BIO_new(BIO_s_mem());
    char *data = NULL;
    forge_must(PEM_write_bio_PrivateKey(out, s->other.key, NULL, NULL, 0, NULL, NULL) == 1);
    long len = BIO_get_mem_data(out, &data);
    settings.key = span_of(data, (size_t)len);
    assert_int_equal(smime_signer_open(&settings, &signer, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "not that of the key"));
    assert_null(signer);
    BIO_free(out);
    buf_free(&certificate);
}

static void refuse(const struct state *s, struct span file, const char *passphrase, const char *text)
{
    struct smime_signer *signer = NULL;
    struct error err = {0};
    const struct smime_signer_settings settings = {
        .name = "alice.pem", .certificate = file, .passphrase = passphrase};
    (void)s;
    assert_int_equal(smime_signer_open(&settings, &signer, &err), STATUS_INVALID);
    assert_null(signer);
    if (!strstr(err.text, text) || !strstr(err.text, "alice.pem")) {
        fail_msg("wanted \"%s\": %s", text, err.text);
    }
    assert_int_equal(ERR_peek_error(), 0);
}

static void refuses_bad_files(void **state)
{
    const struct state *s = *state;
    struct buf file;
    refuse(s, span_of("", 0), NULL, "no key");
    refuse(s, span_str("hello"), NULL, "no private key");
    refuse(s, span_of("\x30\x03\x02\x01\x03", 5), NULL, "PKCS#12");
    refuse(s, make_file(s, &s->leaf, PEM_ENCRYPTED, &file), NULL, "needs a passphrase");
    refuse(s, buf_span(&file), "wrong", "passphrase");
    buf_free(&file);
    refuse(s, make_file(s, &s->leaf, PKCS12_FILE, &file), "wrong", "passphrase is wrong");
    refuse(s, buf_span(&file), NULL, "needs a passphrase");
    refuse(s, span_of(file.data, file.len / 2), SECRET, "PKCS#12");
    buf_free(&file);
    const struct {
        const char *key;
        const char *text;
    } keys[] = {{"rsa1024", "shorter than 2048"}, {"ED25519", "only RSA"}, {"secp256k1", "curve"}};
    for (size_t i = 0; i < 3; i++) {
        const struct forge_order order = {.key = keys[i].key, .extensions = {FORGE_SAN_ALICE}};
        struct forged leaf = forge(&order, &s->intermediate);
        refuse(s, make_file(s, &leaf, PEM_ONE, &file), NULL, keys[i].text);
        buf_free(&file);
        forged_free(&leaf);
    }
}

static void judges_who_may_sign(void **state)
{
    struct state *s = *state;
    const struct {
        struct forge_order order;
        const char *problem; /* NULL: may sign */
    } all[] = {
        {{.extensions = {FORGE_SAN_ALICE}}, NULL},
        {{.extensions = {{NID_key_usage, "digitalSignature"}}}, NULL},
        {{.extensions = {{NID_key_usage, "nonRepudiation"}}}, NULL},
        {{.extensions = {{NID_key_usage, "keyEncipherment,keyAgreement"}}}, "digitalSignature"},
        {{.extensions = {{NID_ext_key_usage, "serverAuth"}}}, "emailProtection"},
        {{.extensions = {{NID_ext_key_usage, "emailProtection"}}}, NULL},
        {{.extensions = {{NID_basic_constraints, "CA:TRUE"}}}, "authority"},
        {{.days_from = -20, .days_to = -1}, "expired on 2026-09-20"},
        {{.days_from = 1, .days_to = 5}, "not valid before 2026-09-22"},
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        struct forge_order order = all[i].order;
        struct smime_signer *signer = NULL;
        struct error err = {0};
        order.key = "P-256";
        struct forged leaf = forge(&order, &s->intermediate);
        assert_int_equal(open_leaf(s, &leaf, PEM_ONE, NULL, &signer, &err), STATUS_OK);
        enum status got = smime_signer_check(signer, FORGE_NOW, &err);
        if (all[i].problem ? got != STATUS_DENIED || !strstr(err.text, all[i].problem) : got != STATUS_OK) {
            fail_msg("%zu: wanted %s, got %s", i, all[i].problem, err.text);
        }
        smime_signer_close(signer);
        forged_free(&leaf);
    }
}

/* Memory does not grow with the entity: it only passes by, in making the signature and in proving it. */
static void signs_256_mb_in_little_memory(void **state)
{
    struct state *s = *state;
    enum { PIECE = 1 << 20, PIECES = 256, GROWTH_KB = 16 << 10 };
    struct span pieces[PIECES];
    struct smime_signer *signer = NULL;
    struct rusage before;
    struct rusage after;
    struct error err = {0};
    char micalg[SMIME_MICALG_SIZE];
    char *piece = calloc(1, PIECE);
    forge_must(piece != NULL);
    memset(piece, 'x', PIECE);
    for (size_t i = 0; i < PIECES; i++) {
        pieces[i] = span_of(piece, PIECE);
    }
    assert_int_equal(open_leaf(s, &s->leaf, PEM_ONE, NULL, &signer, &err), STATUS_OK);
    buf_reset(&s->out);
    getrusage(RUSAGE_SELF, &before);
    assert_int_equal(smime_sign(signer, (struct spans){.items = pieces, .n = PIECES}, &s->out, micalg, &err),
                     STATUS_OK);
    getrusage(RUSAGE_SELF, &after);
    assert_true(after.ru_maxrss - before.ru_maxrss < GROWTH_KB);
    smime_signer_close(signer);
    free(piece);
}

/* A signature that does not fit is an error and leaves nothing behind. */
static void failure_leaves_nothing(void **state)
{
    struct state *s = *state;
    struct smime_signer *signer = NULL;
    struct error err = {0};
    struct span piece = span_str(ENTITY);
    char micalg[SMIME_MICALG_SIZE];
    struct buf small;
    buf_init(&small, 100);
    assert_int_equal(open_leaf(s, &s->leaf, PEM_ONE, NULL, &signer, &err), STATUS_OK);
    assert_int_equal(smime_sign(signer, (struct spans){&piece, 1}, &small, micalg, &err), STATUS_LIMIT);
    assert_int_equal(small.len, 0);
    assert_string_equal(micalg, "");
    buf_free(&small);
    smime_signer_close(signer);
    smime_signer_close(NULL);
}

/* ---- setup ---- */

static int make_people(void **state)
{
    struct state *s = calloc(1, sizeof *s);
    const struct forge_order ca = {.key = "P-256", .subject = "Root", .extensions = {CA}};
    const struct forge_order sub = {.key = "P-256", .subject = "Intermediate", .extensions = {CA}};
    const struct forge_order leaf = {.key = "rsa2048", .subject = "Alice", .extensions = {FORGE_SAN_ALICE}};
    forge_must(s != NULL);
    s->root = forge(&ca, NULL);
    s->intermediate = forge(&sub, &s->root);
    s->leaf = forge(&leaf, &s->intermediate);
    s->other = forge(&leaf, &s->root);
    buf_init(&s->out, OUT_MAX);
    snprintf(s->folder, sizeof s->folder, "/tmp/sign.XXXXXX"); /* short: gpg-agent's socket lies in it */
    forge_must(mkdtemp(s->folder) != NULL);
    char path[128];
    snprintf(path, sizeof path, "%s/root.pem", s->folder);
    FILE *out = fopen(path, "w");
    forge_must(out && PEM_write_X509(out, s->root.cert) == 1 && fclose(out) == 0);
    *state = s;
    return 0;
}

static int free_people(void **state)
{
    struct state *s = *state;
    char line[128];
    snprintf(line, sizeof line, "rm -rf %s", s->folder);
    forge_must(system(line) == 0);
    forged_free(&s->root);
    forged_free(&s->intermediate);
    forged_free(&s->leaf);
    forged_free(&s->other);
    buf_free(&s->out);
    free(s);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signs_what_others_verify),
        cmocka_unit_test(gpgsm_verifies),
        cmocka_unit_test(attributes_and_chain),
        cmocka_unit_test(announces_gcm_when_told),
        cmocka_unit_test(key_and_certificate_in_two_files),
        cmocka_unit_test(refuses_bad_files),
        cmocka_unit_test(judges_who_may_sign),
        cmocka_unit_test(signs_256_mb_in_little_memory),
        cmocka_unit_test(failure_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, make_people, free_people);
}
