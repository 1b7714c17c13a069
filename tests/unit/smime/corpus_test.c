/* Certificates of other projects: RFC 9216's samples and MimeKit's and OpenSSL's test suites. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <openssl/cms.h>
#include <openssl/pem.h>

#include "smime/smime.h"
#include "tests/unit/smime/seal.h"

#define NOW 1790000000 /* 2026-09-21 */
#define FILE_MAX_BYTES (1u << 20)
#define LAMPS "certificates/rfc9216/"
#define MIMEKIT "certificates/jstedfast+MimeKit/UnitTests/TestData/smime/"

struct row {
    const char *file;
    bool with_key; /* the file holds a private key too: must be refused, then the certificate alone is judged
                    */
    enum smime_fitness fitness;
    const char *reason;
    const char *algorithm;
    const char *address; /* the first; NULL: none */
};

static const struct row rows[] = {
    {LAMPS "01.pem", false, SMIME_WRONG_USAGE, "authority", "rsa2048", NULL},
    {LAMPS "03.pem", false, SMIME_WRONG_USAGE, "authority", "rsa2048", NULL},
    {LAMPS "04.pem", false, SMIME_WRONG_USAGE, "keyEncipherment", "rsa2048", "alice@smime.example"},
    {LAMPS "06.pem", false, SMIME_USABLE, "", "rsa2048", "alice@smime.example"},
    {LAMPS "09.pem", false, SMIME_WRONG_USAGE, "keyEncipherment", "rsa2048", "bob@smime.example"},
    {LAMPS "11.pem", false, SMIME_USABLE, "", "rsa2048", "bob@smime.example"},
    {LAMPS "14.pem", false, SMIME_WRONG_USAGE, "authority", "ed25519", NULL},
    {LAMPS "16.pem", false, SMIME_WRONG_USAGE, "authority", "ed25519", NULL},
    {LAMPS "17.pem", false, SMIME_UNSUPPORTED, "cannot be used for encryption", "ed25519",
     "carlos@smime.example"},
    {LAMPS "19.pem", false, SMIME_UNSUPPORTED, "RFC 8418", "x25519", "carlos@smime.example"},
    {LAMPS "22.pem", false, SMIME_UNSUPPORTED, "cannot be used for encryption", "ed25519",
     "dana@smime.example"},
    {LAMPS "24.pem", false, SMIME_UNSUPPORTED, "RFC 8418", "x25519", "dana@smime.example"},
    {MIMEKIT "StartComCertificationAuthority.crt", false, SMIME_WRONG_USAGE, "authority", "rsa4096", NULL},
    {MIMEKIT "StartComClass1PrimaryIntermediateClientCA.crt", false, SMIME_WRONG_USAGE, "authority",
     "rsa2048", NULL},
    {MIMEKIT "smdh.pem", true, SMIME_UNSUPPORTED, "cannot be used for encryption", NULL, NULL},
    {MIMEKIT "smdsa1.pem", true, SMIME_UNSUPPORTED, "cannot be used for encryption", "dsa", NULL},
    {MIMEKIT "smec1.pem", true, SMIME_WRONG_USAGE, "keyAgreement", "nistp256", NULL},
    {MIMEKIT "smec2.pem", true, SMIME_WRONG_USAGE, "keyAgreement", "sect283k1", NULL},
    {MIMEKIT "smec3.pem", true, SMIME_WRONG_USAGE, "keyAgreement", "nistp256", NULL},
    {MIMEKIT "smroot.pem", true, SMIME_WRONG_USAGE, "authority", "rsa2048", NULL},
    {MIMEKIT "smrsa1.pem", true, SMIME_UNSUPPORTED, "sha1WithRSAEncryption", "rsa2048", NULL},
};

/* What is in these files is no certificate. */
static const char *const refused[] = {
    LAMPS "02.pem",
    LAMPS "07.pem",
    LAMPS "08.pem",
    LAMPS "15.pem",
    LAMPS "18.pem",
    MIMEKIT "smdsap.pem",
    MIMEKIT "intermediate1.pfx",
    MIMEKIT "rsa/smime.pfx",
    MIMEKIT "rsa/smime.key",
    MIMEKIT "ec/smime.key",
};

struct state {
    const char *corpus;
    struct buf file;
};

static void read_file(struct state *s, const char *name)
{
    char path[400];
    buf_reset(&s->file);
    snprintf(path, sizeof path, "%s/%s", s->corpus, name);
    FILE *in = fopen(path, "r");
    if (!in) {
        print_message("SKIPPED: no %s (set SEALGATE_CORPUS)\n", path);
        skip();
    }
    uint8_t *to = buf_reserve(&s->file, FILE_MAX_BYTES);
    assert_non_null(to);
    buf_commit(&s->file, fread(to, 1, FILE_MAX_BYTES, in));
    fclose(in);
}

