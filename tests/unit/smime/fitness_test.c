#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <openssl/err.h>

#include "smime/smime.h"
#include "tests/unit/smime/forge.h"

#define KU(value)                                                                                            \
    {                                                                                                        \
        NID_key_usage, value                                                                                 \
    }
#define EKU(value)                                                                                           \
    {                                                                                                        \
        NID_ext_key_usage, value                                                                             \
    }

/* SEQUENCE { [1] "bob@example.org" NUL ".example.com" } */
#define SAN_WITH_NUL "DER:301e811c626f62406578616d706c652e6f7267002e6578616d706c652e636f6d"

/* SEQUENCE { otherName SmtpUTF8Mailbox "jörg@example.org" } */
#define SAN_SMTPUTF8 "DER:3021a01f06082b06010505070809a0130c116ac3b67267406578616d706c652e6f7267"

struct state {
    struct forged ca_rsa;
    struct forged ca; /* Ed25519 */
};

struct row {
    const char *what;
    struct forge_order order;
    bool by_rsa;      /* signed by the RSA authority, for weak digests */
    bool self_signed; /* else by the Ed25519 authority */
    enum smime_fitness fitness;
    const char *reason;    /* part of it */
    const char *algorithm; /* NULL: not looked at */
    const char *addresses; /* joined by commas; NULL: not looked at */
};

