/* pgp_certificate_inspect with certificates that a real gpg made. */
#include "tests/unit/pgp/fixture.h"

#include "pgp/packet.h"
#include "tests/unit/pgp/armoring.h"

#define GPG "/usr/bin/gpg"

struct state {
    struct fixture f;
    struct pgp_engine *engine;
};

/*
 * gen NAME USERID ALGORITHM EXPIRES makes a primary key, with its fingerprint in FPR; add ALGORITHM EXPIRES
 * gives it an encryption subkey; out writes file NAME. All in year AT.
 */
static const char functions[] =
    "gpg_at() { gpg --faked-system-time \"${AT}0101T000000!\" \"$@\"; }; "
    "gen() { name=$1; gpg_at --quick-gen-key \"$2\" $3 cert,sign $4; "
    "FPR=$(gpg --list-keys --with-colons \"=$2\" | awk -F: '/^fpr/{print $10; exit}'); }; "
    "add() { gpg_at --quick-add-key $FPR $1 encr $2; }; "
    "out() { gpg --export $FPR > $name; }; ";

static int set_up(void **state)
{
    struct state *s = calloc(1, sizeof *s);

    assert_non_null(s);
    fixture_make(&s->f);
    fixture_run(
        &s->f,
        "%s"
        "AT=2024; "
        "gen rsa 'Alice (bob@example.com) <alice@example.org>' rsa2048 never; add rsa2048 20991231T120000; "
        "out; "
        "gen ecc 'carol@example.com' ed25519 never; add cv25519 20240501T120000; add nistp256 never; out; "
        "gen expired 'Erin <erin@example.org>' ed25519 20240501T120000; add cv25519 never; out; "
        "gen oldsub 'frank@example.org' ed25519 never; add cv25519 20240501T120000; out; "
        "gen sign 'dave@example.org' ed25519 never; out; "
        "gen revoked 'grace@example.org' ed25519 never; add cv25519 never; "
        "sed s/^:-/-/ g/openpgp-revocs.d/$FPR.rev > rev; gpg --import rev; out; "
        "gen revsub 'heidi@example.org' ed25519 never; add cv25519 never; "
        "printf 'key 1\nrevkey\ny\n0\n\ny\nsave\n' | command gpg --quiet --no-tty --pinentry-mode loopback "
        "--passphrase '' --command-fd 0 --status-fd 1 --edit-key $FPR >>gpg.log 2>&1; out; "
        "gen uids 'Ivan <ivan@example.org>' ed25519 never; add cv25519 never; add cv25519 never; "
        "gpg --quick-add-uid $FPR 'Ivan <ivan@example.com>'; "
        "gpg --quick-add-uid $FPR 'Mallory (ivan@example.net) <mallory@example.net>'; "
        "gpg --quick-revoke-uid $FPR 'Ivan <ivan@example.org>'; out; ",
        functions);
    s->engine = fixture_engine(&s->f, GPG);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct state *s = *state;

    pgp_engine_close(s->engine);
    fixture_free(&s->f);
    free(s);
    return 0;
}

/* ---- certificates that gpg judges ---- */

#define AT_2024 1704067200