static void split_one(struct state *s, const struct row *row, struct smime_certificates *list)
{
    struct error err = {0};
    read_file(s, row->file);
    struct span file = buf_span(&s->file);
    if (row->with_key) {
        assert_int_equal(smime_certificates_split(file, 10, list, &err), STATUS_INVALID);
        assert_non_null(strstr(err.text, "private key"));
        const char *cert = memmem(file.p, file.len, "-----BEGIN CERTIFICATE", 22);
        assert_non_null(cert);
        file = span_of(cert, file.len - (size_t)(cert - file.p));
    }
    if (smime_certificates_split(file, 10, list, &err) != STATUS_OK || list->n != 1) {
        fail_msg("%s: %s", row->file, err.text);
    }
}

static void judges_them(void **state)
{
    struct state *s = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *row = &rows[i];
        struct smime_certificates list;
        struct smime_certificate_info info;
        split_one(s, row, &list);
        assert_int_equal(smime_certificate_inspect(buf_span(&list.items[0]), NULL, NULL, NOW, &info, NULL),
                         STATUS_OK);
        const char *address = info.n_addresses ? info.addresses[0] : "";
        if (info.fitness != row->fitness || !strstr(info.reason, row->reason) ||
            (row->algorithm && strcmp(info.algorithm, row->algorithm) != 0) ||
            strcmp(address, row->address ? row->address : "") != 0) {
            fail_msg("%s: %d \"%s\" %s <%s>", row->file, (int)info.fitness, info.reason, info.algorithm,
                     address);
        }
        smime_certificate_info_free(&info);
        smime_certificates_free(&list);
    }
}

static void refuses_what_is_no_certificate(void **state)
{
    struct state *s = *state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct smime_certificates list;
        read_file(s, refused[i]);
        assert_int_equal(smime_certificates_split(buf_span(&s->file), 10, &list, NULL), STATUS_INVALID);
        assert_int_equal(list.n, 0);
    }
}

static void trusts_by_their_root(void **state)
{
    static const enum smime_fitness wanted[] = {SMIME_USABLE, SMIME_UNTRUSTED};
    static const char *const roots[] = {LAMPS "01.pem", LAMPS "14.pem"};
    const struct row alice = {.file = LAMPS "06.pem"};
    struct state *s = *state;
    struct smime_certificates list;
    split_one(s, &alice, &list);
    for (size_t i = 0; i < 2; i++) {
        char path[400];
        snprintf(path, sizeof path, "%s/%s", s->corpus, roots[i]);
        const struct smime_trust_settings settings = {.roots_path = path};
        struct smime_trust *trust = NULL;
        struct smime_certificate_info info;
        assert_int_equal(smime_trust_open(&settings, &trust, NULL), STATUS_OK);
        assert_int_equal(smime_certificate_inspect(buf_span(&list.items[0]), trust, NULL, NOW, &info, NULL),
                         STATUS_OK);
        assert_int_equal(info.fitness, wanted[i]);
        smime_certificate_info_free(&info);
        smime_trust_close(trust);
    }
    smime_certificates_free(&list);
}

/* Alice's sample certificate seals, Alice's sample key opens. */
static void seals_to_alice(void **state)
{
    static const char text[] = "Content-Type: text/plain\r\n\r\nHello\r\n";
    const struct row alice = {.file = LAMPS "06.pem"};
    struct state *s = *state;
    struct smime_certificates list;
    struct buf sealed;
    split_one(s, &alice, &list);
    buf_init(&sealed, FILE_MAX_BYTES);
    struct span der = buf_span(&list.items[0]);
    assert_int_equal(seal_encrypt(&der, 1, span_str(text), &sealed, NULL), STATUS_OK);
    assert_int_equal(seal_check(buf_span(&sealed), &der, 1, strlen(text), NULL), STATUS_OK);

    read_file(s, LAMPS "07.pem");
    BIO *pem = BIO_new_mem_buf(s->file.data, (int)s->file.len);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(pem, NULL, NULL, NULL);
    const unsigned char *p = sealed.data;
    CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &p, (long)sealed.len);
    BIO *clear = BIO_new(BIO_s_mem());
    assert_int_equal(CMS_decrypt(cms, key, NULL, NULL, clear, 0), 1);
    char *got = NULL;
    assert_int_equal(BIO_get_mem_data(clear, &got), strlen(text));
    assert_memory_equal(got, text, strlen(text));
    BIO_free(clear);
    BIO_free(pem);
    CMS_ContentInfo_free(cms);
    EVP_PKEY_free(key);
    buf_free(&sealed);
    smime_certificates_free(&list);
}

static int find_corpus(void **state)
{
    struct state *s = calloc(1, sizeof *s);
    const char *corpus = getenv("SEALGATE_CORPUS");
    if (!s) {
        return 1;
    }
    s->corpus = corpus ? corpus : "../shared/corpus";
    buf_init(&s->file, FILE_MAX_BYTES);
    *state = s;
    return 0;
}

static int leave_corpus(void **state)
{
    struct state *s = *state;
    buf_free(&s->file);
    free(s);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judges_them),
        cmocka_unit_test(refuses_what_is_no_certificate),
        cmocka_unit_test(trusts_by_their_root),
        cmocka_unit_test(seals_to_alice),
    };
    return cmocka_run_group_tests(tests, find_corpus, leave_corpus);
}
