/* From the words of the configuration to rules and TLS levels. */
#include "tests/unit/main/fixture.h"

#include "gateway/main/policy_conf.h"

static void each_word_has_its_value(void **state)
{
    static const struct {
        const char *rule;
        enum policy_protect protect;
        enum policy_missing missing;
    } table[] = {
        {"protect = require on-missing-key = hold", PROTECT_REQUIRE, MISSING_HOLD},
        {"protect = prefer on-missing-key = refuse", PROTECT_PREFER, MISSING_REFUSE},
        {"protect = never on-missing-key = bounce", PROTECT_NEVER, MISSING_BOUNCE},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        char rest[200];
        struct policy_settings settings;
        struct error err;
        snprintf(rest, sizeof rest, "rule a { when { user = {\"u\"} } %s }", table[i].rule);
        struct conf conf = conf_with(*state, ONE_LISTENER, rest);
        assert_int_equal(policy_from_conf(&conf, &settings, &err), STATUS_OK);
        assert_int_equal(settings.rules[0].protect, table[i].protect);
        assert_int_equal(settings.rules[0].on_missing_key, table[i].missing);
        policy_conf_free(&settings);
        assert_null(settings.rules);
        conf_free(&conf);
    }
}

static void formats_keep_their_order(void **state)
{
    static const struct {
        const char *formats;
        size_t n;
        enum certificate_format first, second;
    } table[] = {
        {"", 0, 0, 0} /* the default: all */,
        {"formats = {openpgp}", 1, CERTIFICATE_OPENPGP, 0},
        {"formats = {smime}", 1, CERTIFICATE_SMIME, 0},
        {"formats = {openpgp, smime}", 2, CERTIFICATE_OPENPGP, CERTIFICATE_SMIME},
        {"formats = {smime, openpgp}", 2, CERTIFICATE_SMIME, CERTIFICATE_OPENPGP},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        char rest[200];
        struct policy_settings settings;
        struct error err;
        snprintf(rest, sizeof rest, "rule default { protect = require %s }", table[i].formats);
        struct conf conf = conf_with(*state, ONE_LISTENER, rest);
        assert_int_equal(policy_from_conf(&conf, &settings, &err), STATUS_OK);
        const struct policy_rule *rule = &settings.rules[settings.n_rules - 1];
        assert_int_equal(rule->n_formats, table[i].n);
        if (table[i].n > 0)
            assert_int_equal(rule->formats[0], table[i].first);
        if (table[i].n > 1)
            assert_int_equal(rule->formats[1], table[i].second);
        policy_conf_free(&settings);
        conf_free(&conf);
    }
}

