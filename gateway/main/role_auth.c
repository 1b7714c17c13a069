#include <stdlib.h>
#include <sysexits.h>

#include "gateway/auth/auth.h"
#include "gateway/jobs/password_job.h"
#include "gateway/main/auth_conf.h"
#include "gateway/main/guard_conf.h"
#include "gateway/main/paths.h"
#include "gateway/main/role_runs.h"

/* Exchanges that can be at the same time: one for each session there can be. */
#define EXCHANGES_MAX 65536

/* Until one of the passwords workers is free. */
#define PASSWORD_TAKEN_MS 20000

static unsigned exchanges(const struct conf *conf, int64_t sessions)
{
    int64_t n = sessions * conf->submission_processes;
    return n < EXCHANGES_MAX ? (unsigned)n : EXCHANGES_MAX;
}

int role_auth(const struct role_start *start)
{
    const struct conf *conf = &start->conf;
    char secret[PATH_SIZE], guard[PATH_SIZE];
    struct error err;
    if (path_in_state(conf, FOLDER_AUTH "/secret", secret, &err) != STATUS_OK ||
        path_in_state(conf, FOLDER_AUTH "/guard.db", guard, &err) != STATUS_OK)
        return role_failed(start, "paths", &err);
    struct auth_account *accounts = accounts_from_conf(conf, &err);
    if (!accounts)
        return role_failed(start, "accounts", &err);
    struct auth_settings settings = {
        .log = &start->log,
        .users_path = conf->auth_users,
        .secret_path = secret,
        .mechanisms = mechanisms_from_conf(conf),
        .domains = (const char *const *)conf->auth_domains.items,
        .n_domains = conf->auth_domains.n,
        .accounts = accounts,
        .n_accounts = conf->n_accounts,
        .exchanges_max = exchanges(conf, conf->limit_sessions),
        .exchanges_per_client_max = exchanges(conf, conf->limit_sessions_per_client),
        .exchange_ms = conf->limit_before_auth_ms,
        .password_taken_ms = PASSWORD_TAKEN_MS,
        .password_total_ms = PASSWORD_TAKEN_MS + PASSWORD_TOTAL_MS,
        .auth_service = start->ports[0],
        .passwords_service = start->ports[1],
        .control_service = start->ports[2],
    };
    if (guard_from_conf(conf, &settings.guard, &err) != STATUS_OK)
        return role_failed(start, "rates", &err);
    settings.guard.log = &start->log;
    settings.guard.path = guard;
    int code = role_drop(start, "auth", 0) ? auth_run(&settings) : EX_CONFIG;
    guard_conf_free(&settings.guard);
    free(accounts);
    return code;
}
