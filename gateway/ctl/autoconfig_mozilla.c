#include <stddef.h>

#include "gateway/ctl/autoconfig.h"
#include "gateway/ctl/xml.h"

/*
 * "password-cleartext" means PLAIN or LOGIN, and every connection here is TLS. "password-encrypted" means
 * CRAM-MD5 or DIGEST-MD5 to Thunderbird, which then would not try the PLAIN that a server offers beside
 * SCRAM: it is said only where SCRAM is all there is, for the programs that take SCRAM for it.
 */
static const char *authentication(enum autoconfig_login login)
{
    static const char *const words[] = {[AUTOCONFIG_PASSWORD] = "password-cleartext",
                                        [AUTOCONFIG_SCRAM] = "password-encrypted",
                                        [AUTOCONFIG_CERTIFICATE] = "TLS-client-cert"};
    return words[login];
}

static void put_server(struct xml *xml, const char *element, const char *type,
                       const struct autoconfig_server *server, const char *user, const char *method)
{
    xml_open(xml, element, "type", type);
    xml_text(xml, "hostname", server->host);
    xml_number(xml, "port", server->port);
    xml_text(xml, "socketType", server->implicit ? "SSL" : "STARTTLS");
    xml_text(xml, "authentication", method);
    xml_text(xml, "username", user);
    xml_close(xml, element);
}

void autoconfig_mozilla(const struct autoconfig_site *site, const struct autoconfig_account *account,
                        struct buf *out)
{
    const char *everybody = account->short_user ? "%EMAILLOCALPART%" : "%EMAILADDRESS%";
    const char *user = account->user ? account->user : everybody;
    struct xml xml;
    xml_init(&xml, NULL);
    xml_open(&xml, "clientConfig", "version", "1.1");
    xml_open(&xml, "emailProvider", "id", account->domain);
    xml_text(&xml, "domain", account->domain);
    xml_text(&xml, "displayName", account->name);
    xml_text(&xml, "displayShortName", account->name);
    /* Passwords for reading mail are another server's affair: over TLS each takes them in clear. */
    if (site->incoming.host)
        put_server(&xml, "incomingServer", "imap", &site->incoming, user, "password-cleartext");
    for (size_t i = 0; i < site->n_submission; i++)
        put_server(&xml, "outgoingServer", "smtp", &site->submission[i], user, authentication(site->login));
    xml_close(&xml, "emailProvider");
    xml_close(&xml, "clientConfig");
    *out = xml.out;
}
