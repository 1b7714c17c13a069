/* pgp_certificates_split: armored or binary files, cut without gpg. */
#include "tests/unit/pgp/fixture.h"

#include <glob.h>

#include "pgp/transferable.h"
#include "tests/unit/pgp/armoring.h"

/* Appends the packet that a letter stands for. */
static void add_packet(struct buf *out, char letter)
{
    switch (letter) {
    case 'K':
        packet_add(out, 6, span_of("\4\x65\x92\0\x80\1\0\x08\xff\0\x03\1\0\1", 14), 0);
        break;
    case 'k':
        packet_add(out, 14, span_of("\4\x65\x92\0\x80\1\0\x08\xff\0\x03\1\0\1", 14), 0);
        break;
    case 'u':
        packet_add(out, 13, span_str("alice@example.org"), 0);
        break;
    case 's':
        packet_add(out, 2, span_str("\4"), 60);
        break;
    case 'a':
        packet_add(out, 17, span_str(""), 60);
        break;
    case 't':
        packet_add(out, 12, span_str(""), 2);
        break;
    case 'm':
        packet_add(out, 10, span_str("PGP"), 0);
        break;
    case 'd':
        packet_add(out, 21, span_str(""), 30);
        break;
    case 'p':
        packet_add(out, 60, span_str("private"), 0);
        break;
    case 'x':
        packet_add(out, 5, span_str("\4"), 60);
        break;
    case 'y':
        packet_add(out, 7, span_str("\4"), 60);
        break;
    case 'c':
        packet_add(out, 8, span_str("\0"), 100);
        break;
    case 'q':
        packet_add(out, 1, span_str("\3"), 100);
        break;
    case 'l':
        packet_add(out, 11, span_str("b"), 10);
        break;
    case '?':
        packet_add(out, 25, span_str(""), 10);
        break;
    case '!':
        buf_append(out,
                   "\xcd\x50"
                   "abc",
                   5);
        break;
    case 'z':
        buf_append(out, "\0", 1);
        break;
    default:
        fail();
    }
}

static void make(struct buf *out, const char *letters)
{
    buf_init(out, 64u << 20);
    for (const char *p = letters; *p; p++)
        add_packet(out, *p);
}

/* Splits FILE; the statuses and, when OK, the packets of each certificate must be as told. */
static void expect(const char *name, struct span file, enum status status, const char *const *want)
{
    struct pgp_certificates list;
    struct error err = {0};
    enum status got = pgp_certificates_split(file, 3, &list, &err);
    size_t n = 0;

    if (got != status)
        fail_msg("%s: %s \"%s\"", name, status_word(got), err.text);
    for (; got == STATUS_OK && want[n]; n++) {
        struct buf packets;

        make(&packets, want[n]);
        if (n >= list.n || !span_eq(buf_span(&list.items[n]), buf_span(&packets)))
            fail_msg("%s: certificate %zu of %zu differs", name, n, list.n);
        buf_free(&packets);
    }
    assert_int_equal(list.n, n);
    pgp_certificates_free(&list);
}

static const struct {
    const char *letters;
    enum status status;
    const char *want[4];
} cases[] = {
    {"Kusks", STATUS_OK, {"Kusks"}},
    {"K", STATUS_OK, {"K"}},
    {"KusksKusks", STATUS_OK, {"Kusks", "Kusks"}},
    {"KKK", STATUS_OK, {"K", "K", "K"}},
    {"KKKK", STATUS_LIMIT, {0}},
    {"mKtustastKdup", STATUS_OK, {"Kusas", "Ku"}},
    {"", STATUS_INVALID, {0}},
    {"m", STATUS_INVALID, {0}},
    {"s", STATUS_INVALID, {0}},
    {"uK", STATUS_INVALID, {0}},
    {"kK", STATUS_INVALID, {0}},
    {"xus", STATUS_INVALID, {0}},
    {"Kusys", STATUS_INVALID, {0}},
    {"Kusxus", STATUS_INVALID, {0}},
    {"Kusc", STATUS_INVALID, {0}},
    {"c", STATUS_INVALID, {0}},
    {"q", STATUS_INVALID, {0}},
    {"Kul", STATUS_INVALID, {0}},
    {"Ku?", STATUS_INVALID, {0}},
    {"Ku!", STATUS_INVALID, {0}},
    {"Kuz", STATUS_INVALID, {0}},
};

