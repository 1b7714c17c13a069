#include "gateway/wire/imap_url.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/wire/domain.h"

#define PORT_IMAPS 993
#define PORT_IMAP 143

/* 1 to 65535, digits only; 0: it is not. */
static unsigned port_of(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    unsigned long port = digits > 0 && digits <= 5 ? strtoul(text, NULL, 10) : 0;
    return text[digits] == '\0' && port <= 65535 ? (unsigned)port : 0;
}

enum status imap_url_parse(const char *url, struct imap_url *url_out, struct error *err)
{
    bool implicit = strncmp(url, "imaps://", 8) == 0;
    *url_out = (struct imap_url){.implicit = implicit, .port = implicit ? PORT_IMAPS : PORT_IMAP};
    if (!implicit && strncmp(url, "imap://", 7) != 0)
        return error_set(err, STATUS_INVALID, "\"%s\" is neither imaps://HOST[:PORT] nor imap://HOST[:PORT]",
                         url);
    char *host = strdup(url + (implicit ? 8 : 7));
    if (!host)
        return error_set(err, STATUS_TEMPORARY, "out of memory");
    char *colon = strchr(host, ':');
    if (colon) {
        url_out->port = port_of(colon + 1);
        *colon = '\0';
    }
    url_out->host = url_out->port > 0 ? domain_to_a_labels(host) : NULL;
    free(host);
    return url_out->host ? STATUS_OK
                         : error_set(err, STATUS_INVALID, "\"%s\" holds no host name or a wrong port", url);
}
