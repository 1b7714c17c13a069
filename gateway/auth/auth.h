/*
 * The auth role: runs the SASL exchanges (RFC 4422) of all submission processes, so that no parser of
 * credentials stands in the process that faces the internet, and says whose mail a user may send. Event loop;
 * holds exchanges and the users file. Passwords are checked by the passwords role, for hashing takes long.
 */
#ifndef SEALGATE_AUTH_AUTH_H
#define SEALGATE_AUTH_AUTH_H

#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "gateway/guard/guard.h"

/* What the users whose name matches may do; the first account that matches counts. */
struct auth_account {
    const char *pattern;        /* policy/pattern.h */
    const char *const *send_as; /* patterns of addresses */
    size_t n_send_as;
    const char *const *certificates; /* "sha256:HEX", "subject:CN=…": PATTERN is then a name (EXTERNAL) */
    size_t n_certificates;
};

struct auth_settings {
    const struct log *log;
    const char *users_path; /* for SCRAM keys, read anew when it changes; NULL: another backend has the users.
                               When given, absent or readable by others is an error at start */
    const char *secret_path;    /* of the fake salts (fake_keys.h); made when missing */
    unsigned mechanisms;        /* that are allowed: a set of gateway/jobs/sasl_mechanism.h */
    const char *const *domains; /* a user whose name has no "@" owns the name at each */
    size_t n_domains;
    const struct auth_account *accounts;
    size_t n_accounts;
    unsigned exchanges_max, exchanges_per_client_max; /* at a time; per client: IPv4 address or IPv6 /64 */
    int64_t exchange_ms;         /* for a whole exchange; what the client says later comes too late */
    int64_t password_taken_ms;   /* until a passwords worker is free */
    int64_t password_total_ms;   /* until its answer */
    struct guard_settings guard; /* of guesses and allowances */
    int auth_service;            /* server ends */
    int control_service;
    int passwords_service; /* client end */
};

/* Runs until SIGTERM, which waits for the checks in hand: 0. Else an exit code of sysexits.h, after a line in
 * the log. */
int auth_run(const struct auth_settings *settings);

#endif