static void binary_files_are_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf file;

        make(&file, cases[i].letters);
        expect(cases[i].letters, buf_span(&file), cases[i].status, cases[i].want);
        buf_free(&file);
    }
}

static void armored_files_are_cut(void **state)
{
    static const char *const eols[] = {"\n", "\r\n", " \r\n"};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t k = 0; k < 3; k++) {
            struct buf file, armored;

            make(&file, cases[i].letters);
            buf_init(&armored, 1u << 20);
            armor_block(&armored, "PUBLIC KEY BLOCK", buf_span(&file), k ? 64 : 76, eols[k]);
            expect(cases[i].letters, buf_span(&armored), cases[i].status, cases[i].want);
            buf_free(&file);
            buf_free(&armored);
        }
    }
}

#define HEAD "-----BEGIN PGP PUBLIC KEY BLOCK-----"
#define TAIL "-----END PGP PUBLIC KEY BLOCK-----"

static void armor_from_people_has_many_forms(void **state)
{
    static const char *const one[] = {"K", NULL}, *const two[] = {"K", "K", NULL};
    static const struct {
        const char *format;
        enum status status;
        const char *const *want;
    } forms[] = {
        {HEAD "\n\n%1$s%2$s" TAIL "\n", STATUS_OK, one},
        {HEAD "\n\n%1$s%2$s" TAIL, STATUS_OK, one},
        {HEAD "\n\n%1$s" TAIL "\n", STATUS_OK, one},
        {"\xef\xbb\xbf"
         "\n" HEAD "\n\n%1$s%2$s" TAIL,
         STATUS_OK, one},
        {HEAD "\nVersion: x\nComment: y: z\nComment:\n\n%1$s%2$s" TAIL, STATUS_OK, one},
        {HEAD "\n \t\n%1$s%2$s" TAIL "\n", STATUS_OK, one},
        {"My key:\n\n" HEAD "\n\n%1$s%2$s" TAIL "\n-- \nAlice\n", STATUS_OK, one},
        {HEAD "\n\n%1$s%2$s" TAIL "\n" HEAD "\n\n%1$s%2$s" TAIL, STATUS_OK, two},
        {HEAD "\n%1$s%2$s" TAIL, STATUS_INVALID, NULL},
        {HEAD "\n\n%1$s%2$s", STATUS_INVALID, NULL},
        {HEAD "\n\n%1$s=AAAA\n" TAIL, STATUS_INVALID, NULL},
        {HEAD "\n\n%1$s%2$s%1$s" TAIL, STATUS_INVALID, NULL},
        {HEAD "\n\n%1$s%2$s%2$s" TAIL, STATUS_INVALID, NULL},
        {HEAD "\n\n%1$s*%2$s" TAIL, STATUS_INVALID, NULL},
        {HEAD "\n\n" TAIL, STATUS_INVALID, NULL},
        {HEAD "\n\n%1$s%2$s"
              "-----END PGP MESSAGE-----",
         STATUS_INVALID, NULL},
        {HEAD "\n\n%1$s%2$s" TAIL "\n-----BEGIN PGP PRIVATE KEY BLOCK-----\n", STATUS_INVALID, NULL},
        {"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n%1$s%2$s", STATUS_INVALID, NULL},
        {"-----BEGIN PGP MESSAGE-----\n\n%1$s%2$s-----END PGP MESSAGE-----\n", STATUS_INVALID, NULL},
        {"-----BEGIN CERTIFICATE-----\n%1$s-----END CERTIFICATE-----\n", STATUS_INVALID, NULL},
        {"%1$s", STATUS_INVALID, NULL},
        {"hello", STATUS_INVALID, NULL},
    };
    struct buf binary, lines, crc;
    char text[1000];

    (void)state;
    make(&binary, "K");
    buf_init(&lines, 1000);
    buf_init(&crc, 100);
    armor_lines(&lines, buf_span(&binary), 64, "\n");
    armor_crc(&crc, buf_span(&binary), "\n");
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        const char *at = forms[i].format;
        size_t n = 0;

        for (; *at; at++) {
            const char *put = strncmp(at, "%1$s", 4) == 0   ? buf_str(&lines)
                              : strncmp(at, "%2$s", 4) == 0 ? buf_str(&crc)
                                                            : NULL;

            n += (size_t)(put ? snprintf(text + n, sizeof text - n, "%s", put)
                              : snprintf(text + n, sizeof text - n, "%c", *at));
            at += put ? 3 : 0;
        }
        expect(forms[i].format, span_of(text, n), forms[i].status, forms[i].want);
    }
    buf_free(&binary);
    buf_free(&lines);
    buf_free(&crc);
}

