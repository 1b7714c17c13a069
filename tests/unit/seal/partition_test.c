/*
 * Who can open what, as a property of real copies: for random recipients, places (To, Cc, Bcc), missing keys
 * and rules, each recipient has one copy, sealed to the keys of those in it and its archive and to no others,
 * and no copy names another Bcc (A10, promises 5 and 7).
 */
#include "tests/unit/seal/talk.h"

#include "gateway/message/sealed_form.h"
#include "pgp/message.h"
#include "smime/message.h"

#define ROUNDS 150

enum place { NOWHERE, IN_TO, IN_CC, IN_BCC, HIDDEN };

static const char *const net[] = {"*@example.net"};
static const char *const dave_only[] = {"dave@example.com"};
static const char *const olga[] = {"olga@example.org"};
static const char *const ivan[] = {"ivan@example.net"};

/* An archive with an OpenPGP key for example.net, whose S/MIME people must wait; one with S/MIME for dave. */
static const struct policy_rule rules[] = {
    {.name = "net",
     .recipients = net,
     .n_recipients = 1,
     .protect = PROTECT_REQUIRE,
     .on_missing_key = MISSING_HOLD,
     .treatment = {.archive = olga, .n_archive = 1}},
    {.name = "dave",
     .recipients = dave_only,
     .n_recipients = 1,
     .protect = PROTECT_PREFER,
     .on_missing_key = MISSING_HOLD,
     .treatment = {.archive = ivan, .n_archive = 1, .cipher = CIPHER_GCM}},
    {.name = "default", .protect = PROTECT_REQUIRE, .on_missing_key = MISSING_HOLD},
};
static const struct policy_settings policy = {.rules = rules, .n_rules = sizeof rules / sizeof *rules};

struct round {
    unsigned seed;
    enum place place[PEOPLE];
    char message[4000];
    const char *to[PEOPLE + 1];
};

static unsigned next(unsigned *state, unsigned below)
{
    *state = *state * 1103515245u + 12345u;
    return (*state >> 16) % below;
}

static void add_field(struct round *round, const char *name, enum place place)
{
    size_t len = strlen(round->message);
    const char *separator = "";
    bool any = false;
    for (enum who who = 0; who < PEOPLE; who++)
        any = any || round->place[who] == place;
    if (!any)
        return;
    len += (size_t)snprintf(round->message + len, sizeof round->message - len, "%s: ", name);
    for (enum who who = 0; who < PEOPLE; who++) {
        if (round->place[who] != place)
            continue;
        len += (size_t)snprintf(round->message + len, sizeof round->message - len, "%s%s", separator,
                                people[who].address);
        separator = ",\r\n ";
    }
    snprintf(round->message + len, sizeof round->message - len, "\r\n");
}

static void make_round(struct world *w, struct round *round, unsigned seed)
{
    unsigned r = seed;
    size_t n = 0;
    *round = (struct round){.seed = seed};
    for (enum who who = 0; who < PEOPLE; who++) {
        round->place[who] = next(&r, 5);
        w->keys->unknown[who] = next(&r, 8) == 0;
        w->keys->unusable[who] = next(&r, 8) == 0;
        if (round->place[who] != NOWHERE)
            round->to[n++] = people[who].address;
    }
    if (n == 0) {
        round->place[BOB] = IN_TO;
        round->to[n++] = people[BOB].address;
    }
    snprintf(round->message, sizeof round->message, "From: alice@example.org\r\n");
    add_field(round, "To", IN_TO);
    add_field(round, "Cc", IN_CC);
    add_field(round, "Bcc", IN_BCC);
    strcat(round->message, "Subject: partition\r\n\r\nCANARY\r\n");
}

static enum who who_is(const char *address)
{
    for (enum who who = 0; who < PEOPLE; who++)
        if (strcmp(people[who].address, address) == 0)
            return who;
    fail_msg("a copy for %s", address);
    return PEOPLE;
}

static bool is_named(const struct round *round, enum who who)
{
    return round->place[who] == IN_TO || round->place[who] == IN_CC;
}

/* Which of the people can open BODY, as they were before the round's own lookups; *N_OUT: keys in it. */
static void readers_of(const struct world *w, struct span body, bool opens[PEOPLE], size_t *n_out)
{
    struct message_parts parts;
    struct sealed_content content;
    struct error err;
    message_split(body, &parts);
    assert_int_equal(sealed_form_find(&parts, &content, &err), STATUS_OK);
    if (content.form == SEALED_FORM_PGP_MIME) {
        struct pgp_message message;
        assert_int_equal(pgp_message_read(content.content, &message, &err), STATUS_OK);
        for (enum who who = 0; who < PEOPLE; who++)
            for (size_t i = 0; i < message.n_keyids; i++)
                for (size_t k = 0; k < w->certificates[who].n_keyids; k++)
                    opens[who] = opens[who] || message.keyids[i] == w->certificates[who].keyids[k];
        *n_out = message.n_keyids;
        pgp_message_free(&message);
    } else {
        struct smime_message *message;
        assert_int_equal(content.form, SEALED_FORM_SMIME);
        assert_int_equal(smime_message_read(content.content, &message, &err), STATUS_OK);
        for (enum who who = 0; who < PEOPLE; who++)
            opens[who] = smime_message_is_for(message, buf_span(&w->certificates[who].bytes));
        *n_out = smime_message_recipients(message);
        smime_message_free(message);
    }
    sealed_content_free(&content);
}

