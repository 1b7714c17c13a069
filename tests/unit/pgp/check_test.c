/* pgp_check_message: nothing but one whole message for exactly the intended keys gets through. */
#include "tests/unit/pgp/fixture.h"

#include "tests/unit/pgp/armoring.h"

#define PLAINTEXT_LEN 100
#define SEIPD_FILL                                                                                           \
    (PLAINTEXT_LEN + 40) /* with the version octet: the smallest that can hold the plaintext                 \
                          */

static const uint64_t alice_keyids[] = {0x1111111111111111, 0x1212121212121212};
static const uint64_t bob_keyids[] = {0x2222222222222222};
static const struct pgp_expected expected[] = {{alice_keyids, 2}, {bob_keyids, 1}};

static void add_pkesk(struct buf *out, unsigned char version, unsigned char keyid_octet)
{
    unsigned char head[10] = {version};

    memset(head + 1, keyid_octet, 8);
    head[9] = 1;
    packet_add(out, 1, span_of(head, sizeof head), 30);
}

/* SEIPD in two parts: 512 octets, then the rest. */
static void add_partial_seipd(struct buf *out, unsigned char first_part, size_t fill)
{
    unsigned char head[3] = {0xd2, first_part, 1};

    buf_append(out, head, sizeof head);
    for (size_t i = 1; i < ((size_t)1 << (first_part & 0x1f)); i++)
        buf_append_char(out, 'x');
    buf_append_char(out, (char)fill);
    for (size_t i = 0; i < fill; i++)
        buf_append_char(out, 'x');
}

/* Appends the packet that a letter of a test's name for a message stands for. */
static void add_packet(struct buf *out, char letter)
{
    switch (letter) {
    case 'a':
        add_pkesk(out, 3, 0x11);
        break;
    case 'A':
        add_pkesk(out, 3, 0x12);
        break;
    case 'b':
        add_pkesk(out, 3, 0x22);
        break;
    case 'x':
        add_pkesk(out, 3, 0x33);
        break;
    case 'h':
        add_pkesk(out, 3, 0x00);
        break;
    case 'v':
        add_pkesk(out, 6, 0x11);
        break;
    case 'e':
        packet_add(out, 1, span_str("\3\x11\x11\x11\x11\x11\x11\x11\x11\1"), 0);
        break;
    case 'k':
        packet_add(out, 3, span_str("\4\7\3\10"), 12);
        break;
    case 'm':
        packet_add(out, 10, span_str("PGP"), 0);
        break;
    case 'l':
        packet_add(out, 11, span_of("b\0\0\0\0\0", 6), 20);
        break;
    case 'c':
        packet_add(out, 8, span_str(""), 50);
        break;
    case 'd':
        packet_add(out, 9, span_str(""), 200);
        break;
    case 'S':
        packet_add(out, 18, span_str("\1"), SEIPD_FILL);
        break;
    case 's':
        packet_add(out, 18, span_str("\1"), SEIPD_FILL - 1);
        break;
    case '0':
        packet_add(out, 18, span_str(""), 0);
        break;
    case '2':
        packet_add(out, 18, span_str("\2"), 200);
        break;
    case 'P':
        add_partial_seipd(out, 0xe9, 7);
        break;
    case 'p':
        add_partial_seipd(out, 0xe8, 7);
        break;
    case 'z':
        buf_append(out, "\0", 1);
        break;
    case 'o':
        buf_append(out, "\xcb\xff\xff\xff\xff\xff", 6);
        break; /* a packet of 4 GiB */
    case 'i':
        buf_append_str(out, "\xa7"
                            "abc");
        break; /* indeterminate length */
    default:
        fail();
    }
}

static void make_message(struct buf *armored, const char *letters)
{
    struct buf data;

    buf_init(&data, 1u << 16);
    buf_init(armored, 1u << 16);
    for (const char *p = letters; *p; p++)
        add_packet(&data, *p);
    armor_block(armored, "MESSAGE", buf_span(&data), 64, "\r\n");
    buf_free(&data);
}

static enum status check(struct span armored, struct error *err)
{
    *err = (struct error){0};
    return pgp_check_message(armored, expected, 2, PLAINTEXT_LEN, err);
}

