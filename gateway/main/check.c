#include "gateway/main/check.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/main/auth_conf.h"
#include "gateway/main/check_auth.h"
#include "gateway/main/delivery_conf.h"
#include "gateway/main/domains_conf.h"
#include "gateway/main/policy_conf.h"
#include "gateway/main/relay_conf.h"
#include "gateway/main/reports_conf.h"
#include "gateway/main/signing_conf.h"
#include "gateway/main/tls_conf.h"
#include "gateway/net/listener.h"
#include "gateway/net/network.h"
#include "gateway/net/tls.h"
#include "gateway/wire/domain.h"
#include "gateway/wire/imap_url.h"
#include "smime/smime.h"

static void note(struct buf *problems, const char *path, const char *what, const struct error *err)
{
    buf_printf(problems, "%s: %s: %s\n", path, what, err->text);
}

static void check_server_tls(const struct conf *conf, const char *path, struct buf *problems)
{
    struct tls_server *server;
    struct error err;
    if (tls_server_from_conf(conf, NULL, &server, &err) == STATUS_OK)
        tls_server_close(server);
    else
        note(problems, path, "tls", &err);
}

static void check_client_tls(const struct conf *conf, const char *path, struct buf *problems)
{
    struct tls_client_settings settings = {.ca_path = conf->delivery_ca};
    struct error err;
    SSL_CTX *ctx;
    if (tls_client_context(&settings, &ctx, &err) == STATUS_OK)
        SSL_CTX_free(ctx);
    else
        note(problems, path, "delivery ca", &err);
}

static void check_trust(const struct smime_trust_settings *settings, const char *key, const char *path,
                        struct buf *problems)
{
    struct smime_trust *trust;
    struct error err;
    if (smime_trust_open(settings, &trust, &err) == STATUS_OK)
        smime_trust_close(trust);
    else
        note(problems, path, key, &err);
}

static void check_roots(const struct conf *conf, const char *path, struct buf *problems)
{
    const struct smime_trust_settings roots = {.roots_path = conf->keys_roots};
    const struct smime_trust_settings crls = {.crl_paths = (const char *const *)conf->keys_crl.items,
                                              .n_crl_paths = conf->keys_crl.n};
    check_trust(&roots, "keys roots", path, problems);
    check_trust(&crls, "keys crl", path, problems);
}

static void check_rules(const struct conf *conf, const char *path, struct buf *problems)
{
    struct policy_settings policy;
    struct error err;
    if (policy_from_conf(conf, &policy, &err) == STATUS_OK)
        policy_conf_free(&policy);
    else
        note(problems, path, "rule", &err);
}

static void check_clients(const struct conf *conf, const char *path, struct buf *problems)
{
    struct relay_clients clients;
    struct error err;
    if (relay_clients_from_conf(conf, &clients, &err) == STATUS_OK)
        relay_clients_free(&clients);
    else
        note(problems, path, "client", &err);
}

static void check_listeners(const struct conf *conf, const char *path, struct buf *problems)
{
    struct sockaddr_storage address;
    socklen_t len;
    struct error err;
    for (size_t i = 0; i < conf->n_listens; i++)
        if (socket_address_parse(conf->listens[i].address, &address, &len, &err) != STATUS_OK)
            note(problems, path, "listen", &err);
}

static void check_networks(const struct conf *conf, const char *path, struct buf *problems)
{
    struct network network;
    struct error err;
    for (size_t i = 0; i < conf->n_listens; i++)
        for (size_t j = 0; j < conf->listens[i].proxy.n; j++)
            if (network_parse(conf->listens[i].proxy.items[j], &network, &err) != STATUS_OK)
                note(problems, path, "listen proxy", &err);
    for (size_t i = 0; i < conf->delivery_mta_sts_networks.n; i++)
        if (network_parse(conf->delivery_mta_sts_networks.items[i], &network, &err) != STATUS_OK)
            note(problems, path, "delivery mta-sts-networks", &err);
}