static void a_rule_that_cannot_be_meant_is_refused(void **state)
{
    static const struct {
        const char *rule, *why;
    } table[] = {
        {"rule odd { when { user = {\"u\"} } protect = require formats = {smime, smime} }", "twice"},
        {"rule odd { when { user = {\"u\"} } protect = require formats = {openpgp, openpgp} }", "twice"},
        {"rule odd { when { user = {\"u\"} } protect = require formats = {openpgp, smime, openpgp} }",
         "more than two"},
        {"rule odd { when { header = {\"X-Class secret\"} } protect = require }", "colon"},
        {"rule odd { when { header = {\"X-Class: secret\", \"X-Other\"} } protect = require }",
         "\"X-Other\" lacks a colon"},
        {"rule odd { when { user = {\"u\"} } protect = require archive = {\"nobody\"} }",
         "\"nobody\" is no mail address"},
        {"rule odd { when { user = {\"u\"} } protect = require archive = {\"a@x.org\", \"b@x.org\", "
         "\"c@x.org\", "
         "\"d@x.org\", \"e@x.org\", \"f@x.org\", \"g@x.org\", \"h@x.org\", \"i@x.org\"} }",
         "more than 8 addresses"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct policy_settings settings;
        struct error err;
        struct conf conf = conf_with(*state, ONE_LISTENER, table[i].rule);
        assert_int_equal(policy_from_conf(&conf, &settings, &err), STATUS_INVALID);
        assert_non_null(strstr(err.text, "rule odd"));
        if (!strstr(err.text, table[i].why))
            fail_msg("%s: %s", table[i].rule, err.text);
        conf_free(&conf);
    }
}

static void a_rule_says_how_copies_are_made(void **state)
{
    struct policy_settings settings;
    struct error err;
    struct conf conf = conf_with(
        *state, ONE_LISTENER,
        "keys { archive = {\"all@example.org\"} }\n"
        "rule one { when { user = {\"u\"} } protect = require header-protection = shy legacy-display = yes\n"
        " sign = require openpgp-form = inline smime-cipher = aes-256-gcm smime-key-transport = oaep\n"
        " encrypt-to-self = yes archive = {\"a@example.org\", \"b@example.org\"} strip-subject-tag = yes }\n"
        "rule two { when { user = {\"v\"} } protect = require header-protection = none sign = prefer\n"
        " smime-cipher = aes-256-cbc smime-key-transport = pkcs1 }\n");
    assert_int_equal(policy_from_conf(&conf, &settings, &err), STATUS_OK);
    const struct policy_treatment *one = &settings.rules[0].treatment, *two = &settings.rules[1].treatment,
                                  *last = &settings.rules[2].treatment;
    assert_int_equal(one->headers, HEADERS_SHY);
    assert_true(one->legacy_display && one->inline_pgp && one->encrypt_to_self && one->strip_subject_tag);
    assert_int_equal(one->sign, SIGN_REQUIRE);
    assert_int_equal(one->cipher, CIPHER_GCM);
    assert_int_equal(one->transport, TRANSPORT_OAEP);
    assert_int_equal(one->n_archive, 2);
    assert_string_equal(one->archive[1], "b@example.org");
    assert_int_equal(two->headers, HEADERS_NONE);
    assert_int_equal(two->sign, SIGN_PREFER);
    assert_int_equal(two->cipher, CIPHER_CBC);
    assert_int_equal(two->transport, TRANSPORT_PKCS1);
    assert_int_equal(two->n_archive, 1);
    assert_string_equal(two->archive[0], "all@example.org");
    assert_int_equal(last->headers, HEADERS_BY_FORMAT);
    assert_int_equal(last->sign, SIGN_NEVER);
    assert_int_equal(last->cipher, CIPHER_AUTO);
    assert_int_equal(last->transport, TRANSPORT_AUTO);
    assert_false(last->legacy_display || last->inline_pgp || last->encrypt_to_self ||
                 last->strip_subject_tag);
    policy_conf_free(&settings);
    conf_free(&conf);
}

static void many_rules_keep_their_strings_and_order(void **state)
{
    enum { RULES = 300 };
    struct buf rest;
    struct policy_settings settings;
    struct error err;
    buf_init(&rest, 1u << 20);
    for (int i = 0; i < RULES; i++)
        buf_printf(
            &rest,
            "rule r%d { when { sender = {\"s%d@example.org\", \".org\"} recipient = {\"@d%d.example\"} "
            "user = {\"u%d\"} subject = {\"t%d\"} header = {\"X-N: %d\"} listener = {\"l%d\"} } protect = "
            "require }\n",
            i, i, i, i, i, i, i);
    struct conf conf = conf_with(*state, ONE_LISTENER, buf_str(&rest));
    buf_free(&rest);
    assert_int_equal(policy_from_conf(&conf, &settings, &err), STATUS_OK);
    assert_int_equal(settings.n_rules, RULES + 1);
    for (int i = 0; i < RULES; i++) {
        const struct policy_rule *r = &settings.rules[i];
        char text[256];
        snprintf(text, sizeof text, "r%d s%d@example.org @d%d.example u%d t%d X-N: %d l%d", i, i, i, i, i, i,
                 i);
        char got[256];
        snprintf(got, sizeof got, "%s %s %s %s %s %s %s", r->name, r->senders[0], r->recipients[0],
                 r->users[0], r->subjects[0], r->headers[0], r->listeners[0]);
        assert_string_equal(got, text);
        assert_int_equal(r->n_senders, 2);
        assert_string_equal(r->senders[1], ".org");
    }
    const struct policy_rule *last = &settings.rules[RULES];
    assert_int_equal(last->n_senders + last->n_recipients + last->n_users + last->n_subjects +
                         last->n_headers + last->n_listeners,
                     0);
    assert_int_equal(last->protect, PROTECT_REQUIRE);
    policy_conf_free(&settings);
    conf_free(&conf);
}

static void each_tls_word_has_its_level(void **state)
{
    static const char *const words[] = {"none", "may", "encrypt", "dane", "dane-only", "verify", "secure"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        char rest[300];
        struct tls_level_settings settings;
        struct error err;
        snprintf(rest, sizeof rest,
                 "delivery { tls = %s }\ntls-policy \"a.example\" { level = %s }\n"
                 "tls-policy \".b.example\" { level = may }",
                 words[i], words[i]);
        struct conf conf = conf_with(*state, ONE_LISTENER, rest);
        assert_int_equal(tls_level_from_conf(&conf, &settings, &err), STATUS_OK);
        assert_int_equal(settings.level, i);
        assert_int_equal(settings.n_policies, 2);
        assert_string_equal(settings.policies[0].domain, "a.example");
        assert_int_equal(settings.policies[0].level, i);
        assert_string_equal(settings.policies[1].domain, ".b.example");
        assert_int_equal(settings.policies[1].level, TLS_LEVEL_MAY);
        tls_level_conf_free(&settings);
        assert_null(settings.policies);
        conf_free(&conf);
    }
}

static void a_rule_demands_a_level_or_nothing(void **state)
{
    static const enum tls_level levels[] = {TLS_LEVEL_ENCRYPT, TLS_LEVEL_DANE, TLS_LEVEL_DANE_ONLY,
                                            TLS_LEVEL_VERIFY, TLS_LEVEL_SECURE};
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        char rest[300];
        struct policy_settings policy;
        struct tls_level_settings tls;
        struct error err;
        snprintf(rest, sizeof rest,
                 "rule \"confidential\" { when { subject = {x} } protect = require tls = %s }\n"
                 "rule default { protect = prefer }\n",
                 tls_level_word(levels[i]));
        struct conf conf = conf_with(*state, ONE_LISTENER, rest);
        assert_int_equal(policy_from_conf(&conf, &policy, &err), STATUS_OK);
        assert_int_equal(policy.rules[0].treatment.tls, levels[i]);
        assert_int_equal(policy.rules[1].treatment.tls, TLS_LEVEL_NONE);
        /* The resolver must know DNSSEC where any rule asks for DANE. */
        assert_int_equal(tls_level_from_conf(&conf, &tls, &err), STATUS_OK);
        assert_int_equal(tls_level_uses_dane(&tls), i == 1 || i == 2);
        policy_conf_free(&policy);
        tls_level_conf_free(&tls);
        conf_free(&conf);
    }
}

