#include <stdlib.h>
#include <string.h>

#include "gateway/ctl/autoconfig.h"
#include "gateway/wire/domain.h"
#include "gateway/wire/imap_url.h"

#define PORT_SUBMISSIONS 465
#define PORT_SUBMISSION 587

/* The number behind the last colon, 1 to 65535; 0: none. */
static unsigned port_of(const char *address)
{
    const char *colon = strrchr(address, ':');
    char *end;
    if (!colon || colon[1] < '0' || colon[1] > '9')
        return 0;
    unsigned long port = strtoul(colon + 1, &end, 10);
    return *end == '\0' && port <= 65535 ? (unsigned)port : 0;
}

/* The port of the listeners with this kind of TLS that is for the public: the well-known one, else that of
 * the first. 0: there is no such listener. */
static unsigned listen_port(const struct conf *conf, const char *tls, unsigned well_known)
{
    unsigned first = 0;
    for (size_t i = 0; i < conf->n_listens; i++) {
        if (strcmp(conf->listens[i].tls, tls) != 0)
            continue;
        unsigned port = port_of(conf->listens[i].address);
        if (port == well_known)
            return port;
        first = first ? first : port;
    }
    return first;
}

static enum status add_submission(struct autoconfig_site *site, const char *host, unsigned port,
                                  bool implicit, struct error *err)
{
    if (port == 0)
        return STATUS_OK;
    char *copy = domain_to_a_labels(host);
    if (!copy)
        return error_set(err, STATUS_INVALID, "autoconfig host (or hostname) \"%s\" is not a domain name",
                         host);
    site->submission[site->n_submission++] =
        (struct autoconfig_server){.host = copy, .port = port, .implicit = implicit};
    return STATUS_OK;
}

static enum status set_incoming(struct autoconfig_server *server, const char *text, struct error *err)
{
    struct imap_url url;
    enum status st = imap_url_parse(text, &url, err);
    if (st == STATUS_OK)
        *server = (struct autoconfig_server){.host = url.host, .port = url.port, .implicit = url.implicit};
    else
        error_prefix(err, "autoconfig incoming");
    return st;
}

static bool offers(const struct conf *conf, const char *mechanism)
{
    bool offered = conf->auth_mechanisms.n == 0;
    for (size_t i = 0; i < conf->auth_mechanisms.n; i++)
        offered = offered || strcmp(conf->auth_mechanisms.items[i], mechanism) == 0;
    return offered;
}

/* Every backend can do PLAIN, so that only a list without it leaves something else. */
static enum autoconfig_login login_of(const struct conf *conf)
{
    if (offers(conf, "plain") || offers(conf, "login"))
        return AUTOCONFIG_PASSWORD;
    return offers(conf, "scram-sha-256") || offers(conf, "scram-sha-256-plus") ? AUTOCONFIG_SCRAM
                                                                               : AUTOCONFIG_CERTIFICATE;
}

enum status autoconfig_site(const struct conf *conf, struct autoconfig_site *site_out, struct error *err)
{
    const char *host = conf->autoconfig_host ? conf->autoconfig_host : conf->hostname;
    *site_out = (struct autoconfig_site){.login = login_of(conf)};
    enum status st =
        add_submission(site_out, host, listen_port(conf, "implicit", PORT_SUBMISSIONS), true, err);
    if (st == STATUS_OK)
        st = add_submission(site_out, host, listen_port(conf, "starttls", PORT_SUBMISSION), false, err);
    if (st == STATUS_OK && site_out->n_submission == 0)
        st = error_set(err, STATUS_INVALID, "no listen section has a port that mail programs could use");
    if (st == STATUS_OK && conf->autoconfig_incoming)
        st = set_incoming(&site_out->incoming, conf->autoconfig_incoming, err);
    return st;
}

void autoconfig_site_free(struct autoconfig_site *site)
{
    for (size_t i = 0; i < site->n_submission; i++)
        free(site->submission[i].host);
    free(site->incoming.host);
    *site = (struct autoconfig_site){0};
}
