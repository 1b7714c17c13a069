#include <stddef.h>

#include "gateway/ctl/autoconfig.h"
#include "gateway/ctl/xml.h"

#define SCHEMA "http://schemas.microsoft.com/exchange/autodiscover/"

/*
 * A file that serves everybody cannot name a user. Outlook then takes what stands before the "@", and with a
 * domain puts that behind it again.
 */
static void put_user(struct xml *xml, const struct autoconfig_account *account)
{
    bool add_domain = !account->user && !account->short_user;
    xml_text(xml, "DomainRequired", add_domain ? "on" : "off");
    if (add_domain)
        xml_text(xml, "DomainName", account->domain);
    if (account->user)
        xml_text(xml, "LoginName", account->user);
}

static void put_protocol(struct xml *xml, const char *type, const struct autoconfig_server *server,
                         const struct autoconfig_account *account)
{
    xml_open(xml, "Protocol", NULL, NULL);
    xml_text(xml, "Type", type);
    xml_text(xml, "Server", server->host);
    xml_number(xml, "Port", server->port);
    put_user(xml, account);
    /* No "secure password authentication" (NTLM). Encryption, where it is understood, counts before SSL. */
    xml_text(xml, "SPA", "off");
    xml_text(xml, "SSL", "on");
    xml_text(xml, "Encryption", server->implicit ? "SSL" : "TLS");
    xml_text(xml, "AuthRequired", "on");
    xml_close(xml, "Protocol");
}

void autoconfig_outlook(const struct autoconfig_site *site, const struct autoconfig_account *account,
                        struct buf *out)
{
    struct xml xml;
    xml_init(&xml, NULL);
    xml_open(&xml, "Autodiscover", "xmlns", SCHEMA "responseschema/2006");
    xml_open(&xml, "Response", "xmlns", SCHEMA "outlook/responseschema/2006a");
    xml_open(&xml, "Account", NULL, NULL);
    xml_text(&xml, "AccountType", "email");
    xml_text(&xml, "Action", "settings");
    if (site->incoming.host)
        put_protocol(&xml, "IMAP", &site->incoming, account);
    put_protocol(&xml, "SMTP", &site->submission[0], account);
    xml_close(&xml, "Account");
    xml_close(&xml, "Response");
    xml_close(&xml, "Autodiscover");
    *out = xml.out;
}
