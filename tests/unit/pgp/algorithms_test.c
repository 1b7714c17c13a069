/* Every kind of key that GnuPG 2.2 encrypts to, every cipher that a certificate may ask for, and which of
 * several encryption subkeys is taken. What we seal is read by gpg, rnp and sq with that one key alone. */
#include "tests/unit/pgp/fixture.h"

#include "pgp/message.h"
#include "tests/unit/pgp/armoring.h"

#define GPG "/usr/bin/gpg"
#define OUT_MAX (1u << 20)
#define PLAIN "Content-Type: text/plain\r\n\r\nMeet me at noon.\r\n"

/* sq of Debian 12 is built with Nettle, which has neither ElGamal nor these curves. */
enum { GPG_AND_RNP, AND_SQ };

static const struct kind {
    const char *name; /* as GnuPG calls it */
    const char *primary;
    int readers;
} kinds[] = {
    {"rsa2048", "rsa2048", AND_SQ},
    {"rsa3072", "ed25519", AND_SQ},
    {"rsa4096", "ed25519", AND_SQ},
    {"elg2048", "dsa2048", GPG_AND_RNP},
    {"nistp256", "nistp256", AND_SQ},
    {"nistp384", "nistp384", AND_SQ},
    {"nistp521", "nistp521", AND_SQ},
    {"brainpoolP256r1", "brainpoolP256r1", GPG_AND_RNP},
    {"brainpoolP384r1", "brainpoolP384r1", GPG_AND_RNP},
    {"brainpoolP512r1", "brainpoolP512r1", GPG_AND_RNP},
    {"secp256k1", "secp256k1", GPG_AND_RNP},
    {"cv25519", "ed25519", AND_SQ},
};
#define KINDS (sizeof kinds / sizeof *kinds)

struct state {
    struct fixture f;
    struct pgp_engine *engine;
};

/* How all tests here make keys: fpr prints the fingerprint of the key of NAME@example.org, add ALGORITHM
 * gives it an encryption subkey, all in the year AT. */
#define SHELL                                                                                                \
    "fpr() { gpg --list-keys --with-colons =$NAME@example.org | awk -F: '/^fpr/{print $10; exit}'; }; "      \
    "gpg_at() { gpg --faked-system-time \"${AT}0101T000000!\" \"$@\"; }; "                                   \
    "add() { gpg_at --quick-add-key $(fpr) $1 encr ${2:-never}; }; "

/* Each kind of key in a GnuPG home of its own, so that no other key can open what is sealed. */
static int set_up(void **state)
{
    struct state *s = calloc(1, sizeof *s);

    assert_non_null(s);
    fixture_make(&s->f);
    for (size_t i = 0; i < KINDS; i++)
        fixture_run(&s->f, "echo %s %s >> kinds", kinds[i].name, kinds[i].primary);
    fixture_run(&s->f, SHELL
                "make() { NAME=$1; AT=2024; mkdir -m 700 h-$1; export GNUPGHOME=$PWD/h-$1; "
                "gpg_at --quick-gen-key $1@example.org $2 cert,sign never; add $1; "
                "gpg --export > $1; gpg --export-secret-keys > $1.secret; }; "
                "pids=; while read name primary; do (make $name $primary) & pids=\"$pids $!\"; done < kinds; "
                "for pid in $pids; do wait $pid; done");
    s->engine = fixture_engine(&s->f, GPG);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct state *s = *state;

    pgp_engine_close(s->engine);
    fixture_run(&s->f, "for home in h-*; do gpgconf --homedir $PWD/$home --kill all; done");
    fixture_free(&s->f);
    free(s);
    return 0;
}

/* ---- sealing ---- */

struct sealed {
    struct pgp_certificate_info info[KINDS];
    char cipher[PGP_CIPHER_SIZE];
    struct buf armored;
};

static void sealed_free(struct sealed *sealed, size_t n)
{
    for (size_t i = 0; i < n; i++)
        pgp_certificate_info_free(&sealed->info[i]);
    buf_free(&sealed->armored);
}