static void fitness_and_reason_are_told(void **state)
{
    static const struct {
        const char *name;
        enum pgp_fitness fitness;
        const char *reason, *algorithm, *address;
        int64_t expires;
        size_t n_keyids;
    } cases[] = {
        {"rsa", PGP_USABLE, "", "rsa2048", "alice@example.org", 4102401600, 1},
        {"ecc", PGP_USABLE, "", "nistp256", "carol@example.com", 0, 1},
        {"expired", PGP_EXPIRED, "expired on 2024-05-01", "", "erin@example.org", 1714564800, 0},
        {"oldsub", PGP_EXPIRED, "expired on 2024-05-01 (encryption subkey)", "", "frank@example.org",
         1714564800, 0},
        {"sign", PGP_NO_ENCRYPTION_KEY, "wrong usage: no key for encryption", "", "dave@example.org", 0, 0},
        {"revoked", PGP_REVOKED, "revoked", "", "grace@example.org", 0, 0},
        {"revsub", PGP_REVOKED, "revoked (encryption subkey)", "", "heidi@example.org", 0, 0},
        {"uids", PGP_USABLE, "", "cv25519", "mallory@example.net", 0, 2},
    };
    struct state *s = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pgp_certificate_info info;

        fixture_inspect(&s->f, s->engine, cases[i].name, &info);
        if (info.fitness != cases[i].fitness || strcmp(info.reason, cases[i].reason) != 0)
            fail_msg("%s: %d \"%s\"", cases[i].name, info.fitness, info.reason);
        assert_string_equal(info.algorithm, cases[i].algorithm);
        assert_string_equal(info.addresses[0], cases[i].address);
        assert_int_equal(info.created, AT_2024);
        assert_int_equal(info.expires, cases[i].expires);
        assert_int_equal(info.n_encryption_keyids, cases[i].n_keyids);
        assert_int_equal(strlen(info.fingerprint), 40);
        assert_non_null(info.user_id);
        pgp_certificate_info_free(&info);
    }
}

static void key_ids_are_those_of_gpg(void **state)
{
    struct state *s = *state;
    struct pgp_certificate_info info;
    struct buf listed;
    char *end;

    fixture_run(&s->f, "gpg --list-keys --with-colons ivan@example.com | awk -F: '/^sub/{print $5}' > ids");
    fixture_read(&s->f, "ids", &listed);
    fixture_inspect(&s->f, s->engine, "uids", &info);
    assert_int_equal(info.n_encryption_keyids, 2);
    assert_true(info.encryption_keyids[0] == strtoull(buf_str(&listed), &end, 16));
    assert_true(info.encryption_keyids[1] == strtoull(end, &end, 16));
    buf_free(&listed);
    pgp_certificate_info_free(&info);
}

static void A13_revoked_user_ids_and_comments_give_no_address(void **state)
{
    struct state *s = *state;
    struct pgp_certificate_info info;

    fixture_inspect(&s->f, s->engine, "uids", &info);
    assert_int_equal(info.n_addresses, 2);
    for (size_t i = 0; i < info.n_addresses; i++) {
        assert_string_not_equal(info.addresses[i], "ivan@example.org");
        assert_string_not_equal(info.addresses[i], "ivan@example.net");
    }
    assert_string_equal(info.user_id, "Mallory (ivan@example.net) <mallory@example.net>");
    pgp_certificate_info_free(&info);
    fixture_inspect(&s->f, s->engine, "rsa", &info);
    assert_int_equal(info.n_addresses, 1);
    pgp_certificate_info_free(&info);
}

static void dates_are_judged_at_the_given_time(void **state)
{
    static const struct {
        const char *name;
        int64_t now;
        enum pgp_fitness fitness;
        const char *reason;
    } cases[] = {
        {"rsa", 4102401599, PGP_USABLE, ""},
        {"rsa", 4102401600, PGP_EXPIRED, "expired on 2099-12-31 (encryption subkey)"},
        {"ecc", AT_2024, PGP_USABLE, ""},
        {"ecc", AT_2024 - 1, PGP_INVALID, "not valid before 2024-01-01"},
        {"expired", AT_2024, PGP_EXPIRED, "expired on 2024-05-01"},
    };
    struct state *s = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pgp_certificate_info info;
        struct buf certificate;
        struct error err;

        fixture_read(&s->f, cases[i].name, &certificate);
        assert_int_equal(
            pgp_certificate_inspect(s->engine, buf_span(&certificate), cases[i].now, &info, &err), STATUS_OK);
        assert_int_equal(info.fitness, cases[i].fitness);
        assert_string_equal(info.reason, cases[i].reason);
        pgp_certificate_info_free(&info);
        buf_free(&certificate);
    }
}

