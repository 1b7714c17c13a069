#include "gateway/main/roles.h"

#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sysexits.h>

#include "base/memfile.h"
#include "gateway/main/domains_conf.h"
#include "gateway/main/paths.h"
#include "gateway/main/role_runs.h"

static unsigned one_process(const struct conf *conf)
{
    (void)conf;
    return 1;
}

static unsigned submission_processes(const struct conf *conf)
{
    return (unsigned)conf->submission_processes;
}

static unsigned passwords_processes(const struct conf *conf)
{
    return (unsigned)conf->auth_workers;
}

static unsigned seal_processes(const struct conf *conf)
{
    return (unsigned)conf->seal_workers;
}

/* Only where there are OpenPGP keys to sign with. */
static unsigned agent_processes(const struct conf *conf)
{
    for (size_t i = 0; i < conf->n_signings; i++)
        if (conf->signings[i].openpgp)
            return 1;
    return 0;
}

/* Started in this order: what others call comes first. */
const struct role roles[ROLES] = {
    {
        .name = "keys",
        .ports = {{SERVICE_KEYS_LOOKUP, SERVICE_SERVER}, {SERVICE_KEYS_CONTROL, SERVICE_SERVER}},
        .n_ports = 2,
        .folder = FOLDER_KEYS,
        .processes = one_process,
        .run = role_keys,
        .stop_rank = 3, /* queue tells it what worked, at its end */
    },
    {
        .name = "queue",
        .ports = {{SERVICE_QUEUE_STORE, SERVICE_SERVER},
                  {SERVICE_QUEUE_REFUSED, SERVICE_SERVER},
                  {SERVICE_QUEUE_DELIVERY, SERVICE_SERVER},
                  {SERVICE_QUEUE_CONTROL, SERVICE_SERVER},
                  {SERVICE_SEAL, SERVICE_CLIENT},
                  {SERVICE_KEYS_LOOKUP, SERVICE_CLIENT}},
        .n_ports = 6,
        .folder = FOLDER_QUEUE,
        .chroot = true,
        .processes = one_process,
        .run = role_queue,
        .stop_rank = 2,
    },
    {
        .name = "auth",
        .ports = {{SERVICE_AUTH, SERVICE_SERVER},
                  {SERVICE_PASSWORDS, SERVICE_CLIENT},
                  {SERVICE_AUTH_CONTROL, SERVICE_SERVER}},
        .n_ports = 3,
        .folder = FOLDER_AUTH,
        .processes = one_process,
        .run = role_auth,
        .stop_rank = 2,
    },
    {
        .name = "passwords",
        .ports = {{SERVICE_PASSWORDS, SERVICE_SERVER}},
        .n_ports = 1,
        .folder = FOLDER_EMPTY,
        .processes = passwords_processes,
        .run = role_passwords,
        .stop_rank = 3,
    },
    {
        .name = "agent",
        .folder = FOLDER_EMPTY,
        .processes = agent_processes,
        .run = role_agent,
        /* A signature takes less, and gpg-agent waits for every client that is connected, for ever. */
        .leave_ms = 3000,
        .stop_rank = 2,
    },
    {
        .name = "seal",
        .ports = {{SERVICE_SEAL, SERVICE_SERVER},
                  {SERVICE_KEYS_LOOKUP, SERVICE_CLIENT},
                  {SERVICE_QUEUE_STORE, SERVICE_CLIENT}},
        .n_ports = 3,
        .folder = FOLDER_SEAL,
        .processes = seal_processes,
        .run = role_seal,
        .stop_rank = 1,
    },
    {
        .name = "delivery",
        .ports = {{SERVICE_QUEUE_DELIVERY, SERVICE_CLIENT},
                  {SERVICE_DELIVERY_CONTROL, SERVICE_SERVER},
                  {SERVICE_QUEUE_STORE, SERVICE_CLIENT}},
        .n_ports = 3,
        .folder = FOLDER_DELIVERY,
        .processes = one_process,
        .run = role_delivery,
        .stop_rank = 1,
    },
    {
        .name = "control",
        .ports = {{SERVICE_KEYS_CONTROL, SERVICE_CLIENT},
                  {SERVICE_KEYS_LOOKUP, SERVICE_CLIENT},
                  {SERVICE_QUEUE_CONTROL, SERVICE_CLIENT},
                  {SERVICE_SUPERVISOR, SERVICE_CLIENT},
                  {SERVICE_AUTH_CONTROL, SERVICE_CLIENT},
                  {SERVICE_DELIVERY_CONTROL, SERVICE_CLIENT}},
        .n_ports = 6,
        .takes_control_socket = true,
        .folder = FOLDER_EMPTY,
        .chroot = true,
        .processes = one_process,
        .run = role_control,
        .stop_rank = 0,
    },
    {
        .name = "submission",
        .ports = {{SERVICE_AUTH, SERVICE_CLIENT},
                  {SERVICE_SEAL, SERVICE_CLIENT},
                  {SERVICE_KEYS_LOOKUP, SERVICE_CLIENT},
                  {SERVICE_QUEUE_REFUSED, SERVICE_CLIENT}},
        .n_ports = 4,
        .takes_listeners = true,
        .folder = FOLDER_EMPTY,
        .chroot = true,
        .processes = submission_processes,
        .run = role_submission,
        .stop_rank = 0,
    },
};

const struct role *role_find(const char *name)
{
    for (size_t i = 0; i < ROLES; i++)
        if (strcmp(roles[i].name, name) == 0)
            return &roles[i];
    return NULL;
}

static enum status read_conf(struct conf *conf_out, struct error *err)
{
    struct span text;
    struct buf problems;
    enum status st = memfile_map(ROLE_FD_CONF, 1u << 20, &text, err);
    if (st != STATUS_OK)
        return st;
    buf_init(&problems, 1u << 16);
    st = conf_parse(text, "configuration", conf_out, &problems, err);
    if (st == STATUS_OK)
        domains_conf_convert(conf_out, "configuration", &problems);
    /* The supervisor has found no problem in it. */
    if (st == STATUS_OK && problems.failed)
        st = error_set(err, STATUS_TEMPORARY, "out of memory for the configuration");
    buf_free(&problems);
    memfile_unmap(text);
    return st;
}

int role_main(const char *name, unsigned index, pid_t supervisor, bool verbose)
{
    const struct role *role = role_find(name);
    struct role_start start = {
        .supervisor = supervisor, .index = index, .log = {.fd = 2, .level = LOG_LEVEL_ERROR, .role = name}};
    struct error err;
    int ports[ROLE_PORTS_MAX];
    if (!role)
        return EX_USAGE;
    char title[16];
    snprintf(title, sizeof title, "sg-%s", name);
    prctl(PR_SET_NAME, title, 0, 0, 0);
    if (read_conf(&start.conf, &err) != STATUS_OK) {
        log_error(&start.log, LOG_LEVEL_ERROR, "role-failed", "configuration", &err);
        return EX_CONFIG;
    }
    start.log = log_from_conf(&start.conf, name, verbose);
    for (unsigned i = 0; i < role->n_ports; i++)
        ports[i] = ROLE_FD_FIRST_PORT + (int)i;
    start.ports = ports;
    start.first_extra = ROLE_FD_FIRST_PORT + (int)role->n_ports;
    int code = role->run(&start);
    conf_free(&start.conf);
    return code;
}
