#include <sysexits.h>

#include "gateway/control/control.h"
#include "gateway/main/policy_conf.h"
#include "gateway/main/role_runs.h"

int role_control(const struct role_start *start)
{
    const struct conf *conf = &start->conf;
    struct policy_settings policy;
    struct control_settings settings = {
        .log = &start->log,
        .socket_fd = start->first_extra,
        .policy = &policy,
        .route = conf->delivery_route,
        .keys_control_service = start->ports[0],
        .keys_lookup_service = start->ports[1],
        .queue_service = start->ports[2],
        .supervisor_service = start->ports[3],
        .auth_service = start->ports[4],
        .delivery_service = start->ports[5],
    };
    struct error err;
    if (policy_from_conf(conf, &policy, &err) != STATUS_OK ||
        tls_level_from_conf(conf, &settings.tls, &err) != STATUS_OK)
        return role_failed(start, "rules", &err);
    int code = role_drop(start, "control", 0) ? control_run(&settings) : EX_CONFIG;
    policy_conf_free(&policy);
    tls_level_conf_free(&settings.tls);
    return code;
}
