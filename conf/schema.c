#include "conf/schema.h"

#include <string.h>

#define TOP(member) offsetof(struct conf, member)
#define LISTEN(member) offsetof(struct conf_listen, member)
#define CERTIFICATE(member) offsetof(struct conf_tls_certificate, member)
#define ACCOUNT(member) offsetof(struct conf_account, member)
#define CLIENT(member) offsetof(struct conf_client, member)
#define RULE(member) offsetof(struct conf_rule, member)
#define POLICY(member) offsetof(struct conf_tls_policy, member)
#define RETRY(member) offsetof(struct conf_retry_policy, member)
#define SIGNING(member) offsetof(struct conf_signing, member)

#define SECONDS(n) ((int64_t)(n)*1000)
#define DAYS(n) SECONDS((n)*86400)
#define MEGABYTES(n) ((int64_t)(n) << 20)

static const char *const listen_tls[] = {"implicit", "starttls", NULL};
static const char *const line_ends[] = {"strict", "normalize", NULL};
static const char *const mechanisms[] = {
    "scram-sha-256-plus", "scram-sha-256", "plain", "login", "external", NULL};
static const char *const protect[] = {"require", "prefer", "never", NULL};
static const char *const missing[] = {"hold", "refuse", "bounce", NULL};
static const char *const formats[] = {"openpgp", "smime", NULL};
static const char *const header_protection[] = {"baseline", "shy", "none", NULL};
static const char *const sign[] = {"never", "prefer", "require", NULL};
static const char *const openpgp_form[] = {"mime", "inline", NULL};
static const char *const smime_cipher[] = {"auto", "aes-256-cbc", "aes-256-gcm", NULL};
static const char *const smime_key_transport[] = {"auto", "pkcs1", "oaep", NULL};
static const char *const levels[] = {"none", "may", "encrypt", "dane", "dane-only", "verify", "secure", NULL};
static const char *const bindings[] = {"auto", "require", "never", NULL};
static const char *const log_levels[] = {"error", "warning", "notice", "info", "debug", NULL};