static void A12_only_one_pkesk_each_and_one_seipd(void **state)
{
    static const struct {
        const char *letters, *why; /* NULL: it is right */
    } cases[] = {
        {"abS", NULL},
        {"baS", NULL},
        {"AbS", NULL},
        {"abP", NULL},
        {"S", "no PKESK for one"},
        {"aS", "no PKESK for one"},
        {"bS", "no PKESK for one"},
        {"aabS", "more than one PKESK"},
        {"aAbS", "more than one PKESK"},
        {"abxS", "not a recipient's"},
        {"abhS", "hidden"},
        {"ahS", "hidden"},
        {"vbS", "version 3"},
        {"ebS", "version 3"},
        {"abkS", "password"},
        {"kabS", "no PKESK"},
        {"abd", "without MDC"},
        {"ab", "missing"},
        {"abmS", "neither"},
        {"mabS", "no PKESK"},
        {"abl", "neither"},
        {"abc", "neither"},
        {"lab", "no PKESK"},
        {"ab2", "version 1"},
        {"ab0", "version 1"},
        {"abs", "shorter"},
        {"abp", "512 octets"},
        {"abSS", "behind"},
        {"abSabS", "behind"},
        {"abSl", "behind"},
        {"abSz", "behind"},
        {"abo", "neither"},
        {"abi", "without MDC"},
        {"zabS", "no PKESK"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf armored;
        struct error err;
        enum status status;

        make_message(&armored, cases[i].letters);
        status = check(buf_span(&armored), &err);
        if (status != (cases[i].why ? STATUS_INTERNAL : STATUS_OK) ||
            (cases[i].why && !strstr(err.text, cases[i].why)))
            fail_msg("%s: %s \"%s\"", cases[i].letters, status_word(status), err.text);
        buf_free(&armored);
    }
}

static void two_recipients_may_share_a_key(void **state)
{
    static const struct pgp_expected shared[] = {{alice_keyids, 1}, {alice_keyids, 2}};
    struct buf armored;
    struct error err;

    (void)state;
    make_message(&armored, "aS");
    assert_int_equal(pgp_check_message(buf_span(&armored), shared, 2, PLAINTEXT_LEN, &err), STATUS_OK);
    assert_int_equal(pgp_check_message(buf_span(&armored), shared, 0, PLAINTEXT_LEN, &err), STATUS_INTERNAL);
    buf_free(&armored);
}

static void R5_every_truncation_is_refused(void **state)
{
    struct buf armored, data, again;
    struct error err;

    (void)state;
    make_message(&armored, "abP");
    for (size_t len = 0; len < armored.len; len++)
        assert_int_equal(check(span_of(armored.data, len), &err), STATUS_INTERNAL);
    buf_free(&armored);

    /* Cut before it was armored, so that armor and CRC are right. */
    buf_init(&data, 4096);
    buf_init(&again, 8192);
    for (const char *p = "abP"; *p; p++)
        add_packet(&data, *p);
    for (size_t len = 1; len < data.len; len++) {
        buf_reset(&again);
        armor_block(&again, "MESSAGE", span_of(data.data, len), 64, "\r\n");
        assert_int_equal(check(buf_span(&again), &err), STATUS_INTERNAL);
    }
    buf_free(&data);
    buf_free(&again);
}

static void A11_every_flipped_bit_is_refused(void **state)
{
    struct buf armored;
    struct error err;

    (void)state;
    make_message(&armored, "abS");
    for (size_t i = 0; i < armored.len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            armored.data[i] ^= (uint8_t)(1 << bit);
            if (check(buf_span(&armored), &err) != STATUS_INTERNAL)
                fail_msg("bit %d of byte %zu", bit, i);
            armored.data[i] ^= (uint8_t)(1 << bit);
        }
    }
    assert_int_equal(check(buf_span(&armored), &err), STATUS_OK);
    buf_free(&armored);
}

/* The first FIND in the message becomes REPLACE. */
static void replace(struct buf *out, struct buf *armored, const char *find, const char *put)
{
    const char *text = buf_str(armored), *at = strstr(text, find);

    assert_non_null(at);
    buf_init(out, 1u << 16);
    buf_append(out, text, (size_t)(at - text));
    buf_append_str(out, put);
    buf_append_str(out, at + strlen(find));
}

