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

struct conf_listen {
    char *address; /* "[::]:465" */
    char *tls;     /* "implicit", "starttls" */
};

struct conf_rule {
    char *name;
    struct conf_strings sender, recipient, user, subject, header, listener; /* when { … } */
    char *protect;                                                          /* "require", "prefer", "never" */
    struct conf_strings formats;                                            /* "openpgp", "smime" */
    char *on_missing_key;                                                   /* "hold", "refuse", "bounce" */
};

struct conf_tls_policy {
    char *domain;
    char *level;
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

    char *tls_certificate, *tls_key;

    char *auth_users;
    int64_t auth_workers;

    char *keys_roots; /* S/MIME trust anchors, NULL: none */
    int64_t keys_budget_ms;
    bool keys_case_sensitive;

    int64_t seal_workers, seal_jobs, seal_deadline_ms, seal_cpu_ms, seal_memory;
    char *seal_gpg;

    struct conf_rule *rules; /* the default rule is last, made when the file has none */
    size_t n_rules;

    char *delivery_route, *delivery_tls, *delivery_ca;
    int64_t delivery_mx_port;
    int64_t delivery_per_destination;
    struct conf_strings delivery_resolvers;
    char *delivery_trust_anchor;
    struct conf_tls_policy *tls_policies;
    size_t n_tls_policies;

    int64_t queue_first_retry_ms, queue_last_retry_ms, queue_lifetime_ms, queue_hold_ms, queue_recheck_ms;

    int64_t submission_processes;
    int64_t limit_message, limit_in_hand, limit_recipients, limit_sessions, limit_sessions_per_client,
        limit_transactions;
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