/* "mx", or "[host]:port". */
static void check_route(const struct conf *conf, const char *path, struct buf *problems)
{
    const char *route = conf->delivery_route;
    if (strcmp(route, "mx") == 0)
        return;
    const char *end = route[0] == '[' ? strstr(route, "]:") : NULL;
    long port = end ? strtol(end + 2, NULL, 10) : 0;
    if (!end || end == route + 1 || port < 1 || port > 65535 ||
        strspn(end + 2, "0123456789") != strlen(end + 2))
        buf_printf(problems, "%s: delivery route: \"%s\" is neither mx nor \"[host]:port\"\n", path, route);
}

/* Without an anchor nothing is secure, and DANE would be off without a word. */
static void check_dane(const struct conf *conf, const char *path, struct buf *problems)
{
    struct tls_level_settings levels;
    struct error err;
    const char *anchor = conf->delivery_trust_anchor;
    if (anchor && access(anchor, R_OK) < 0)
        buf_printf(problems,
                   "%s: delivery trust-anchor: cannot read %s: %s; it is in the package dns-root-data\n",
                   path, anchor, strerror(errno));
    if (anchor || tls_level_from_conf(conf, &levels, &err) != STATUS_OK)
        return;
    if (tls_level_uses_dane(&levels))
        buf_printf(problems,
                   "%s: delivery trust-anchor: the TLS levels dane and dane-only need one; write "
                   "trust-anchor = \"/usr/share/dns/root.key\" (package dns-root-data)\n",
                   path);
    tls_level_conf_free(&levels);
}

/* What sealctl autoconfig would tell mail programs. */
static void check_autoconfig(const struct conf *conf, const char *path, struct buf *problems)
{
    struct imap_url incoming;
    struct error err;
    if (conf->autoconfig_incoming) {
        if (imap_url_parse(conf->autoconfig_incoming, &incoming, &err) == STATUS_OK)
            free(incoming.host);
        else
            note(problems, path, "autoconfig incoming", &err);
    }
    char *host = conf->autoconfig_host ? domain_to_a_labels(conf->autoconfig_host) : NULL;
    if (conf->autoconfig_host && !host)
        buf_printf(problems, "%s: autoconfig host: \"%s\" is no host name\n", path, conf->autoconfig_host);
    free(host);
}

static void check_gpg(const struct conf *conf, const char *path, struct buf *problems)
{
    if (access(conf->seal_gpg, X_OK) < 0)
        buf_printf(problems, "%s: seal gpg: cannot run %s: %s; install gnupg\n", path, conf->seal_gpg,
                   strerror(errno));
}

enum status check_configuration(struct span text, const char *path, struct conf *conf_out,
                                struct buf *problems, struct error *err)
{
    enum status st = conf_parse(text, path, conf_out, problems, err);
    if (st != STATUS_OK)
        return st;
    domains_conf_convert(conf_out, path, problems);
    check_server_tls(conf_out, path, problems);
    check_client_tls(conf_out, path, problems);
    check_auth(conf_out, path, problems);
    auth_conf_check(conf_out, path, problems);
    check_roots(conf_out, path, problems);
    check_rules(conf_out, path, problems);
    signing_conf_check(conf_out, path, problems);
    check_clients(conf_out, path, problems);
    check_listeners(conf_out, path, problems);
    check_networks(conf_out, path, problems);
    check_route(conf_out, path, problems);
    delivery_conf_check(conf_out, path, problems);
    check_dane(conf_out, path, problems);
    reports_conf_check(conf_out, path, problems);
    check_autoconfig(conf_out, path, problems);
    check_gpg(conf_out, path, problems);
    if (problems->len == 0 && !problems->failed)
        return STATUS_OK;
    conf_free(conf_out);
    return error_set(err, STATUS_INVALID, "%s: the configuration has errors", path);
}