/* Inspects BYTES and expects the fitness and that the reason holds WHY. */
static void expect(struct pgp_engine *engine, struct span bytes, enum pgp_fitness fitness, const char *why,
                   struct pgp_certificate_info *info)
{
    struct error err = {0};

    if (pgp_certificate_inspect(engine, bytes, time(NULL), info, &err) != STATUS_OK)
        fail_msg("%s: %s", why, err.text);
    if (info->fitness != fitness || !strstr(info->reason, why))
        fail_msg("%s: %d \"%s\"", why, info->fitness, info->reason);
    assert_int_equal(info->n_encryption_keyids, 0);
}

static void altered_certificates_are_invalid(void **state)
{
    struct state *s = *state;
    struct pgp_certificate_info info;
    struct buf ecc, both, sign;

    fixture_read(&s->f, "ecc", &ecc);
    fixture_read(&s->f, "sign", &sign);
    ecc.data[30] ^= 1; /* in the point of the primary key: its self-signature is wrong then */
    expect(s->engine, buf_span(&ecc), PGP_INVALID, "no valid self-signature", &info);
    pgp_certificate_info_free(&info);
    ecc.data[30] ^= 1;
    ecc.data[18] ^= 0x40; /* the length of that point */
    expect(s->engine, buf_span(&ecc), PGP_INVALID, "GnuPG cannot read it", &info);
    pgp_certificate_info_free(&info);
    ecc.data[18] ^= 0x40;

    buf_init(&both, 1u << 20);
    buf_append_span(&both, buf_span(&ecc));
    buf_append_span(&both, buf_span(&sign));
    expect(s->engine, buf_span(&both), PGP_INVALID, "more than one", &info);
    pgp_certificate_info_free(&info);

    /* RFC 9580 §5.5.5.3: a v4 subkey for X25519, bare; GnuPG drops it for want of a signature. */
    packet_add(&sign, 14, span_of("\4\x65\x92\0\x80\x19", 6), 32);
    expect(s->engine, buf_span(&sign), PGP_UNSUPPORTED, "algorithm 25", &info);
    pgp_certificate_info_free(&info);

    buf_free(&ecc);
    buf_free(&both);
    buf_free(&sign);
}

static void every_truncation_is_unusable_or_shorter(void **state)
{
    struct state *s = *state;
    struct buf ecc;

    fixture_read(&s->f, "ecc", &ecc);
    for (size_t len = 0; len < ecc.len; len += 23) {
        struct pgp_certificate_info info;
        struct error err;

        assert_int_equal(pgp_certificate_inspect(s->engine, span_of(ecc.data, len), time(NULL), &info, &err),
                         STATUS_OK);
        assert_int_not_equal(info.fitness, PGP_USABLE);
        pgp_certificate_info_free(&info);
    }
    buf_free(&ecc);
}

/* ---- certificates that gpg never sees ---- */

#define V6_KEY                                                                                               \
    "\xc6\x2a\x06\x63\x87\x7f\xe3\x1b\x00\x00\x00\x20\xf9\x4d\xa7\xbb\x48\xd6\x0a\x61\xe5\x67\x70\x6a\x65"   \
    "\x87"                                                                                                   \
    "\xd0\x33\x19\x99\xbb\x9d\x89\x1a\x08\x24\x2e\xad\x84\x54\x3d\xf8\x95\xa3"

