/*
 * The configuration file: grammar by libConfuse, every key with type, unit, range and default in one table
 * (schema.c).
 *
 * Plain data, owned by struct conf. main turns it into the settings struct of each module; no module reads
 * it.
 */
#ifndef SEALGATE_CONF_CONF_H
#define SEALGATE_CONF_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"

struct conf_strings {
    char **items;
    size_t n;
};

/* COUNT in any WINDOW_MS; count 0: no limit. */
struct conf_rate {
    int64_t count, window_ms;
};

struct conf_listen {
    char *address;               /* "[::]:465" */
    char *tls;                   /* "implicit", "starttls" */
    struct conf_strings clients; /* names of client sections that may relay here without a password */
    char *line_ends;             /* "strict", "normalize" */
    struct conf_strings proxy;   /* networks whose connections begin with a PROXY header */
};

/* A certificate beside that of tls { … }, chosen by the name the client asks for (SNI). */
struct conf_tls_certificate {
    char *label;
    char *certificate, *key;
    char *ocsp; /* may be NULL */
};

/* What the users whose name matches PATTERN may do beyond the defaults; the first that matches counts. */
struct conf_account {
    char *pattern; /* "alice@example.org", "*@example.org" */
    struct conf_strings send_as;
    struct conf_strings certificates; /* for EXTERNAL: "sha256:HEX", "subject:CN=…" */
    struct conf_rate rate, recipients_rate;
};

/* One that relays without a password, known by network or certificate. */
struct conf_client {
    char *name;
    struct conf_strings networks, certificates, send_as;
    struct conf_rate rate, recipients_rate;
};

struct conf_rule {
    char *name;
    struct conf_strings sender, recipient, user, subject, header, listener, client; /* when { … } */
    char *protect;               /* "require", "prefer", "never" */
    struct conf_strings formats; /* "openpgp", "smime"; n 0: both, by what the recipient prefers */
    char *on_missing_key;        /* "hold", "refuse", "bounce" */
    char *header_protection;     /* "baseline", "shy", "none"; NULL: by format */
    bool legacy_display;
    char *sign;                /* "never", "prefer", "require" */
    char *openpgp_form;        /* "mime", "inline" */
    char *smime_cipher;        /* "auto", "aes-256-cbc", "aes-256-gcm" */
    char *smime_key_transport; /* "auto", "pkcs1", "oaep" */
    bool encrypt_to_self;
    struct conf_strings archive; /* addresses whose certificates every sealed copy is sealed to as well */
    bool strip_subject_tag;
    char *tls; /* a TLS level above "may"; NULL: no more than the destination demands */
};

/* Keys to sign with, for senders that match PATTERN; the first that matches counts. */
struct conf_signing {
    char *pattern; /* "alice@example.org", "@example.org", ".example.org", "*" */
    char *openpgp; /* fingerprint of a key in signing-home */
    char *openpgp_passphrase_file;
    char *smime_certificate;     /* PKCS#12 or PEM file, or a "pkcs11:" URI */
    char *smime_key;             /* PEM file or "pkcs11:" URI; NULL: in the PKCS#12 or PEM file */
    char *smime_passphrase_file; /* passphrase, or PIN of the token */
    bool smime_announce_gcm;     /* the sender's programs read AES-256-GCM */
};

struct conf_tls_policy {
    char *domain;
    char *level;
    int line; /* of the section, for messages */
};

/* What is not given is 0: as in queue { … }. */
struct conf_retry_policy {
    char *domain;
    int64_t first_retry_ms, last_retry_ms, lifetime_ms;
    int line; /* of the section, for messages */
};

/* Durations are milliseconds, sizes bytes. */
struct conf {
    char *hostname;
    char *state_dir;
    char *user;
    char *control_socket; /* never NULL after conf_parse: state-dir/control.sock by default */
    char *log_level;

    struct conf_listen *listens;
    size_t n_listens;

    char *tls_certificate, *tls_key, *tls_ocsp, *tls_client_ca;
    int64_t tls_ticket_rotation_ms;
    struct conf_tls_certificate *tls_certificates;
    size_t n_tls_certificates;

    char *auth_users, *auth_dovecot; /* one of these or ldap_url is set, the others are NULL */
    int64_t auth_workers;
    int64_t auth_remember_ms;
    struct conf_strings auth_mechanisms; /* "scram-sha-256-plus", …; n 0: all that the backend can do */
    struct conf_strings auth_domains;    /* a user name without "@" owns NAME@ each of these */
    struct conf_rate auth_rate, auth_recipients_rate; /* per user */
    struct conf_account *accounts;
    size_t n_accounts;
    struct conf_client *clients;
    size_t n_clients;