/* Inspects the N files NAMES, seals to them, proves it, and leaves the message in file "sealed". */
static void seal(struct state *s, const char *const *names, size_t n, struct sealed *sealed)
{
    struct pgp_recipient recipients[KINDS] = {0};
    struct pgp_expected expected[KINDS];
    struct span plain = span_str(PLAIN);
    struct error err = {0};
    char paths[KINDS][100];
    struct sink sink;
    enum status status;

    *sealed = (struct sealed){0};
    buf_init(&sealed->armored, OUT_MAX);
    sink = sink_to_buf(&sealed->armored);
    for (size_t i = 0; i < n; i++) {
        struct pgp_certificate_info *info = &sealed->info[i];

        fixture_inspect(&s->f, s->engine, names[i], info);
        if (info->fitness != PGP_USABLE)
            fail_msg("%s: %s", names[i], info->reason);
        snprintf(paths[i], sizeof paths[i], "%s/%s", s->f.dir, names[i]);
        recipients[i].certificate_path = paths[i];
        expected[i] = (struct pgp_expected){info->encryption_keyids, info->n_encryption_keyids};
    }
    status = pgp_encrypt(s->engine, recipients, n, (struct spans){.items = &plain, .n = 1}, &sink,
                         sealed->cipher, &err);
    if (status == STATUS_OK)
        status = pgp_check_message(buf_span(&sealed->armored), expected, n, plain.len, &err);
    if (status != STATUS_OK)
        fail_msg("%s: %s", names[0], err.text);
    fixture_write(&s->f, "sealed", buf_span(&sealed->armored));
}

static void assert_opened(const struct state *s, const char *what)
{
    struct buf opened;

    fixture_read(&s->f, "opened", &opened);
    if (!span_eq(buf_span(&opened), span_str(PLAIN)))
        fail_msg("%s reads something else", what);
    buf_free(&opened);
}

/* "sealed" opens for who has the one key KIND. */
static void open_with_gpg(const struct state *s, const struct kind *kind)
{
    fixture_run(&s->f, "rm -f opened; GNUPGHOME=$PWD/h-%s; gpg --decrypt sealed > opened", kind->name);
    assert_opened(s, "gpg");
}

static void open_with_all(const struct state *s, const struct kind *kind)
{
    open_with_gpg(s, kind);
    fixture_run(
        &s->f,
        "rm -rf opened r; mkdir -m 700 r; rnp --homedir r --keyfile %s.secret --password '' --decrypt "
        "--output opened sealed 2>> gpg.log",
        kind->name);
    assert_opened(s, "rnp");
    if (kind->readers != AND_SQ)
        return;
    fixture_run(&s->f, "rm -f opened; sq decrypt --recipient-key %s.secret sealed > opened 2>> gpg.log",
                kind->name);
    assert_opened(s, "sq");
}

static void every_kind_of_key_opens_what_is_sealed_to_it(void **state)
{
    struct state *s = *state;

    for (size_t i = 0; i < KINDS; i++) {
        struct sealed sealed;

        seal(s, &kinds[i].name, 1, &sealed);
        assert_string_equal(sealed.info[0].algorithm, kinds[i].name);
        assert_string_equal(sealed.cipher, "AES256");
        open_with_gpg(s, &kinds[i]);
        sealed_free(&sealed, 1);
    }
}

static void one_message_for_all_kinds_of_keys(void **state)
{
    struct state *s = *state;
    const char *names[KINDS];
    struct sealed sealed;

    for (size_t i = 0; i < KINDS; i++)
        names[i] = kinds[i].name;
    seal(s, names, KINDS, &sealed);
    for (size_t i = 0; i < KINDS; i++)
        open_with_all(s, &kinds[i]);
    sealed_free(&sealed, KINDS);
}

/* ---- several encryption subkeys ---- */

/* The key IDs that the message in SEALED names. */
static uint64_t only_keyid(const struct sealed *sealed)
{
    struct pgp_message message;
    struct error err;
    uint64_t keyid;

    assert_int_equal(pgp_message_read(buf_span(&sealed->armored), &message, &err), STATUS_OK);
    assert_int_equal(message.n_keyids, 1);
    keyid = message.keyids[0];
    pgp_message_free(&message);
    return keyid;
}

/* Key ID of the Nth subkey (from 1) of NAME's key. */
static uint64_t subkey_id(const struct state *s, const char *name, int n)
{
    struct buf id;
    uint64_t keyid;

    fixture_run(
        &s->f, "gpg --list-keys --with-colons =%s@example.org | awk -F: '/^sub/{print $5}' | sed -n %dp > id",
        name, n);
    fixture_read(&s->f, "id", &id);
    keyid = strtoull(buf_str(&id), NULL, 16);
    buf_free(&id);
    assert_int_not_equal(keyid, 0);
    return keyid;
}

/* Makes file NAME: an Ed25519 key of 2024, with what SHELL_TEXT gives it. */
static void make_key(const struct state *s, const char *name, const char *shell_text)
{
    fixture_run(&s->f,
                SHELL
                "NAME=%s; AT=2024; gpg_at --quick-gen-key $NAME@example.org ed25519 cert,sign never; %s; "
                "gpg --export =$NAME@example.org > $NAME",
                name, shell_text);
}

