#include "gateway/ctl/autoconfig.h"

#define ZONE_MAX 4096
#define PREFERRED 0 /* the lower the better; RFC 8314 §5.1 wants implicit TLS first */
#define OTHER 10

static void put_record(struct buf *out, const char *service, const struct autoconfig_server *server,
                       const char *domain, int priority)
{
    buf_printf(out, "_%s._tcp.%s. IN SRV %d 1 %u %s.\n", service, domain, priority, server->port,
               server->host);
}

void autoconfig_srv(const struct autoconfig_site *site, const struct autoconfig_account *account,
                    struct buf *out)
{
    const struct autoconfig_server *in = &site->incoming;
    buf_init(out, ZONE_MAX);
    for (size_t i = 0; i < site->n_submission; i++)
        put_record(out, site->submission[i].implicit ? "submissions" : "submission", &site->submission[i],
                   account->domain, i == 0 ? PREFERRED : OTHER);
    if (in->host)
        put_record(out, in->implicit ? "imaps" : "imap", in, account->domain, PREFERRED);
}
