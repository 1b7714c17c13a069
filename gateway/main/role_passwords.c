#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "gateway/main/ldap_conf.h"
#include "gateway/main/role_runs.h"
#include "gateway/net/tls.h"
#include "gateway/passwords/passwords.h"

/* yescrypt takes a fraction of a second, and what was imported not much more: far above it is a spin. */
#define CPU_MS 10000
/* Dovecot answers a failed check after auth_failure_delay, 2 s as it comes. */
#define DOVECOT_TIMEOUT_MS 20000
/* Behind the backend's own deadline: name resolution and a TLS handshake may take no notice of that. */
#define MARGIN_MS 10000
#define MEMORY_MAX (512 << 20)

struct opened {
    struct dovecot_settings dovecot;
    struct ldap_settings ldap;
    char *ldap_password;
    struct backend backend;
    int64_t timeout_ms;
};

/* While there are still the rights to: root may own it. */
static enum status read_secrets(const struct conf *conf, struct opened *opened, struct error *err)
{
    if (!conf->ldap_url || !conf->ldap_bind_password_file)
        return STATUS_OK;
    return secret_line_load(conf->ldap_bind_password_file, &opened->ldap_password, err);
}

static enum status open_backend(const struct conf *conf, struct opened *opened, struct error *err)
{
    if (conf->auth_users) {
        opened->timeout_ms = CPU_MS;
        return backend_users_open(conf->auth_users, conf->auth_remember_ms, &opened->backend, err);
    }
    if (conf->auth_dovecot) {
        opened->timeout_ms = DOVECOT_TIMEOUT_MS;
        opened->dovecot = (struct dovecot_settings){conf->auth_dovecot, DOVECOT_TIMEOUT_MS};
        return backend_dovecot_open(&opened->dovecot, &opened->backend, err);
    }
    opened->timeout_ms = conf->ldap_timeout_ms;
    opened->ldap = ldap_from_conf(conf, opened->ldap_password);
    return backend_ldap_open(&opened->ldap, &opened->backend, err);
}

int role_passwords(const struct role_start *start)
{
    struct opened opened = {0};
    struct error err = {0};
    if (read_secrets(&start->conf, &opened, &err) != STATUS_OK)
        return role_failed(start, "ldap bind-password-file", &err);
    if (!role_drop(start, "passwords", MEMORY_MAX))
        return EX_CONFIG;
    int code;
    if (open_backend(&start->conf, &opened, &err) == STATUS_OK) {
        const struct passwords_settings settings = {
            .log = &start->log,
            .backend = &opened.backend,
            .worker = {.service_fd = start->ports[0],
                       .deadline_ms = opened.timeout_ms + MARGIN_MS,
                       .cpu_ms = CPU_MS,
                       .jobs_max = 10000},
        };
        code = passwords_run(&settings);
    } else {
        code = role_failed(start, "password backend", &err);
    }
    if (opened.ldap_password)
        explicit_bzero(opened.ldap_password, strlen(opened.ldap_password));
    free(opened.ldap_password);
    return code;
}