static void other_versions_are_unsupported(void **state)
{
    struct state *s = *state;
    struct pgp_certificate_info info;
    struct buf file;

    /* The primary key of RFC 9580 §A.3. */
    buf_init(&file, 1000);
    buf_append(&file, V6_KEY, sizeof V6_KEY - 1);
    packet_add(&file, 13, span_str("Alice <alice@example.org>"), 0);
    expect(s->engine, buf_span(&file), PGP_UNSUPPORTED, "version 6", &info);
    assert_string_equal(info.fingerprint, "CB186C4F0609A697E4D52DFA6C722B0C1F1E27C18A56708F6525EC27BAD9ACC9");
    assert_int_equal(info.n_addresses, 1);
    assert_string_equal(info.addresses[0], "alice@example.org");
    pgp_certificate_info_free(&info);

    buf_reset(&file);
    packet_add(&file, 6, span_of("\3\x65\x92\0\x80\0\0\1\0\x08\xff\0\x02\3", 14), 0);
    expect(s->engine, buf_span(&file), PGP_UNSUPPORTED, "version 3", &info);
    assert_string_equal(info.fingerprint, "");
    pgp_certificate_info_free(&info);

    /* v4 with Ed25519 as algorithm 27 (RFC 9580 §9.1), and with EdDSA on Ed448. */
    buf_reset(&file);
    packet_add(&file, 6, span_of("\4\x65\x92\0\x80\x1b", 6), 32);
    expect(s->engine, buf_span(&file), PGP_UNSUPPORTED, "(27)", &info);
    pgp_certificate_info_free(&info);
    buf_reset(&file);
    packet_add(&file, 6, span_of("\4\x65\x92\0\x80\x16\3\x2b\x65\x71", 10), 57);
    expect(s->engine, buf_span(&file), PGP_UNSUPPORTED, "(22)", &info);
    pgp_certificate_info_free(&info);
    buf_free(&file);
}

static void A14_gpg_never_sees_floods_and_secrets(void **state)
{
    struct state *s = *state;
    struct pgp_certificate_info info;
    struct pgp_engine *engine;
    struct buf file, secret;
    char path[100];

    fixture_fake_gpg(&s->f, "logging", "exec /usr/bin/gpg \"$@\"", path);
    engine = fixture_engine(&s->f, path);

    fixture_read(&s->f, "rsa", &file);
    for (int i = 0; i < 150000; i++)
        packet_add(&file, 2, span_str("\4\x10"), 60);
    expect(engine, buf_span(&file), PGP_INVALID, "more than 2000 packets", &info);
    pgp_certificate_info_free(&info);
    buf_free(&file);

    fixture_read(&s->f, "rsa", &file);
    packet_add(&file, 17, span_str(""), 1100000);
    expect(engine, buf_span(&file), PGP_INVALID, "1048576 bytes", &info);
    pgp_certificate_info_free(&info);

    fixture_run(&s->f, "gpg --export-secret-keys carol@example.com > secret");
    fixture_read(&s->f, "secret", &secret);
    expect(engine, buf_span(&secret), PGP_INVALID, "secret key", &info);
    pgp_certificate_info_free(&info);
    expect(engine, span_of(file.data, 100), PGP_INVALID, "damaged", &info);
    expect(engine, span_of("", 0), PGP_INVALID, "no public key", &info);
    assert_int_equal(fixture_count_runs(&s->f), 0);

    fixture_inspect(&s->f, engine, "rsa", &info);
    pgp_certificate_info_free(&info);
    assert_int_equal(fixture_count_runs(&s->f), 1);
    pgp_engine_close(engine);
    buf_free(&secret);
    buf_free(&file);
}

/* 900 user IDs, each with a self-signature that is wrong: GnuPG alone would try each on each. */
static void A14_wrong_self_signatures_cost_little(void **state)
{
    struct state *s = *state;
    struct pgp_certificate_info info;
    struct pgp_packet signature;
    struct buf file, flood;
    struct span rest;
    time_t start = time(NULL);
    struct error err;

    fixture_read(&s->f, "rsa", &file);
    rest = buf_span(&file);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pgp_packet_next(&rest, &signature, &err), STATUS_OK);
    assert_int_equal(signature.tag, PGP_TAG_SIGNATURE);
    buf_init(&flood, PGP_CERTIFICATE_MAX);
    buf_append(&flood, file.data, (size_t)(rest.p - (const char *)file.data));
    for (int i = 0; i < 900; i++) {
        char user_id[40];

        snprintf(user_id, sizeof user_id, "user%d@example.org", i);
        packet_add(&flood, PGP_TAG_USER_ID, span_str(user_id), 0);
        buf_append_span(&flood, signature.whole);
        flood.data[flood.len - 20] ^= (uint8_t)(i % 255 + 1);
    }
    buf_append_span(&flood, rest);
    assert_int_equal(pgp_certificate_inspect(s->engine, buf_span(&flood), start, &info, &err), STATUS_OK);
    assert_int_equal(info.fitness, PGP_USABLE);
    assert_int_equal(info.n_addresses, 1);
    /* It takes less than 0.2 s; without our gpg.conf more than half a minute. */
    assert_in_range(time(NULL) - start, 0, 5);
    pgp_certificate_info_free(&info);
    buf_free(&file);
    buf_free(&flood);
}