static void every_truncation_is_refused_or_smaller(void **state)
{
    struct buf file;

    (void)state;
    make(&file, "Kusks");
    for (size_t len = 0; len < file.len; len++) {
        struct pgp_certificates list;
        struct error err;
        enum status status = pgp_certificates_split(span_of(file.data, len), 3, &list, &err);

        assert_true(status == STATUS_INVALID || list.n == 1);
        pgp_certificates_free(&list);
    }
    buf_free(&file);
}

static void A14_floods_are_refused_at_once(void **state)
{
    static const char *const none[] = {NULL}, *const one[] = {"K", NULL};
    struct buf file;
    char *big;

    (void)state;
    make(&file, "Ku");
    for (int i = 0; i < 150000; i++)
        add_packet(&file, 's');
    expect("150,000 signatures", buf_span(&file), STATUS_LIMIT, none);
    buf_free(&file);

    make(&file, "K");
    for (int i = 0; i < 150000; i++)
        add_packet(&file, 'm');
    expect("150,000 markers", buf_span(&file), STATUS_LIMIT, none);
    buf_free(&file);

    make(&file, "K");
    packet_add(&file, 17, span_str(""), PGP_CERTIFICATE_MAX);
    expect("a photo of 1 MiB", buf_span(&file), STATUS_LIMIT, none);
    buf_free(&file);

    make(&file, "K");
    expect("one key", buf_span(&file), STATUS_OK, one);
    buf_free(&file);

    big = calloc(1, 100000000);
    assert_non_null(big);
    expect("100 MB", span_of(big, 100000000), STATUS_LIMIT, none);
    free(big);
}

/* Real certificates of other implementations; the names say what they are. */
static void corpus_certificates_are_cut(void **state)
{
    static const char folder[] = "marinthiercelin+openpgp-interoperability-test-suite/data";
    const char *corpus = getenv("SEALGATE_CORPUS");
    size_t n_cut = 0;
    char pattern[4000];
    glob_t found;

    (void)state;
    snprintf(pattern, sizeof pattern, "%s/certificates/%s/*/*.pgp", corpus ? corpus : "../shared/corpus",
             folder);
    if (glob(pattern, 0, NULL, &found) != 0) {
        print_message("skipped: no corpus at %s\n", pattern);
        skip();
    }
    for (size_t i = 0; i < found.gl_pathc; i++) {
        const char *path = found.gl_pathv[i];
        bool is_bad = strstr(path, "-secret") || strstr(path, "-revocation.") || strstr(path, "/messages/") ||
                      strstr(path, "-sig-") || strstr(path, "/rsa-keys/");
        struct pgp_certificates list;
        struct error err = {0};
        enum status status;
        struct buf file;

        fixture_read(NULL, path, &file);
        status = pgp_certificates_split(buf_span(&file), 10, &list, &err);
        if (status != (is_bad ? STATUS_INVALID : STATUS_OK) || list.n != (is_bad ? 0 : 1))
            fail_msg("%s: %s \"%s\", %zu certificates", path, status_word(status), err.text, list.n);
        n_cut += list.n;
        pgp_certificates_free(&list);
        buf_free(&file);
    }
    assert_true(n_cut > 5);
    globfree(&found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(binary_files_are_cut),
        cmocka_unit_test(armored_files_are_cut),
        cmocka_unit_test(armor_from_people_has_many_forms),
        cmocka_unit_test(every_truncation_is_refused_or_smaller),
        cmocka_unit_test(A14_floods_are_refused_at_once),
        cmocka_unit_test(corpus_certificates_are_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