static void no_tls_policy_is_none(void **state)
{
    struct tls_level_settings settings;
    struct error err;
    struct conf conf = conf_with(*state, ONE_LISTENER, "");
    assert_int_equal(tls_level_from_conf(&conf, &settings, &err), STATUS_OK);
    assert_int_equal(settings.n_policies, 0);
    assert_int_equal(settings.level, TLS_LEVEL_MAY);
    tls_level_conf_free(&settings);
    conf_free(&conf);
}

/* What the default rule says of form counts for notices too; whom it adds and how it signs does not. */
static void notices_are_treated_as_by_default(void **state)
{
    static const struct {
        const char *word;
        enum policy_protect protect;
    } table[] = {{"require", PROTECT_REQUIRE}, {"prefer", PROTECT_PREFER}, {"never", PROTECT_NEVER}};
    struct policy_settings settings;
    struct error err;
    struct conf conf =
        conf_with(*state, ONE_LISTENER,
                  "rule a { when { user = {\"u\"} } protect = never header-protection = none }\n"
                  "rule default { protect = never formats = {smime} header-protection = shy sign = require "
                  "smime-cipher = aes-256-gcm smime-key-transport = oaep encrypt-to-self = yes "
                  "openpgp-form = inline archive = {\"archive@example.org\"} tls = secure }");
    assert_string_equal(conf.queue_notice_protect, "prefer");
    assert_int_equal(policy_from_conf(&conf, &settings, &err), STATUS_OK);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const struct policy_rule rule =
            policy_notice_rule(&settings, policy_protect_from_conf(table[i].word));
        assert_int_equal(rule.protect, table[i].protect);
        assert_int_equal(rule.on_missing_key, MISSING_HOLD);
        assert_int_equal(rule.n_formats, 0);
        assert_int_equal(rule.treatment.headers, HEADERS_SHY);
        assert_int_equal(rule.treatment.cipher, CIPHER_GCM);
        assert_int_equal(rule.treatment.transport, TRANSPORT_OAEP);
        assert_int_equal(rule.treatment.sign, SIGN_NEVER);
        assert_int_equal(rule.treatment.n_archive, 0);
        assert_int_equal(rule.treatment.tls, TLS_LEVEL_NONE); /* the way back is not the rule's */
        assert_false(rule.treatment.encrypt_to_self || rule.treatment.inline_pgp);
    }
    policy_conf_free(&settings);
    conf_free(&conf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_word_has_its_value, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(formats_keep_their_order, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(a_rule_that_cannot_be_meant_is_refused, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(a_rule_says_how_copies_are_made, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(many_rules_keep_their_strings_and_order, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(each_tls_word_has_its_level, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(notices_are_treated_as_by_default, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(a_rule_demands_a_level_or_nothing, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(no_tls_policy_is_none, folder_make, folder_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