static const struct conf_key schema[] = {
    {"", "hostname", CONF_STRING, TOP(hostname), .required = true},
    {"", "state-dir", CONF_PATH, TOP(state_dir), .fallback = "/var/lib/sealgate"},
    {"", "user", CONF_STRING, TOP(user)},
    {"", "control-socket", CONF_PATH, TOP(control_socket)},
    {"", "log-level", CONF_WORD, TOP(log_level), .fallback = "info", .words = log_levels},

    {"listen", "tls", CONF_WORD, LISTEN(tls), .required = true, .words = listen_tls},
    {"listen", "clients", CONF_STRINGS, LISTEN(clients)},
    {"listen", "line-ends", CONF_WORD, LISTEN(line_ends), .fallback = "strict", .words = line_ends},
    {"listen", "proxy", CONF_STRINGS, LISTEN(proxy)},

    {"tls", "certificate", CONF_PATH, TOP(tls_certificate), .required = true},
    {"tls", "key", CONF_PATH, TOP(tls_key), .required = true},
    {"tls", "ocsp", CONF_PATH, TOP(tls_ocsp)},
    {"tls", "client-ca", CONF_PATH, TOP(tls_client_ca)},
    {"tls", "ticket-rotation", CONF_DURATION, TOP(tls_ticket_rotation_ms), SECONDS(1), DAYS(1), "1h"},
    {"tls-certificate", "certificate", CONF_PATH, CERTIFICATE(certificate), .required = true},
    {"tls-certificate", "key", CONF_PATH, CERTIFICATE(key), .required = true},
    {"tls-certificate", "ocsp", CONF_PATH, CERTIFICATE(ocsp)},

    {"auth", "users", CONF_PATH, TOP(auth_users)},
    {"auth", "dovecot", CONF_PATH, TOP(auth_dovecot)},
    {"auth", "remember", CONF_DURATION, TOP(auth_remember_ms), 0, SECONDS(3600), "10min"},
    {"auth", "workers", CONF_COUNT, TOP(auth_workers), 1, 64, "2"},
    {"auth", "mechanisms", CONF_WORDS, TOP(auth_mechanisms), .words = mechanisms},
    {"auth", "domains", CONF_STRINGS, TOP(auth_domains)},
    {"auth", "rate", CONF_RATE, TOP(auth_rate)},
    {"auth", "recipients-rate", CONF_RATE, TOP(auth_recipients_rate)},
    {"ldap", "url", CONF_STRING, TOP(ldap_url)},
    {"ldap", "start-tls", CONF_BOOL, TOP(ldap_start_tls), .fallback = "yes"},
    {"ldap", "ca", CONF_PATH, TOP(ldap_ca)},
    {"ldap", "user-dn", CONF_STRING, TOP(ldap_user_dn)},
    {"ldap", "base", CONF_STRING, TOP(ldap_base)},
    {"ldap", "filter", CONF_STRING, TOP(ldap_filter)},
    {"ldap", "bind-dn", CONF_STRING, TOP(ldap_bind_dn)},
    {"ldap", "bind-password-file", CONF_PATH, TOP(ldap_bind_password_file)},
    {"ldap", "address-attributes", CONF_STRINGS, TOP(ldap_address_attributes)},
    {"ldap", "timeout", CONF_DURATION, TOP(ldap_timeout_ms), 100, SECONDS(60), "5s"},
    {"account", "send-as", CONF_STRINGS, ACCOUNT(send_as)},
    {"account", "certificates", CONF_STRINGS, ACCOUNT(certificates)},
    {"account", "rate", CONF_RATE, ACCOUNT(rate)},
    {"account", "recipients-rate", CONF_RATE, ACCOUNT(recipients_rate)},
    {"client", "networks", CONF_STRINGS, CLIENT(networks)},
    {"client", "certificates", CONF_STRINGS, CLIENT(certificates)},
    {"client", "send-as", CONF_STRINGS, CLIENT(send_as)},
    {"client", "rate", CONF_RATE, CLIENT(rate)},
    {"client", "recipients-rate", CONF_RATE, CLIENT(recipients_rate)},
    {"throttle", "client-rate", CONF_RATE, TOP(throttle_client_rate)},
    {"throttle", "client-recipients-rate", CONF_RATE, TOP(throttle_client_recipients_rate)},
    {"throttle", "failures-address", CONF_RATE, TOP(throttle_failures_address), .fallback = "20/1h"},
    {"throttle", "failures-network", CONF_RATE, TOP(throttle_failures_network), .fallback = "60/1h"},
    {"throttle", "failures-user", CONF_RATE, TOP(throttle_failures_user), .fallback = "50/1h"},
    {"throttle", "block", CONF_DURATION, TOP(throttle_block_ms), 100, DAYS(30), "1h"},

    {"keys", "roots", CONF_PATH, TOP(keys_roots)},
    {"keys", "crl", CONF_STRINGS, TOP(keys_crl)},
    {"keys", "crl-required", CONF_BOOL, TOP(keys_crl_required), .fallback = "no"},
    {"keys", "archive", CONF_STRINGS, TOP(keys_archive)},
    {"keys", "lookup-budget", CONF_DURATION, TOP(keys_budget_ms), 100, SECONDS(60), "5s"},
    {"keys", "case-sensitive", CONF_BOOL, TOP(keys_case_sensitive), .fallback = "no"},

    {"seal", "workers", CONF_COUNT, TOP(seal_workers), 1, 256, "4"},
    {"seal", "jobs", CONF_COUNT, TOP(seal_jobs), 1, 1000000, "1000"},
    {"seal", "deadline", CONF_DURATION, TOP(seal_deadline_ms), 100, SECONDS(600), "60s"},
    {"seal", "cpu", CONF_DURATION, TOP(seal_cpu_ms), SECONDS(1), SECONDS(600), "30s"},
    {"seal", "memory", CONF_BYTES, TOP(seal_memory), MEGABYTES(256), MEGABYTES(65536), "2GB"},
    {"seal", "gpg", CONF_PATH, TOP(seal_gpg), .fallback = "/usr/bin/gpg"},
    {"seal", "gpg-agent", CONF_PATH, TOP(seal_gpg_agent), .fallback = "/usr/bin/gpg-agent"},
    {"seal", "scdaemon", CONF_PATH, TOP(seal_scdaemon)},
    {"seal", "signing-home", CONF_PATH, TOP(seal_signing_home)},
    {"seal", "pkcs11-module", CONF_PATH, TOP(seal_pkcs11_module)},
    {"signing", "openpgp", CONF_STRING, SIGNING(openpgp)},
    {"signing", "openpgp-passphrase-file", CONF_PATH, SIGNING(openpgp_passphrase_file)},
    {"signing", "smime-certificate", CONF_STRING, SIGNING(smime_certificate)},
    {"signing", "smime-key", CONF_STRING, SIGNING(smime_key)},
    {"signing", "smime-passphrase-file", CONF_PATH, SIGNING(smime_passphrase_file)},
    {"signing", "smime-announce-gcm", CONF_BOOL, SIGNING(smime_announce_gcm), .fallback = "no"},

    {"when", "sender", CONF_STRINGS, RULE(sender)},
    {"when", "recipient", CONF_STRINGS, RULE(recipient)},
    {"when", "user", CONF_STRINGS, RULE(user)},
    {"when", "subject", CONF_STRINGS, RULE(subject)},
    {"when", "header", CONF_STRINGS, RULE(header)},
    {"when", "listener", CONF_STRINGS, RULE(listener)},
    {"when", "client", CONF_STRINGS, RULE(client)},
    {"rule", "protect", CONF_WORD, RULE(protect), .required = true, .words = protect},
    {"rule", "formats", CONF_WORDS, RULE(formats), .words = formats},
    {"rule", "on-missing-key", CONF_WORD, RULE(on_missing_key), .fallback = "hold", .words = missing},
    {"rule", "header-protection", CONF_WORD, RULE(header_protection), .words = header_protection},
    {"rule", "legacy-display", CONF_BOOL, RULE(legacy_display), .fallback = "no"},
    {"rule", "sign", CONF_WORD, RULE(sign), .fallback = "never", .words = sign},
    {"rule", "openpgp-form", CONF_WORD, RULE(openpgp_form), .fallback = "mime", .words = openpgp_form},
    {"rule", "smime-cipher", CONF_WORD, RULE(smime_cipher), .fallback = "auto", .words = smime_cipher},
    {"rule", "smime-key-transport", CONF_WORD, RULE(smime_key_transport), .fallback = "auto",
     .words = smime_key_transport},
    {"rule", "encrypt-to-self", CONF_BOOL, RULE(encrypt_to_self), .fallback = "no"},
    {"rule", "archive", CONF_STRINGS, RULE(archive)},
    {"rule", "strip-subject-tag", CONF_BOOL, RULE(strip_subject_tag), .fallback = "no"},
    {"rule", "tls", CONF_WORD, RULE(tls), .words = levels},

    {"delivery", "route", CONF_STRING, TOP(delivery_route), .fallback = "mx"},
    {"delivery", "tls", CONF_WORD, TOP(delivery_tls), .fallback = "may", .words = levels},
    {"delivery", "ca", CONF_PATH, TOP(delivery_ca)},
    {"delivery", "mx-port", CONF_COUNT, TOP(delivery_mx_port), 1, 65535, "25"},
    {"delivery", "per-destination", CONF_COUNT, TOP(delivery_per_destination), 1, 1000, "10"},
    {"delivery", "resolvers", CONF_STRINGS, TOP(delivery_resolvers)},
    {"delivery", "trust-anchor", CONF_PATH, TOP(delivery_trust_anchor)},
    {"delivery", "user", CONF_STRING, TOP(delivery_user)},
    {"delivery", "password-file", CONF_PATH, TOP(delivery_password_file)},
    /* No fallback: given without a user it is a mistake. */
    {"delivery", "channel-binding", CONF_WORD, TOP(delivery_channel_binding), .words = bindings},
    {"delivery", "certificate", CONF_PATH, TOP(delivery_certificate)},
    {"delivery", "key", CONF_PATH, TOP(delivery_key)},
    {"delivery", "source-address", CONF_STRINGS, TOP(delivery_source_address)},
    {"delivery", "connect-timeout", CONF_DURATION, TOP(delivery_connect_ms), 100, SECONDS(3600), "30s"},
    {"delivery", "handshake-timeout", CONF_DURATION, TOP(delivery_handshake_ms), 100, SECONDS(3600), "1min"},
    {"delivery", "greeting-timeout", CONF_DURATION, TOP(delivery_greeting_ms), 100, SECONDS(3600), "5min"},
    {"delivery", "command-timeout", CONF_DURATION, TOP(delivery_command_ms), 100, SECONDS(3600), "5min"},
    {"delivery", "data-timeout", CONF_DURATION, TOP(delivery_data_ms), 100, SECONDS(3600), "3min"},
    {"delivery", "end-of-data-timeout", CONF_DURATION, TOP(delivery_end_of_data_ms), 100, SECONDS(3600),
     "10min"},
    {"delivery", "idle-timeout", CONF_DURATION, TOP(delivery_idle_ms), 100, SECONDS(3600), "5s"},
    {"delivery", "mta-sts", CONF_BOOL, TOP(delivery_mta_sts), .fallback = "yes"},
    {"delivery", "mta-sts-port", CONF_COUNT, TOP(delivery_mta_sts_port), 1, 65535, "443"},
    {"delivery", "mta-sts-timeout", CONF_DURATION, TOP(delivery_mta_sts_timeout_ms), 100, SECONDS(60),
     "1min"},
    {"delivery", "mta-sts-networks", CONF_STRINGS, TOP(delivery_mta_sts_networks)},
    {"tls-policy", "level", CONF_WORD, POLICY(level), .required = true, .words = levels},

    {"tls-reports", "contact", CONF_STRING, TOP(reports_contact)},
    {"tls-reports", "organization", CONF_STRING, TOP(reports_organization)},
    {"tls-reports", "sender", CONF_STRING, TOP(reports_sender)},
    {"tls-reports", "spread", CONF_DURATION, TOP(reports_spread_ms), 0, DAYS(1), "4h"},
    {"tls-reports", "networks", CONF_STRINGS, TOP(reports_networks)},
    {"tls-reports", "dkim-domain", CONF_STRING, TOP(reports_dkim_domain)},
    {"tls-reports", "dkim-selector", CONF_STRING, TOP(reports_dkim_selector)},
    {"tls-reports", "dkim-key", CONF_PATH, TOP(reports_dkim_key)},

    {"queue", "first-retry", CONF_DURATION, TOP(queue_first_retry_ms), 100, DAYS(1), "5min"},
    {"queue", "last-retry", CONF_DURATION, TOP(queue_last_retry_ms), 100, DAYS(7), "4h"},
    {"queue", "lifetime", CONF_DURATION, TOP(queue_lifetime_ms), 100, DAYS(60), "5d"},
    {"queue", "delay-warning", CONF_DURATION, TOP(queue_delay_warning_ms), 0, DAYS(60), "4h"},
    {"queue", "notice-protect", CONF_WORD, TOP(queue_notice_protect), .fallback = "prefer", .words = protect},
    {"queue", "hold", CONF_DURATION, TOP(queue_hold_ms), 100, DAYS(365), "7d"},
    {"queue", "recheck", CONF_DURATION, TOP(queue_recheck_ms), 100, DAYS(7), "15min"},

    {"retry-policy", "first-retry", CONF_DURATION, RETRY(first_retry_ms), 100, DAYS(1)},
    {"retry-policy", "last-retry", CONF_DURATION, RETRY(last_retry_ms), 100, DAYS(7)},
    {"retry-policy", "lifetime", CONF_DURATION, RETRY(lifetime_ms), 100, DAYS(60)},

    {"submission", "processes", CONF_COUNT, TOP(submission_processes), 1, 64, "2"},
    {"submission", "originating-ip", CONF_BOOL, TOP(submission_originating_ip), .fallback = "no"},
    {"submission", "greeting-delay", CONF_DURATION, TOP(submission_greeting_delay_ms), 0, SECONDS(30), "0s"},
    {"autoconfig", "host", CONF_STRING, TOP(autoconfig_host)},
    {"autoconfig", "name", CONF_STRING, TOP(autoconfig_name)},
    {"autoconfig", "incoming", CONF_STRING, TOP(autoconfig_incoming)},
    {"limits", "message", CONF_BYTES, TOP(limit_message), 1024, MEGABYTES(150), "50MB"},
    {"limits", "in-hand", CONF_BYTES, TOP(limit_in_hand), MEGABYTES(1), MEGABYTES(65536), "512MB"},
    {"limits", "recipients", CONF_COUNT, TOP(limit_recipients), 1, 1000, "1000"},
    {"limits", "sessions", CONF_COUNT, TOP(limit_sessions), 1, 100000, "1000"},
    {"limits", "sessions-per-client", CONF_COUNT, TOP(limit_sessions_per_client), 1, 100000, "50"},
    {"limits", "sessions-per-user", CONF_COUNT, TOP(limit_sessions_per_user), 1, 100000, "50"},
    {"limits", "transactions", CONF_COUNT, TOP(limit_transactions), 1, 1000000, "1000"},
    {"limits", "header", CONF_BYTES, TOP(limit_header), 1024, MEGABYTES(4), "256KB"},
    {"limits", "parts", CONF_COUNT, TOP(limit_parts), 1, 100000, "1000"},
    {"limits", "depth", CONF_COUNT, TOP(limit_depth), 1, 200, "30"},
    {"limits", "bad-commands", CONF_COUNT, TOP(limit_bad_commands), 1, 10000, "20"},
    {"limits", "auth-failures", CONF_COUNT, TOP(limit_auth_failures), 1, 1000, "3"},
    {"limits", "handshake", CONF_DURATION, TOP(limit_handshake_ms), 100, SECONDS(600), "30s"},
    {"limits", "command", CONF_DURATION, TOP(limit_command_ms), 100, SECONDS(3600), "5min"},
    {"limits", "data", CONF_DURATION, TOP(limit_data_ms), 100, SECONDS(7200), "10min"},
    {"limits", "before-auth", CONF_DURATION, TOP(limit_before_auth_ms), 100, SECONDS(3600), "2min"},
    {"limits", "busy", CONF_DURATION, TOP(limit_busy_ms), 100, SECONDS(600), "20s"},
    {"limits", "seal", CONF_DURATION, TOP(limit_seal_ms), 100, SECONDS(3600), "2min"},
    {"limits", "drain", CONF_DURATION, TOP(limit_drain_ms), 100, SECONDS(600), "30s"},
    {NULL, NULL, CONF_STRING, 0},
};

const struct conf_key *conf_schema(void)
{
    return schema;
}

const struct conf_key *conf_schema_find(const char *section, const char *name)
{
    for (const struct conf_key *key = schema; key->name; key++)
        if (strcmp(key->section, section) == 0 && strcmp(key->name, name) == 0)
            return key;
    return NULL;
}
