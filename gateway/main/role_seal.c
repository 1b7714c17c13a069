#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "gateway/main/paths.h"
#include "gateway/main/policy_conf.h"
#include "gateway/main/role_runs.h"
#include "gateway/main/signing_conf.h"
#include "gateway/seal/seal.h"

/* One field may be as large as all of the header; there may be this many. */
#define FIELDS_MAX 2000

int role_seal(const struct role_start *start)
{
    const struct conf *conf = &start->conf;
    struct policy_settings policy;
    struct signing_conf signing;
    struct spool_key key;
    char key_path[PATH_SIZE], name[32], home[PATH_SIZE], signing_home[PATH_SIZE], pins[PATH_SIZE];
    struct error err;
    snprintf(name, sizeof name, FOLDER_SEAL "/%u", start->index);
    if (path_in_state(conf, SPOOL_KEY_FILE, key_path, &err) != STATUS_OK ||
        path_in_state(conf, name, home, &err) != STATUS_OK ||
        path_in_state(conf, FOLDER_SEAL, pins, &err) != STATUS_OK ||
        path_signing_home(conf, signing_home, &err) != STATUS_OK ||
        spool_key_load(key_path, &key, &err) != STATUS_OK)
        return role_failed(start, "spool key", &err);
    if (policy_from_conf(conf, &policy, &err) != STATUS_OK)
        return role_failed(start, "rules", &err);
    if (signing_from_conf(conf, &signing, &err) != STATUS_OK)
        return role_failed(start, "keys to sign with", &err);
    struct seal_settings settings = {
        .log = &start->log,
        .hostname = conf->hostname,
        .policy = &policy,
        .notice_rule = policy_notice_rule(&policy, policy_protect_from_conf(conf->queue_notice_protect)),
        .prescan = {.header_max = (size_t)conf->limit_header,
                    .parts_max = (unsigned)conf->limit_parts,
                    .depth_max = (unsigned)conf->limit_depth,
                    .field_max = (size_t)conf->limit_header,
                    .fields_max = FIELDS_MAX},
        .message_max = (size_t)conf->limit_message,
        .originating_ip = conf->submission_originating_ip,
        .spool_key = key,
        .gpg_path = conf->seal_gpg,
        .gpg_home = home,
        .signings = signing.items,
        .n_signings = signing.n,
        .signing_home = signing_home,
        .pins_folder = pins,
        .keys_service = start->ports[1],
        .queue_service = start->ports[2],
        .keys_ms = conf->keys_budget_ms,
        .worker = {.service_fd = start->ports[0],
                   .deadline_ms = conf->seal_deadline_ms,
                   .cpu_ms = conf->seal_cpu_ms,
                   .jobs_max = (unsigned)conf->seal_jobs},
    };
    explicit_bzero(&key, sizeof key);
    int code = role_drop(start, "seal", conf->seal_memory) ? seal_run(&settings) : EX_CONFIG;
    explicit_bzero(&settings.spool_key, sizeof settings.spool_key);
    signing_conf_free(&signing);
    policy_conf_free(&policy);
    return code;
}