static void see_readers(const struct world *w, const struct round *round, const struct store_copy *copy,
                        struct span body)
{
    bool expected[PEOPLE] = {false}, opens[PEOPLE] = {false};
    size_t n_expected = 0, n = 0;
    for (size_t i = 0; i < copy->n_recipients; i++) {
        enum who who = who_is(copy->recipients[i].address);
        expected[who] = true;
        if (strcmp(copy->recipients[i].rule, "net") == 0)
            expected[OLGA] = true;
        if (strcmp(copy->recipients[i].rule, "dave") == 0)
            expected[IVAN] = true;
    }
    readers_of(w, body, opens, &n);
    for (enum who who = 0; who < PEOPLE; who++) {
        n_expected += expected[who];
        if (opens[who] != expected[who])
            fail_msg("seed %u: %s %s open a copy", round->seed, people[who].name,
                     opens[who] ? "can" : "cannot");
    }
    assert_int_equal(n, n_expected);
}

/* Nobody who is not named stands in another's copy, and who is not named is alone in theirs. */
static void see_hidden(const struct round *round, const struct store_copy *copy, struct span body)
{
    for (enum who who = 0; who < PEOPLE; who++)
        if (!is_named(round, who) && holds(body, span_str(people[who].address)))
            fail_msg("seed %u: a copy names %s", round->seed, people[who].name);
    for (size_t i = 0; i < copy->n_recipients; i++)
        if (copy->n_recipients > 1 && !is_named(round, who_is(copy->recipients[i].address)))
            fail_msg("seed %u: a Bcc recipient shares a copy", round->seed);
}

/* Who has a usable key, and whose archive has one of the same format, is sealed to; all others wait. */
static bool can_be_sealed(const struct world *w, enum who who)
{
    bool usable = !w->keys->unknown[who] && !w->keys->unusable[who];
    bool in_net = strstr(people[who].address, "@example.net") != NULL;
    enum who archive = in_net ? OLGA : IVAN;
    if (!usable || (!in_net && who != DAVE))
        return usable;
    return people[archive].format == people[who].format && !w->keys->unknown[archive] &&
           !w->keys->unusable[archive];
}

static void see_round(const struct world *w, const struct round *round, const struct result *r)
{
    size_t seen[PEOPLE] = {0};
    for (size_t i = 0; i < r->store.n_copies; i++) {
        const struct store_copy *copy = &r->store.copies[i];
        for (size_t k = 0; k < copy->n_recipients; k++) {
            enum who who = who_is(copy->recipients[k].address);
            seen[who]++;
            bool sealed = copy->state == COPY_QUEUED && copy->format > FORMAT_CLEAR;
            /* dave's rule prefers: he may get clear text when he has no key, never for want of the archive's.
             */
            bool clear = copy->format == FORMAT_CLEAR;
            bool usable = !w->keys->unknown[who] && !w->keys->unusable[who];
            if (clear && (who != DAVE || usable))
                fail_msg("seed %u: %s gets clear text", round->seed, people[who].name);
            if (sealed != can_be_sealed(w, who))
                fail_msg("seed %u: %s is %ssealed to", round->seed, people[who].name, sealed ? "" : "not ");
        }
        if (copy->format <= FORMAT_CLEAR)
            continue;
        see_readers(w, round, copy, result_body(r, copy));
        see_hidden(round, copy, result_body(r, copy));
    }
    for (enum who who = 0; who < PEOPLE; who++)
        if (seen[who] != (round->place[who] != NOWHERE))
            fail_msg("seed %u: %s has %zu copies", round->seed, people[who].name, seen[who]);
}

static void a10_each_copy_is_sealed_to_its_own_and_no_more(void **state)
{
    struct world *w = *state;
    size_t sealed = 0;
    for (unsigned seed = 1; seed <= ROUNDS; seed++) {
        struct round round;
        struct result r;
        make_round(w, &round, seed);
        talk_submit(w, round.to, span_str(round.message), &r);
        if (!r.passed_on)
            fail_msg("seed %u: %s", seed, r.reply.text);
        see_round(w, &round, &r);
        for (size_t i = 0; i < r.store.n_copies; i++)
            sealed += r.store.copies[i].format > FORMAT_CLEAR;
        result_free(&r);
    }
    assert_true(sealed > ROUNDS);
}

static int start(void **state)
{
    struct world *w = malloc(sizeof *w);
    assert_non_null(w);
    g_mime_init();
    world_make(w);
    w->settings.policy = &policy;
    world_start(w);
    *state = w;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a10_each_copy_is_sealed_to_its_own_and_no_more),
    };
    return cmocka_run_group_tests(tests, start, talk_group_end);
}
