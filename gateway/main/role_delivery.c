#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "gateway/delivery/delivery.h"
#include "gateway/main/delivery_conf.h"
#include "gateway/main/descriptors.h"
#include "gateway/main/paths.h"
#include "gateway/main/policy_conf.h"
#include "gateway/main/reports_conf.h"
#include "gateway/main/role_runs.h"
#include "gateway/net/tls.h"

/* As many connections as delivery opens at most, as many that are just closing, and what the resolver and
 * fetches of policies need. */
#define DESCRIPTORS 2048

int role_delivery(const struct role_start *start)
{
    const struct conf *conf = &start->conf;
    struct delivery_settings settings = {
        .log = &start->log,
        .hostname = conf->hostname,
        .route = conf->delivery_route,
        .mx_port = (uint16_t)conf->delivery_mx_port,
        .resolver = {.servers = (const char *const *)conf->delivery_resolvers.items,
                     .n_servers = conf->delivery_resolvers.n,
                     .trust_anchor = conf->delivery_trust_anchor,
                     .hosts = "/etc/hosts"},
        /* Relative: the role's folder is its working directory. */
        .sts_path = "sts.db",
        .sts_port = (uint16_t)conf->delivery_mta_sts_port,
        .sts_timeout_ms = conf->delivery_mta_sts_timeout_ms,
        .n_sts_networks = conf->delivery_mta_sts_networks.n,
        .window = 200,
        .deliveries_per_connection = 100,
        .drain_ms = conf->limit_drain_ms,
        .queue_service = start->ports[0],
        .control_service = start->ports[1],
        .store_service = start->ports[2],
    };
    struct tls_client_settings tls = {.ca_path = conf->delivery_ca};
    char key_path[PATH_SIZE];
    char *password;
    struct network *networks;
    struct reports_conf reports;
    struct error err;
    if (path_in_state(conf, SPOOL_KEY_FILE, key_path, &err) != STATUS_OK ||
        spool_key_load(key_path, &settings.spool_key, &err) != STATUS_OK)
        return role_failed(start, "spool key", &err);
    if (tls_level_from_conf(conf, &settings.tls, &err) != STATUS_OK)
        return role_failed(start, "TLS policies", &err);
    if (networks_parse(conf->delivery_mta_sts_networks.items, conf->delivery_mta_sts_networks.n, &networks,
                       &err) != STATUS_OK)
        return role_failed(start, "networks of MTA-STS", &err);
    settings.sts_networks = networks;
    if (tls_client_context(&tls, &settings.tls_context, &err) != STATUS_OK)
        return role_failed(start, "TLS trust anchors", &err);
    if (delivery_certificate_from_conf(conf, settings.tls_context, &err) != STATUS_OK)
        return role_failed(start, "delivery certificate", &err);
    if (delivery_from_conf(conf, &settings, &password, &err) != STATUS_OK)
        return role_failed(start, "delivery", &err);
    if (reports_from_conf(conf, &reports, &err) != STATUS_OK)
        return role_failed(start, "TLS reports", &err);
    settings.reports = conf->reports_contact ? &reports.settings : NULL;
    descriptors_raise(DESCRIPTORS, &start->log);
    int code = role_drop(start, "delivery", 0) ? delivery_run(&settings) : EX_CONFIG;
    if (password)
        explicit_bzero(password, strlen(password));
    free(password);
    explicit_bzero(&settings.spool_key, sizeof settings.spool_key);
    SSL_CTX_free(settings.tls_context);
    tls_level_conf_free(&settings.tls);
    free(networks);
    reports_conf_free(&reports);
    return code;
}
