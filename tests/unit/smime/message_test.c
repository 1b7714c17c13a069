#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "smime/message.h"
#include "tests/unit/smime/made.h"
#include "tests/unit/smime/people.h"

#define MESSAGE_MAX (4u << 20)

struct row {
    const char *arguments; /* of openssl cms; what stands in the folder: text, empty, bob.pem, alice.pem */
    size_t recipients;     /* 0: refused */
    const char *problem;
    bool bob, alice;
};

#define ENCRYPT "-encrypt -binary -outform DER -in text "

static const struct row rows[] = {
    {ENCRYPT "bob.pem", 1, NULL, true, false},
    {ENCRYPT "bob.pem alice.pem", 2, NULL, true, true},
    {ENCRYPT "-stream bob.pem alice.pem", 2, NULL, true, true},
    {ENCRYPT "-stream -aes128 alice.pem", 1, NULL, false, true},
    {ENCRYPT "-aes-192-cbc bob.pem", 1, NULL, true, false},
    {ENCRYPT "-des3 bob.pem", 1, NULL, true, false},
    {ENCRYPT "-aes-256-gcm bob.pem alice.pem", 2, NULL, true, true},
    {ENCRYPT "-stream -aes-128-gcm bob.pem", 1, NULL, true, false},
    {ENCRYPT "-keyid bob.pem", 1, NULL, true, false},
    {ENCRYPT "-keyid -stream alice.pem", 1, NULL, false, true},
    {ENCRYPT "-recip bob.pem -keyopt rsa_padding_mode:oaep", 1, NULL, true, false},
    {ENCRYPT "-pwri_password secret", 0, "password", false, false},
    {ENCRYPT "-pwri_password secret bob.pem", 0, "password", false, false},
    {ENCRYPT "-secretkey 000102030405060708090A0B0C0D0E0F -secretkeyid 01 bob.pem", 0, "password", false,
     false},
    {ENCRYPT "-camellia128 bob.pem", 0, "cipher", false, false},
    {"-encrypt -binary -outform DER -in empty -aes-256-gcm bob.pem", 0, "empty", false, false},
    {"-sign -binary -nodetach -outform DER -in text -signer bob.pem -inkey bob.key", 0, "not encrypted",
     false, false},
    {"-data_create -binary -outform DER -in text", 0, "", false, false},
    {"-digest_create -binary -outform DER -in text", 0, "not encrypted", false, false},
    {"-EncryptedData_encrypt -secretkey 000102030405060708090A0B0C0D0E0F -aes128 -outform DER -in text", 0,
     "not encrypted", false, false},
};

static void try_row(const struct state *s, const struct row *row, struct span message)
{
    struct smime_message *read = NULL;
    struct error err = {0};
    enum status status = smime_message_read(message, &read, &err);
    print_message("%s: %s %s\n", row->arguments, status_word(status), err.text);
    if (row->recipients == 0) {
        assert_int_equal(status, STATUS_INVALID);
        assert_non_null(strstr(err.text, row->problem));
        assert_null(read);
        return;
    }
    assert_int_equal(status, STATUS_OK);
    assert_int_equal(smime_message_recipients(read), row->recipients);
    assert_int_equal(smime_message_is_for(read, s->people[BOB].der), row->bob);
    assert_int_equal(smime_message_is_for(read, s->people[ALICE].der), row->alice);
    assert_false(smime_message_is_for(read, s->people[BOB_OTHER].der));
    assert_false(smime_message_is_for(read, s->people[ALICE_OTHER_ISSUER].der));
    assert_false(smime_message_is_for(read, span_str("junk")));
    smime_message_free(read);
}

/* Nothing that was cut off anywhere, and nothing with more behind it. */
static void try_lengths(struct buf *message)
{
    struct smime_message *read = NULL;
    for (size_t len = 0; len < message->len; len++) {
        uint8_t *exact = malloc(len + 1);
        assert_non_null(exact);
        memcpy(exact, message->data, len);
        assert_int_equal(smime_message_read(span_of(exact, len), &read, NULL), STATUS_INVALID);
        free(exact);
    }
    buf_append(message, "", 1);
    assert_int_equal(smime_message_read(buf_span(message), &read, NULL), STATUS_INVALID);
}

static void test_a12_what_others_made(void **state)
{
    struct state *s = *state;
    char folder[] = "/tmp/message.XXXXXX";
    made_folder(folder, &s->people[BOB], &s->people[ALICE]);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        made_by_openssl(folder, rows[i].arguments, &s->out);
        try_row(s, &rows[i], buf_span(&s->out));
        try_lengths(&s->out);
    }
    made_free(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a12_what_others_made)};
    return cmocka_run_group_tests(tests, make_people, free_people);
}