    char *ldap_url, *ldap_ca, *ldap_user_dn, *ldap_base, *ldap_filter, *ldap_bind_dn,
        *ldap_bind_password_file;
    bool ldap_start_tls;
    struct conf_strings ldap_address_attributes;
    int64_t ldap_timeout_ms;

    struct conf_rate throttle_client_rate, throttle_client_recipients_rate; /* per client address */
    struct conf_rate throttle_failures_address, throttle_failures_network, throttle_failures_user;
    int64_t throttle_block_ms;

    char *keys_roots;                 /* S/MIME trust anchors, NULL: none */
    struct conf_strings keys_crl;     /* files with CRLs */
    struct conf_strings keys_archive; /* for rules that name no archive of their own */
    bool keys_crl_required;           /* a certificate without a fresh CRL of its issuer is not used */
    int64_t keys_budget_ms;
    bool keys_case_sensitive;

    int64_t seal_workers, seal_jobs, seal_deadline_ms, seal_cpu_ms, seal_memory;
    char *seal_gpg;
    char *seal_scdaemon;      /* program through which the agent reaches smart cards, NULL: none */
    char *seal_signing_home;  /* GnuPG home with the keys to sign with, NULL: state-dir/signing */
    char *seal_gpg_agent;     /* program */
    char *seal_pkcs11_module; /* NULL: none */
    struct conf_signing *signings;
    size_t n_signings;

    struct conf_rule *rules; /* the default rule is last, made when the file has none */
    size_t n_rules;

    char *delivery_route, *delivery_tls, *delivery_ca;
    int delivery_route_line; /* for messages; 0: not given */
    int64_t delivery_mx_port;
    int64_t delivery_per_destination;
    struct conf_strings delivery_resolvers;
    char *delivery_trust_anchor;
    char *delivery_user, *delivery_password_file; /* for the smarthost; NULL: no login */
    char *delivery_channel_binding;               /* "auto", "require", "never"; NULL: not given, auto */
    char *delivery_certificate, *delivery_key;    /* shown to it; NULL: none */
    struct conf_strings delivery_source_address;  /* at most one IPv4 and one IPv6 address */
    int64_t delivery_connect_ms, delivery_handshake_ms, delivery_greeting_ms, delivery_command_ms,
        delivery_data_ms, delivery_end_of_data_ms, delivery_idle_ms;
    bool delivery_mta_sts;
    int64_t delivery_mta_sts_port;
    int64_t delivery_mta_sts_timeout_ms;
    struct conf_strings delivery_mta_sts_networks;
    struct conf_tls_policy *tls_policies;
    size_t n_tls_policies;
    struct conf_retry_policy *retry_policies;
    size_t n_retry_policies;

    char *reports_contact; /* NULL: no TLS reports are sent */
    char *reports_organization, *reports_sender;
    int64_t reports_spread_ms;
    struct conf_strings reports_networks;
    char *reports_dkim_domain, *reports_dkim_selector, *reports_dkim_key; /* all or none */

    int64_t queue_delay_warning_ms; /* 0: never */
    char *queue_notice_protect;     /* as a rule's protect */
    int64_t queue_first_retry_ms, queue_last_retry_ms, queue_lifetime_ms, queue_hold_ms, queue_recheck_ms;

    int64_t submission_processes;
    bool submission_originating_ip;
    int64_t submission_greeting_delay_ms;

    char *autoconfig_host, *autoconfig_name, *autoconfig_incoming;

    int64_t limit_message, limit_in_hand, limit_recipients, limit_sessions, limit_sessions_per_client,
        limit_sessions_per_user, limit_transactions;
    int64_t limit_header, limit_parts, limit_depth;
    int64_t limit_bad_commands, limit_auth_failures;
    int64_t limit_handshake_ms, limit_command_ms, limit_data_ms, limit_before_auth_ms, limit_busy_ms,
        limit_seal_ms, limit_drain_ms;
};

/*
 * Parses TEXT; PATH is for messages only. Every problem found is one line "PATH:LINE: what, and what is
 * allowed" in PROBLEMS_OUT (also those behind the first). STATUS_INVALID when there is any; CONF_OUT is then
 * empty. Free with conf_free.
 */
MUST_USE enum status conf_parse(struct span text, const char *path, struct conf *conf_out,
                                struct buf *problems_out, struct error *err);
void conf_free(struct conf *conf);

/* Reads a whole file of at most 1 MiB. */
MUST_USE enum status conf_read_file(const char *path, struct buf *text_out, struct error *err);

#endif