static const struct row rows[] = {
    {"RSA-2048",
     {.key = "rsa2048", .extensions = {FORGE_SAN_ALICE}},
     false,
     false,
     SMIME_USABLE,
     "",
     "rsa2048",
     "alice@example.org"},
    {"P-256",
     {.key = "P-256", .extensions = {FORGE_SAN_ALICE}},
     false,
     false,
     SMIME_USABLE,
     "",
     "nistp256",
     "alice@example.org"},
    {"P-384",
     {.key = "P-384", .extensions = {FORGE_SAN_ALICE}},
     false,
     false,
     SMIME_USABLE,
     "",
     "nistp384",
     NULL},
    {"P-521",
     {.key = "P-521", .extensions = {FORGE_SAN_ALICE}},
     false,
     false,
     SMIME_USABLE,
     "",
     "nistp521",
     NULL},
    {"brainpool",
     {.key = "brainpoolP256r1", .extensions = {FORGE_SAN_ALICE}},
     false,
     false,
     SMIME_USABLE,
     "",
     "brainpoolP256r1",
     NULL},
    {"self-signed",
     {.key = "P-256", .extensions = {FORGE_SAN_ALICE}},
     false,
     true,
     SMIME_USABLE,
     "",
     NULL,
     NULL},
    {"EC with keyAgreement alone",
     {.key = "P-256", .extensions = {FORGE_SAN_ALICE, KU("critical,keyAgreement")}},
     false,
     false,
     SMIME_USABLE,
     "",
     NULL,
     NULL},
    {"EC without keyAgreement",
     {.key = "P-256", .extensions = {FORGE_SAN_ALICE, KU("digitalSignature,keyEncipherment")}},
     false,
     false,
     SMIME_WRONG_USAGE,
     "keyAgreement",
     NULL,
     NULL},
    {"RSA with keyEncipherment",
     {.key = "rsa2048", .extensions = {FORGE_SAN_ALICE, KU("critical,keyEncipherment")}},
     false,
     false,
     SMIME_USABLE,
     "",
     NULL,
     NULL},
    {"RSA for signatures alone",
     {.key = "rsa2048", .extensions = {FORGE_SAN_ALICE, KU("critical,digitalSignature,nonRepudiation")}},
     false,
     false,
     SMIME_WRONG_USAGE,
     "keyEncipherment",
     NULL,
     NULL},
    {"for web servers",
     {.key = "P-256", .extensions = {FORGE_SAN_ALICE, EKU("serverAuth,clientAuth")}},
     false,
     false,
     SMIME_WRONG_USAGE,
     "emailProtection",
     NULL,
     NULL},
    {"for mail",
     {.key = "P-256", .extensions = {FORGE_SAN_ALICE, EKU("clientAuth,emailProtection")}},
     false,
     false,
     SMIME_USABLE,
     "",
     NULL,
     NULL},
    {"for anything",
     {.key = "P-256", .extensions = {FORGE_SAN_ALICE, EKU("anyExtendedKeyUsage")}},
     false,
     false,
     SMIME_USABLE,
     "",
     NULL,
     NULL},
    {"an authority's",
     {.key = "P-256", .extensions = {FORGE_SAN_ALICE, {NID_basic_constraints, "critical,CA:TRUE"}}},
     false,
     false,
     SMIME_WRONG_USAGE,
     "authority",
     NULL,
     NULL},
    {"an expired authority's",
     {.key = "P-256", .days_from = -20, .days_to = -10, .extensions = {{NID_basic_constraints, "CA:TRUE"}}},
     false,
     false,
     SMIME_WRONG_USAGE,
     "authority",
     NULL,
     NULL},
    {"expired",
     {.key = "P-256", .days_from = -20, .days_to = -1, .extensions = {FORGE_SAN_ALICE}},
     false,
     false,
     SMIME_EXPIRED,
     "expired on 2026-09-20",
     NULL,
     "alice@example.org"},
    {"last second",
     {.key = "P-256", .days_from = -20, .days_to = 0, .extensions = {FORGE_SAN_ALICE}},
     false,
     false,
     SMIME_USABLE,
     "",
     NULL,
     NULL},
    {"not yet valid",
     {.key = "P-256", .days_from = 1, .days_to = 20, .extensions = {FORGE_SAN_ALICE}},
     false,
     false,
     SMIME_NOT_YET_VALID,
     "not valid before 2026-09-22",
     NULL,
     NULL},
    {"RSA-1024",
     {.key = "rsa1024", .extensions = {FORGE_SAN_ALICE}},
     false,
     false,
     SMIME_UNSUPPORTED,
     "shorter than 2048",
     "rsa1024",
     NULL},
    {"SHA-1",
     {.key = "P-256", .digest = "SHA1", .extensions = {FORGE_SAN_ALICE}},
     true,
     false,
     SMIME_UNSUPPORTED,
     "too weak (sha1WithRSAEncryption)",
     NULL,
     NULL},
    {"MD5",
     {.key = "P-256", .digest = "MD5", .extensions = {FORGE_SAN_ALICE}},
     true,
     false,
     SMIME_UNSUPPORTED,
     "too weak (md5WithRSAEncryption)",
     NULL,
     NULL},
    {"self-signed with SHA-1",
     {.key = "rsa2048", .digest = "SHA1", .extensions = {FORGE_SAN_ALICE}},
     false,
     true,
     SMIME_USABLE,
     "",
     NULL,
     NULL},
    {"X25519",
     {.key = "X25519", .extensions = {FORGE_SAN_ALICE}},
     false,
     false,
     SMIME_UNSUPPORTED,
     "RFC 8418",
     "x25519",
     NULL},
    {"X448",
     {.key = "X448", .extensions = {FORGE_SAN_ALICE}},
     false,
     false,
     SMIME_UNSUPPORTED,
     "RFC 8418",
     "x448",
     NULL},
    {"Ed25519",
     {.key = "ED25519", .extensions = {FORGE_SAN_ALICE}},
     false,
     false,
     SMIME_UNSUPPORTED,
     "cannot be used for encryption",
     "ed25519",
     NULL},
    {"unknown curve",
     {.key = "secp256k1", .extensions = {FORGE_SAN_ALICE}},
     false,
     false,
     SMIME_UNSUPPORTED,
     "curve is not supported",
     "secp256k1",
     NULL},
    {"unknown critical extension",
     {.key = "P-256", .extensions = {FORGE_SAN_ALICE, {NID_netscape_comment, "critical,hello"}}},
     false,
     false,
     SMIME_UNSUPPORTED,
     "critical extension",
     NULL,
     NULL},
    {"address in the subject",
     {.key = "P-256", .email = "carol@example.com"},
     false,
     false,
     SMIME_USABLE,
     "",
     NULL,
     "carol@example.com"},
    {"SAN before subject",
     {.key = "P-256", .email = "carol@example.com", .extensions = {FORGE_SAN_ALICE}},
     false,
     false,
     SMIME_USABLE,
     "",
     NULL,
     "alice@example.org"},
    {"SAN without mail, then subject",
     {.key = "P-256",
      .email = "carol@example.com",
      .extensions = {{NID_subject_alt_name, "DNS:example.com"}}},
     false,
     false,
     SMIME_USABLE,
     "",
     NULL,
     "carol@example.com"},
    {"two addresses",
     {.key = "P-256",
      .extensions = {{NID_subject_alt_name, "email:Bob@example.com,DNS:example.com,email:b@example.com"}}},
     false,
     false,
     SMIME_USABLE,
     "",
     NULL,
     "Bob@example.com,b@example.com"},
    {"SmtpUTF8Mailbox",
     {.key = "P-256", .extensions = {{NID_subject_alt_name, SAN_SMTPUTF8}}},
     false,
     false,
     SMIME_USABLE,
     "",
     NULL,
     "jörg@example.org"},
    {"SmtpUTF8Mailbox, U-label domain",
     {.key = "P-256",
      .extensions = {{NID_subject_alt_name,
                      "DER:3025a02306082b06010505070809a0170c156ac3b67267406772c3bcc39f652e6578616d706c65"}}},
     false,
     false,
     SMIME_USABLE,
     "",
     NULL,
     "jörg@grüße.example"},
    {"SmtpUTF8Mailbox, A-label domain",
     {.key = "P-256",
      .extensions =
          {{NID_subject_alt_name,
            "DER:"
            "302ba02906082b06010505070809a01d0c1b6ac3b6726740786e2d2d6772652d366b6138692e6578616d706c65"}}},
     false,
     false,
     SMIME_USABLE,
     "",
     NULL,
     "jörg@xn--gre-6ka8i.example"},
    {"SmtpUTF8Mailbox, A13 ASCII local part",
     {.key = "P-256",
      .email = "carol@example.com",
      .extensions = {{NID_subject_alt_name,
                      "DER:3021a01f06082b06010505070809a0130c11616c696365406578616d706c652e6f7267"}}},
     false,
     false,
     SMIME_INVALID,
     "no mail address",
     NULL,
     ""},
    {"SmtpUTF8Mailbox, A13 byte order mark",
     {.key = "P-256",
      .email = "carol@example.com",
      .extensions = {{NID_subject_alt_name,
                      "DER:3024a02206082b06010505070809a0160c14efbbbf6ac3b67267406578616d706c652e6f7267"}}},
     false,
     false,
     SMIME_INVALID,
     "no mail address",
     NULL,
     ""},
    {"SmtpUTF8Mailbox, A13 NUL",
     {.key = "P-256",
      .email = "carol@example.com",
      .extensions = {{NID_subject_alt_name, "DER:"
                                            "302ea02c06082b06010505070809a0200c1e6ac3b67267406578616d706c652e"
                                            "6f7267002e6578616d706c652e636f6d"}}},
     false,
     false,
     SMIME_INVALID,
     "no mail address",
     NULL,
     ""},
    {"SmtpUTF8Mailbox, A13 NEL",
     {.key = "P-256",
      .email = "carol@example.com",
      .extensions = {{NID_subject_alt_name,
                      "DER:3023a02106082b06010505070809a0150c136ac3b67267c285406578616d706c652e6f7267"}}},
     false,
     false,
     SMIME_INVALID,
     "no mail address",
     NULL,
     ""},
    {"SmtpUTF8Mailbox, A13 overlong",
     {.key = "P-256",
      .email = "carol@example.com",
      .extensions = {{NID_subject_alt_name,
                      "DER:3020a01e06082b06010505070809a0120c106af67267406578616d706c652e6f7267"}}},
     false,
     false,
     SMIME_INVALID,
     "no mail address",
     NULL,
     ""},
    {"SmtpUTF8Mailbox, A13 line separator",
     {.key = "P-256",
      .email = "carol@example.com",
      .extensions = {{NID_subject_alt_name,
                      "DER:3024a02206082b06010505070809a0160c146ac3b67267e280a8406578616d706c652e6f7267"}}},
     false,
     false,
     SMIME_INVALID,
     "no mail address",
     NULL,
     ""},
    {"other otherName",
     {.key = "P-256",
      .extensions = {{NID_subject_alt_name, "otherName:1.3.6.1.4.1.311.20.2.3;UTF8:alice@example.org"}}},
     false,
     false,
     SMIME_INVALID,
     "no mail address",
     NULL,
     ""},
    {"no address", {.key = "P-256"}, false, false, SMIME_INVALID, "no mail address", NULL, ""},
    {"A13 NUL in the address",
     {.key = "P-256", .extensions = {{NID_subject_alt_name, SAN_WITH_NUL}}},
     false,
     false,
     SMIME_INVALID,
     "no mail address",
     NULL,
     ""},
    {"A13 display name in the address",
     {.key = "P-256", .extensions = {{NID_subject_alt_name, "email:Bob <bob@example.org>"}}},
     false,
     false,
     SMIME_INVALID,
     "no mail address",
     NULL,
     ""},
    {"A13 unusable SAN does not bring the subject back",
     {.key = "P-256", .email = "carol@example.com", .extensions = {{NID_subject_alt_name, "email:nobody"}}},
     false,
     false,
     SMIME_INVALID,
     "no mail address",
     NULL,
     ""},
    {"damaged SAN",
     {.key = "P-256", .extensions = {{NID_subject_alt_name, "DER:3003810561"}}},
     false,
     false,
     SMIME_INVALID,
     "",
     NULL,
     ""},
    {"SAN twice",
     {.key = "P-256", .extensions = {FORGE_SAN_ALICE, {NID_subject_alt_name, "email:mallory@example.com"}}},
     false,
     false,
     SMIME_INVALID,
     "there twice",
     NULL,
     ""},
};