/* Revokes subkey N. */
#define REVOKE(n)                                                                                            \
    "; printf 'key " n "\\nrevkey\\ny\\n0\\n\\ny\\nsave\\n' | command gpg --quiet --no-tty --pinentry-mode " \
    "loopback --passphrase '' --command-fd 0 --status-fd 1 --edit-key $(fpr) >> gpg.log 2>&1"

/* Which subkey is taken of several, and what is said when none can be. */
static void the_newest_subkey_that_may_be_used_is_taken(void **state)
{
    static const struct {
        const char *name, *make;
        int taken; /* number of the subkey */
        const char *algorithm;
    } cases[] = {
        {"newest", "add rsa2048; AT=2025; add cv25519", 2, "cv25519"},
        {"newest-first", "AT=2025; add cv25519; AT=2024; add nistp256", 1, "cv25519"},
        {"expired-new", "add cv25519; AT=2025; add nistp256 20250601T120000", 1, "cv25519"},
        {"expired-old", "add nistp256 20250601T120000; AT=2025; add cv25519", 2, "cv25519"},
        {"revoked-new", "add cv25519; AT=2025; add nistp256" REVOKE("2"), 1, "cv25519"},
        {"revoked-old", "add nistp256; AT=2025; add cv25519" REVOKE("1"), 2, "cv25519"},
        {"three", "add nistp256; AT=2025; add cv25519; AT=2026; add nistp384 20260301T120000" REVOKE("2"), 1,
         "nistp256"},
        {"signing-new", "add cv25519; AT=2025; gpg_at --quick-add-key $(fpr) ed25519 sign never", 1,
         "cv25519"},
    };
    struct state *s = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sealed sealed;

        make_key(s, cases[i].name, cases[i].make);
        seal(s, &cases[i].name, 1, &sealed);
        assert_string_equal(sealed.info[0].algorithm, cases[i].algorithm);
        if (only_keyid(&sealed) != subkey_id(s, cases[i].name, cases[i].taken))
            fail_msg("%s: sealed to another subkey", cases[i].name);
        fixture_run(&s->f, "gpg --decrypt sealed > opened");
        assert_opened(s, cases[i].name);
        sealed_free(&sealed, 1);
    }
}

/* The last subkey of file FROM, with its signature spoiled, or without it, in file TO. */
static void spoil_last(const struct state *s, const char *from, bool cut, const char *to)
{
    struct buf bytes;

    fixture_read(&s->f, from, &bytes);
    bytes.data[bytes.len - 10] ^= 1; /* in the signature, which is the last packet */
    if (cut)
        fixture_run(&s->f,
                    "gpg --list-packets %s | awk '/^# off=/{sub(/.*off=/, \"\"); print $1}' | "
                    "tail -n 1 > offset",
                    from);
    if (cut) {
        struct buf offset;

        fixture_read(&s->f, "offset", &offset);
        bytes.len = strtoul(buf_str(&offset), NULL, 10);
        buf_free(&offset);
    }
    fixture_write(&s->f, to, buf_span(&bytes));
    buf_free(&bytes);
}

static void a_subkey_that_nobody_signed_is_never_taken(void **state)
{
    struct state *s = *state;

    make_key(s, "two", "add cv25519; AT=2025; add nistp256");
    for (int cut = 0; cut < 2; cut++) {
        static const char *const name = "forged";
        struct sealed sealed;

        spoil_last(s, "two", cut, name);
        seal(s, &name, 1, &sealed);
        assert_int_equal(sealed.info[0].n_encryption_keyids, 1);
        assert_true(only_keyid(&sealed) == subkey_id(s, "two", 1));
        sealed_free(&sealed, 1);
    }
}

/* RFC 9580 §5.5.5.3: X25519 in a version 4 subkey, newer than the one that GnuPG knows. */
static void a_subkey_that_gnupg_does_not_know_is_left_out(void **state)
{
    static const char *const name = "newer";
    struct state *s = *state;
    struct sealed sealed;
    struct buf bytes;

    make_key(s, "older", "add cv25519");
    fixture_read(&s->f, "older", &bytes);
    packet_add(&bytes, 14, span_of("\4\x69\x92\0\x80\x19", 6), 32);
    fixture_write(&s->f, name, buf_span(&bytes));
    buf_free(&bytes);
    seal(s, &name, 1, &sealed);
    assert_string_equal(sealed.info[0].algorithm, "cv25519");
    assert_true(only_keyid(&sealed) == subkey_id(s, "older", 1));
    sealed_free(&sealed, 1);
}

/* Old RSA keys have no subkey. */
static void a_primary_key_may_encrypt_itself(void **state)
{
    static const char *const name = "alone";
    struct state *s = *state;
    struct sealed sealed;

    fixture_run(&s->f, "gpg --quick-gen-key alone@example.org rsa2048 cert,sign,encr never; "
                       "gpg --export =alone@example.org > alone");
    seal(s, &name, 1, &sealed);
    assert_string_equal(sealed.info[0].algorithm, "rsa2048");
    fixture_run(&s->f, "gpg --decrypt sealed > opened");
    assert_opened(s, "gpg");
    sealed_free(&sealed, 1);
}