static void A12_armor_has_one_form_only(void **state)
{
    static const struct {
        const char *find, *put;
    } cases[] = {
        {"-----BEGIN", "hello\r\n-----BEGIN"},
        {"-----BEGIN", "\r\n-----BEGIN"},
        {"-----BEGIN", " -----BEGIN"},
        {"-----BEGIN PGP MESSAGE-----", "-----begin pgp message-----"},
        {"-----BEGIN PGP MESSAGE-----", "-----BEGIN PGP SIGNATURE-----"},
        {"-----BEGIN PGP MESSAGE-----", "-----BEGIN PGP MESSAGE, PART 1/2-----"},
        {"MESSAGE-----\r\n\r\n", "MESSAGE-----\r\nVersion: 1\r\n\r\n"},
        {"MESSAGE-----\r\n\r\n", "MESSAGE-----\r\nComment: the secret text\r\n\r\n"},
        {"MESSAGE-----\r\n\r\n", "MESSAGE-----\r\n"},
        {"MESSAGE-----\r\n\r\n", "MESSAGE-----\r\n\r\n\r\n"},
        {"MESSAGE-----\r\n\r\n", "MESSAGE-----\r\n\n"},
        {"MESSAGE-----\r\n\r\n", "MESSAGE-----\n\n"},
        {"\r\n=", "\r\n\r\n="},
        {"\r\n=", "="},
        {"\r\n-----END", "\n-----END"},
        {"\r\n-----END", "\r\n\r\n-----END"},
        {"\r\n-----END", "\r\nhello\r\n-----END"},
        {"-----END PGP MESSAGE-----\r\n", "-----END PGP MESSAGE-----"},
        {"-----END PGP MESSAGE-----\r\n", "-----END PGP MESSAGE-----\n"},
        {"-----END PGP MESSAGE-----\r\n", "-----END PGP MESSAGE-----\r\n\r\n"},
        {"-----END PGP MESSAGE-----\r\n", "-----END PGP MESSAGE-----\r\nhello\r\n"},
        {"-----END PGP MESSAGE-----\r\n", "-----END PGP PUBLIC KEY BLOCK-----\r\n"},
        {"-----END PGP MESSAGE-----\r\n", ""},
    };
    struct buf armored, altered;
    struct error err;

    (void)state;
    make_message(&armored, "abS");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        replace(&altered, &armored, cases[i].find, cases[i].put);
        if (check(buf_span(&altered), &err) != STATUS_INTERNAL)
            fail_msg("%s -> %s", cases[i].find, cases[i].put);
        buf_free(&altered);
    }
    buf_free(&armored);
}

static void other_line_lengths_and_ends_are_refused(void **state)
{
    static const struct {
        size_t width;
        const char *eol;
    } cases[] = {{64, "\n"}, {60, "\r\n"}, {76, "\r\n"}, {4, "\r\n"}, {64, " \r\n"}, {64, "\r\r\n"}};
    struct buf data, armored;
    struct error err;

    (void)state;
    buf_init(&data, 4096);
    for (const char *p = "abS"; *p; p++)
        add_packet(&data, *p);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buf_init(&armored, 8192);
        armor_block(&armored, "MESSAGE", buf_span(&data), cases[i].width, cases[i].eol);
        assert_int_equal(check(buf_span(&armored), &err), STATUS_INTERNAL);
        buf_free(&armored);
    }
    buf_free(&data);
}

static void two_messages_and_no_message_are_refused(void **state)
{
    struct buf armored, twice;
    struct error err;

    (void)state;
    make_message(&armored, "abS");
    buf_init(&twice, 1u << 16);
    buf_append_span(&twice, buf_span(&armored));
    buf_append_span(&twice, buf_span(&armored));
    assert_int_equal(check(buf_span(&twice), &err), STATUS_INTERNAL);
    assert_int_equal(check(span_of(NULL, 0), &err), STATUS_INTERNAL);
    assert_int_equal(check(span_str("Meet me at noon.\r\n"), &err), STATUS_INTERNAL);
    assert_int_equal(
        check(span_str("-----BEGIN PGP MESSAGE-----\r\n\r\n=twTO\r\n-----END PGP MESSAGE-----\r\n"), &err),
        STATUS_INTERNAL);
    buf_free(&armored);
    buf_free(&twice);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(A12_only_one_pkesk_each_and_one_seipd),
        cmocka_unit_test(two_recipients_may_share_a_key),
        cmocka_unit_test(R5_every_truncation_is_refused),
        cmocka_unit_test(A11_every_flipped_bit_is_refused),
        cmocka_unit_test(A12_armor_has_one_form_only),
        cmocka_unit_test(other_line_lengths_and_ends_are_refused),
        cmocka_unit_test(two_messages_and_no_message_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