/* ---- certificates of other implementations ---- */

static void corpus_certificates_are_judged(void **state)
{
    static const struct {
        const char *name;
        enum pgp_fitness fitness;
        const char *algorithm;
    } cases[] = {
        {"certificates/alice.pgp", PGP_USABLE, "cv25519"},
        {"certificates/bob.pgp", PGP_USABLE, "rsa3072"},
        {"certificates/carol.pgp", PGP_USABLE, "elg3072"},
        {"certificates/ricarda.pgp", PGP_USABLE, "rsa3072"},
        {"certificates/john.pgp", PGP_UNSUPPORTED, ""},
        {"revoked-key/revoked-key-cert-not-revoked.pgp", PGP_NO_ENCRYPTION_KEY, ""},
        {"revoked-key/revoked-key-cert-revoked-compromised.pgp", PGP_REVOKED, ""},
        {"revoked-key/revoked-key-cert-revoked-superseded.pgp", PGP_REVOKED, ""},
        {"revoked-key/revoked-key-cert-revoked-private.pgp", PGP_REVOKED, ""},
        {"revoked-key/revoked-key-cert-revoked-no_subpacket.pgp", PGP_REVOKED, ""},
    };
    static const char folder[] = "certificates/marinthiercelin+openpgp-interoperability-test-suite/data";
    const char *corpus = getenv("SEALGATE_CORPUS");
    struct state *s = *state;
    char path[4000];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pgp_certificate_info info;
        struct pgp_certificates list;
        struct error err = {0};
        struct buf file;

        snprintf(path, sizeof path, "%s/%s/%s", corpus ? corpus : "../shared/corpus", folder, cases[i].name);
        if (access(path, R_OK) != 0) {
            print_message("skipped: no corpus at %s\n", path);
            skip();
        }
        fixture_read(NULL, path, &file);
        assert_int_equal(pgp_certificates_split(buf_span(&file), 1, &list, &err), STATUS_OK);
        assert_int_equal(
            pgp_certificate_inspect(s->engine, buf_span(&list.items[0]), time(NULL), &info, &err), STATUS_OK);
        if (info.fitness != cases[i].fitness || strcmp(info.algorithm, cases[i].algorithm) != 0)
            fail_msg("%s: %d \"%s\" %s", path, info.fitness, info.reason, info.algorithm);
        assert_int_equal(info.n_addresses, 1);
        pgp_certificate_info_free(&info);
        pgp_certificates_free(&list);
        buf_free(&file);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fitness_and_reason_are_told),
        cmocka_unit_test(key_ids_are_those_of_gpg),
        cmocka_unit_test(A13_revoked_user_ids_and_comments_give_no_address),
        cmocka_unit_test(dates_are_judged_at_the_given_time),
        cmocka_unit_test(altered_certificates_are_invalid),
        cmocka_unit_test(every_truncation_is_unusable_or_shorter),
        cmocka_unit_test(other_versions_are_unsupported),
        cmocka_unit_test(A14_gpg_never_sees_floods_and_secrets),
        cmocka_unit_test(A14_wrong_self_signatures_cost_little),
        cmocka_unit_test(corpus_certificates_are_judged),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