static void the_reason_is_the_one_that_is_easiest_to_mend(void **state)
{
    static const struct {
        const char *name, *make;
        bool spoil;
        enum pgp_fitness fitness;
        const char *reason;
    } cases[] = {
        {"all-expired", "add cv25519 20240501T120000; add nistp256 20240601T120000", false, PGP_EXPIRED,
         "expired on 2024-06-01 (encryption subkey)"},
        {"expired-and-revoked", "add cv25519 20240501T120000; add nistp256" REVOKE("2"), false, PGP_EXPIRED,
         "expired on 2024-05-01 (encryption subkey)"},
        {"all-revoked", "add cv25519; add nistp256" REVOKE("1") REVOKE("2"), false, PGP_REVOKED,
         "revoked (encryption subkey)"},
        {"unsigned", "add cv25519", true, PGP_INVALID,
         "a subkey has no valid signature, and no other is for encryption"},
        {"expired-and-unsigned", "add cv25519 20240501T120000; add nistp256", true, PGP_EXPIRED,
         "expired on 2024-05-01 (encryption subkey)"},
    };
    struct state *s = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pgp_certificate_info info;

        make_key(s, cases[i].name, cases[i].make);
        if (cases[i].spoil)
            spoil_last(s, cases[i].name, false, cases[i].name);
        fixture_inspect(&s->f, s->engine, cases[i].name, &info);
        if (info.fitness != cases[i].fitness || strcmp(info.reason, cases[i].reason) != 0)
            fail_msg("%s: %d \"%s\"", cases[i].name, info.fitness, info.reason);
        assert_int_equal(info.n_encryption_keyids, 0);
        pgp_certificate_info_free(&info);
    }
}

/* ---- ciphers ---- */

/* A certificate says what its owner's programs read (RFC 4880 §5.2.3.7); the cipher told is the one that is
 * used. */
static void the_cipher_told_is_the_one_used(void **state)
{
    static const struct {
        const char *preferences, *cipher;
        int number; /* RFC 4880 §9.2 */
    } cases[] = {
        {"AES256 AES192 AES", "AES256", 9},
        {"AES AES192 AES256", "AES256", 9}, /* our order counts */
        {"AES192", "AES192", 8},
        {"AES", "AES128", 7},
        {"IDEA AES", "AES128", 7},
        {"3DES", "3DES", 2},
        {"IDEA", "IDEA", 1},
        {"CAST5", "CAST5", 3},
        {"BLOWFISH", "Blowfish", 4},
        {"TWOFISH", "Twofish", 10},
        {"CAMELLIA128", "Camellia128", 11},
        {"CAMELLIA192", "Camellia192", 12},
        {"CAMELLIA256", "Camellia256", 13},
        {"AES256 no-mdc", "AES256", 9},
    };
    struct state *s = *state;

    make_key(s, "any", "add cv25519");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        static const char *const name = "any";
        struct sealed sealed;

        fixture_run(&s->f,
                    SHELL "NAME=any; printf 'setpref %s\\ny\\nsave\\n' | command gpg --quiet --no-tty "
                          "--pinentry-mode loopback "
                          "--passphrase '' --command-fd 0 --status-fd 1 --edit-key $(fpr) >> gpg.log 2>&1; "
                          "gpg --export =any@example.org > any",
                    cases[i].preferences);
        seal(s, &name, 1, &sealed);
        if (strcmp(sealed.cipher, cases[i].cipher) != 0)
            fail_msg("%s: %s", cases[i].preferences, sealed.cipher);
        fixture_run(&s->f,
                    "gpg --status-fd 3 --decrypt sealed > opened 3> said; grep -q '^.GNUPG:. DECRYPTION_INFO "
                    "2 %d 0$' "
                    "said",
                    cases[i].number);
        assert_opened(s, cases[i].cipher);
        sealed_free(&sealed, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_key_opens_what_is_sealed_to_it),
        cmocka_unit_test(one_message_for_all_kinds_of_keys),
        cmocka_unit_test(the_newest_subkey_that_may_be_used_is_taken),
        cmocka_unit_test(a_subkey_that_nobody_signed_is_never_taken),
        cmocka_unit_test(a_subkey_that_gnupg_does_not_know_is_left_out),
        cmocka_unit_test(a_primary_key_may_encrypt_itself),
        cmocka_unit_test(the_reason_is_the_one_that_is_easiest_to_mend),
        cmocka_unit_test(the_cipher_told_is_the_one_used),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
