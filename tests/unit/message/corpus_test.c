/* Real messages, made into what a client would submit: CRLF line ends, no mbox "From " line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/message/inspect.h"
#include "gateway/message/outer.h"
#include "gateway/message/prescan.h"
#include "gateway/message/protect.h"
#include "tests/unit/message/gmime_size.h"

static const struct prescan_limits limits = {
    .header_max = 1048576, .parts_max = 1000, .depth_max = 50, .field_max = 524288, .fields_max = 1000};

static const char *corpus(void)
{
    const char *folder = getenv("SEALGATE_CORPUS");
    return folder ? folder : "../shared/corpus";
}

/* False: no such file. */
static bool read_as_submitted(const char *path, struct buf *out)
{
    FILE *in = fopen(path, "rb");
    if (!in)
        return false;
    char *line = NULL;
    size_t size = 0;
    ssize_t len;
    for (bool first = true; (len = getline(&line, &size, in)) > 0; first = false) {
        if (first && strncmp(line, "From ", 5) == 0)
            continue;
        if (line[len - 1] == '\n')
            len--;
        if (len > 0 && line[len - 1] == '\r')
            len--;
        for (ssize_t i = 0; i < len; i++) {
            if (line[i] != '\r')
                buf_append_char(out, line[i]);
        }
        buf_append_str(out, "\r\n");
    }
    free(line);
    fclose(in);
    assert_false(out->failed);
    return true;
}

/* The body is the same memory; every field but Bcc stands inside, byte for byte, but for the one
 * Content-Type. */
static void assert_protected(const struct message_parts *parts, const char *name)
{
    struct protect_order order = {.parts = parts, .smtputf8 = true, .encrypted = true};
    for (order.policy = PROTECT_HCP_NONE; order.policy <= PROTECT_HCP_SHY; order.policy++) {
        struct protected protected;
        struct error err;
        struct header_field field;
        struct span at = parts->header, body = span_of(NULL, 0);
        enum status status = protect_message(&order, &protected, &err);
        if (status == STATUS_INVALID) /* 8-bit fields that are no UTF-8 cannot stand outside */
            continue;
        assert_int_equal(status, STATUS_OK);
        struct span head = protected.pieces[0];
        for (size_t i = 1; i < protected.n_pieces; i++)
            if (protected.pieces[i].p == parts->body.p)
                body = protected.pieces[i];
        if (parts->body.len > 0 && !span_eq(body, parts->body))
            fail_msg("%s: its body is not the same", name);
        while (header_next(&at, &field)) {
            bool kept = memmem(head.p, head.len, field.raw.p, field.raw.len) != NULL;
            if (!kept && !outer_is_blind(&field) && !span_is(field.name, "Content-Type"))
                fail_msg("%s: %.*s is lost", name, (int)field.raw.len, field.raw.p);
        }
        struct message_parts made;
        message_split(head, &made);
        assert_false(header_find(made.header, "Bcc", 0, &field));
        assert_false(header_find(buf_span(&protected.outer), "Bcc", 0, &field));
        protected_free(&protected);
    }
}

static void assert_sound(struct span message, const char *name)
{
    struct error err;
    if (prescan_message(message, &limits, &err) != STATUS_OK)
        fail_msg("%s: %s", name, err.text);
    struct message_facts facts;
    assert_int_equal(message_inspect(message, &facts, NULL), STATUS_OK);
    assert_non_null(facts.subject);
    assert_non_null(facts.content_type);
    message_facts_free(&facts);

    struct message_parts parts;
    message_split(message, &parts);
    assert_protected(&parts, name);
}

/* GMime must not find more than the tightest limits that let it through. */
static void assert_counted(struct span message)
{
    struct gmime_size size = gmime_size_of(message);
    struct prescan_limits tight = limits;
    if (size.parts > 0) {
        tight.parts_max = size.parts - 1;
        assert_int_equal(prescan_message(message, &tight, NULL), STATUS_LIMIT);
    }
    tight = limits;
    if (size.depth > 0) {
        tight.depth_max = size.depth - 1;
        assert_int_equal(prescan_message(message, &tight, NULL), STATUS_LIMIT);
    }
}

static void real_messages_pass_whole(void **state)
{
    (void)state;
    char path[1024], list[1024];
    snprintf(list, sizeof list, "%s/messages.tsv", corpus());
    FILE *in = fopen(list, "r");
    if (!in) {
        print_message("no corpus at %s (SEALGATE_CORPUS): skipped\n", corpus());
        skip();
    }
    char name[512];
    unsigned n = 0;
    while (fscanf(in, "%511[^\t\n]%*[^\n]\n", name) == 1) {
        snprintf(path, sizeof path, "%s/messages/%s", corpus(), name);
        struct buf message;
        buf_init(&message, 1u << 26);
        if (read_as_submitted(path, &message)) {
            assert_sound(buf_span(&message), name);
            assert_counted(buf_span(&message));
            n++;
        }
        buf_free(&message);
    }
    fclose(in);
    assert_in_range(n, 50, 10000);
}

static int begin(void **state)
{
    (void)state;
    message_inspect_start();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_messages_pass_whole),
    };
    return cmocka_run_group_tests(tests, begin, NULL);
}
