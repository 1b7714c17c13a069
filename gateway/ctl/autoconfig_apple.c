#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "gateway/ctl/autoconfig.h"
#include "gateway/ctl/xml.h"

#define DOCTYPE                                                                                              \
    "plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\""

#define UUID_SIZE 37 /* as text, with its NUL */
#define NAME_MAX_BYTES 1024

static void put_string(struct xml *xml, const char *key, const char *value)
{
    xml_text(xml, "key", key);
    xml_text(xml, "string", value);
}

static void put_number(struct xml *xml, const char *key, unsigned value)
{
    xml_text(xml, "key", key);
    xml_number(xml, "integer", value);
}

static void put_bool(struct xml *xml, const char *key, bool value)
{
    xml_text(xml, "key", key);
    xml_empty(xml, value ? "true" : "false");
}

/* Version 5 (RFC 9562 §5.5): the same for the same KIND, address and server. */
static void make_uuid(const char *kind, const struct autoconfig_site *site,
                      const struct autoconfig_account *account, char out[UUID_SIZE])
{
    static const unsigned char name_space[16] = {0x5e, 0xa1, 0x9a, 0x7e, 0x3c, 0x1f, 0x4b, 0x0d,
                                                 0x9e, 0x62, 0x2b, 0x71, 0xd0, 0x58, 0xc4, 0x93};
    struct buf name;
    unsigned char digest[EVP_MAX_MD_SIZE] = {0};
    buf_init(&name, NAME_MAX_BYTES);
    buf_append(&name, name_space, sizeof name_space);
    buf_printf(&name, "%s %s %s", kind, account->address, site->submission[0].host);
    EVP_Digest(name.data, name.len, digest, NULL, EVP_sha1(), NULL);
    buf_free(&name);
    digest[6] = (unsigned char)((digest[6] & 0x0f) | 0x50);
    digest[8] = (unsigned char)((digest[8] & 0x3f) | 0x80);
    for (size_t i = 0, at = 0; i < 16; i++) {
        bool dash = i == 4 || i == 6 || i == 8 || i == 10;
        at += (size_t)snprintf(out + at, UUID_SIZE - at, dash ? "-%02X" : "%02X", digest[i]);
    }
}

/* What every payload has, the outer one too. */
static void put_payload(struct xml *xml, const char *type, const char *identifier, const char *uuid,
                        const struct autoconfig_account *account)
{
    put_string(xml, "PayloadType", type);
    put_number(xml, "PayloadVersion", 1);
    put_string(xml, "PayloadIdentifier", identifier);
    put_string(xml, "PayloadUUID", uuid);
    put_string(xml, "PayloadDisplayName", account->name);
}

/* Apple's programs do STARTTLS on the ports for it by themselves: UseSSL is on for either kind of TLS. */
static void put_server(struct xml *xml, const char *which, const struct autoconfig_server *server,
                       const struct autoconfig_account *account, const char *method)
{
    const struct {
        const char *name, *text;
    } strings[] = {{"HostName", server->host}, {"Username", account->user}, {"Authentication", method}};
    char key[64];
    for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++) {
        snprintf(key, sizeof key, "%sMailServer%s", which, strings[i].name);
        put_string(xml, key, strings[i].text);
    }
    snprintf(key, sizeof key, "%sMailServerPortNumber", which);
    put_number(xml, key, server->port);
    snprintf(key, sizeof key, "%sMailServerUseSSL", which);
    put_bool(xml, key, true);
}

static void put_mail(struct xml *xml, const struct autoconfig_site *site,
                     const struct autoconfig_account *account, const char *identifier, const char *uuid)
{
    bool password = site->login != AUTOCONFIG_CERTIFICATE;
    xml_open(xml, "dict", NULL, NULL);
    put_payload(xml, "com.apple.mail.managed", identifier, uuid, account);
    put_string(xml, "EmailAccountDescription", account->name);
    put_string(xml, "EmailAccountType", "EmailTypeIMAP");
    put_string(xml, "EmailAddress", account->address);
    if (site->incoming.host)
        put_server(xml, "Incoming", &site->incoming, account, "EmailAuthPassword");
    put_server(xml, "Outgoing", &site->submission[0], account,
               password ? "EmailAuthPassword" : "EmailAuthNone");
    put_bool(xml, "OutgoingPasswordSameAsIncomingPassword", site->incoming.host && password);
    xml_close(xml, "dict");
}

void autoconfig_apple(const struct autoconfig_site *site, const struct autoconfig_account *account,
                      struct buf *out)
{
    char profile[UUID_SIZE], mail[UUID_SIZE];
    char profile_name[sizeof "profile." + UUID_SIZE], mail_name[sizeof profile_name + sizeof ".mail"];
    struct xml xml;
    make_uuid("profile", site, account, profile);
    make_uuid("mail", site, account, mail);
    snprintf(profile_name, sizeof profile_name, "profile.%s", profile);
    snprintf(mail_name, sizeof mail_name, "%s.mail", profile_name);
    xml_init(&xml, DOCTYPE);
    xml_open(&xml, "plist", "version", "1.0");
    xml_open(&xml, "dict", NULL, NULL);
    put_payload(&xml, "Configuration", profile_name, profile, account);
    put_string(&xml, "PayloadDescription", account->address);
    put_bool(&xml, "PayloadRemovalDisallowed", false);
    xml_text(&xml, "key", "PayloadContent");
    xml_open(&xml, "array", NULL, NULL);
    put_mail(&xml, site, account, mail_name, mail);
    xml_close(&xml, "array");
    xml_close(&xml, "dict");
    xml_close(&xml, "plist");
    *out = xml.out;
}
