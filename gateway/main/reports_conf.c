#include "gateway/main/reports_conf.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/net/tls.h"
#include "gateway/wire/ascii.h"

/* For one request, all of it together. */
#define POST_TIMEOUT_MS 60000
#define KEY_MAX ((size_t)64 << 10)

void reports_conf_free(struct reports_conf *reports)
{
    if (reports->dkim_key)
        explicit_bzero(reports->dkim_key, strlen(reports->dkim_key));
    free(reports->dkim_key);
    free(reports->networks);
    *reports = (struct reports_conf){0};
}

enum status reports_from_conf(const struct conf *conf, struct reports_conf *reports_out, struct error *err)
{
    struct reports_conf reports = {0};
    enum status st = STATUS_OK;
    *reports_out = reports;
    if (!conf->reports_contact)
        return STATUS_OK;
    st = networks_parse(conf->reports_networks.items, conf->reports_networks.n, &reports.networks, err);
    if (st == STATUS_OK && conf->reports_dkim_key)
        st = secret_file_load(conf->reports_dkim_key, KEY_MAX, &reports.dkim_key, err);
    if (st != STATUS_OK) {
        reports_conf_free(&reports);
        return st;
    }
    reports.settings = (struct tlsrpt_settings){
        /* Relative: the role's folder is its working directory. */
        .path = "tlsrpt.db",
        .contact = conf->reports_contact,
        .organization = conf->reports_organization ? conf->reports_organization : conf->hostname,
        .sender = conf->reports_sender,
        .spread_ms = conf->reports_spread_ms,
        .dkim = {.domain = conf->reports_dkim_domain,
                 .selector = conf->reports_dkim_selector,
                 .key = reports.dkim_key},
        .post = {.timeout_ms = POST_TIMEOUT_MS,
                 .networks = reports.networks,
                 .n_networks = conf->reports_networks.n}};
    *reports_out = reports;
    return STATUS_OK;
}

static void check_mailbox(const char *key, const char *address, const char *path, struct buf *problems)
{
    struct path parsed;
    if (address && (path_parse_mailbox(span_str(address), &parsed) != PATH_OK || parsed.utf8))
        buf_printf(problems, "%s: tls-reports %s: \"%s\" is no mailbox in ASCII\n", path, key, address);
}

/* It stands in JSON. */
static void check_organization(const char *name, const char *path, struct buf *problems)
{
    bool good = true;
    for (const char *c = name; c && *c; c++)
        good = good && ascii_is_printable(*c);
    if (!good)
        buf_printf(problems, "%s: tls-reports organization: is to be printable ASCII\n", path);
}

/* Better said now than when the first report is to be signed. */
static void check_signing(const struct reports_conf *reports, const char *path, struct buf *problems)
{
    struct error err;
    struct buf field;
    const struct tlsrpt_dkim *dkim = &reports->settings.dkim;
    int given = !!dkim->domain + !!dkim->selector + !!dkim->key;
    if (given != 0 && given != 3)
        buf_printf(
            problems,
            "%s: tls-reports: dkim-domain, dkim-selector and dkim-key are given together or not at all\n",
            path);
    if (given != 3)
        return;
    buf_init(&field, 8192);
    if (tlsrpt_sign(dkim, span_str("From: <a@b.example>\r\n\r\n.\r\n"), &field, &err) != STATUS_OK)
        buf_printf(problems, "%s: tls-reports dkim-key: %s\n", path, err.text);
    buf_free(&field);
}

void reports_conf_check(const struct conf *conf, const char *path, struct buf *problems)
{
    struct reports_conf reports;
    struct error err;
    if (!conf->reports_contact &&
        (conf->reports_organization || conf->reports_sender || conf->reports_dkim_domain))
        buf_printf(problems, "%s: tls-reports: contact is missing, without which no reports are sent\n",
                   path);
    check_mailbox("contact", conf->reports_contact, path, problems);
    check_mailbox("sender", conf->reports_sender, path, problems);
    check_organization(conf->reports_organization, path, problems);
    if (reports_from_conf(conf, &reports, &err) != STATUS_OK) {
        buf_printf(problems, "%s: tls-reports: %s\n", path, err.text);
        return;
    }
    if (conf->reports_contact)
        check_signing(&reports, path, problems);
    reports_conf_free(&reports);
}