static void join(const struct smime_certificate_info *info, char *out, size_t size)
{
    *out = 0;
    for (size_t i = 0; i < info->n_addresses; i++) {
        size_t len = strlen(out);
        snprintf(out + len, size - len, "%s%s", i ? "," : "", info->addresses[i]);
    }
}

static void check_row(const struct row *row, const struct smime_certificate_info *info)
{
    char addresses[200];
    join(info, addresses, sizeof addresses);
    bool good = info->fitness == row->fitness && strstr(info->reason, row->reason) &&
                (info->fitness == SMIME_USABLE) == (info->reason[0] == 0) &&
                (!row->algorithm || strcmp(row->algorithm, info->algorithm) == 0) &&
                (!row->addresses || strcmp(row->addresses, addresses) == 0);
    if (!good) {
        fail_msg("%s: fitness %d, reason \"%s\", algorithm %s, addresses \"%s\"", row->what,
                 (int)info->fitness, info->reason, info->algorithm, addresses);
    }
}

static void judges_every_kind(void **state)
{
    const struct state *s = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *row = &rows[i];
        const struct forged *issuer = row->by_rsa ? &s->ca_rsa : &s->ca;
        struct forged made = forge(&row->order, row->self_signed ? NULL : issuer);
        struct smime_certificate_info info;
        struct error err = {0};
        assert_int_equal(smime_certificate_inspect(made.der, NULL, NULL, FORGE_NOW, &info, &err), STATUS_OK);
        check_row(row, &info);
        smime_certificate_info_free(&info);
        forged_free(&made);
    }
    assert_int_equal(ERR_peek_error(), 0);
}

static int make_authorities(void **state)
{
    struct state *s = malloc(sizeof *s);
    const struct forge_order ca = {.key = "ED25519", .subject = "Test CA"};
    const struct forge_order ca_rsa = {.key = "rsa2048", .subject = "Test RSA CA"};
    forge_must(s != NULL);
    s->ca = forge(&ca, NULL);
    s->ca_rsa = forge(&ca_rsa, NULL);
    *state = s;
    return 0;
}

static int free_authorities(void **state)
{
    struct state *s = *state;
    forged_free(&s->ca);
    forged_free(&s->ca_rsa);
    free(s);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(judges_every_kind)};
    return cmocka_run_group_tests(tests, make_authorities, free_authorities);
}
