#include "gateway/message/complete.h"

#include "base/clock.h"
#include "gateway/message/header.h"
#include "gateway/wire/ascii.h"

static bool has_field(struct span header, const char *name)
{
    struct header_field field;
    return header_find(header, name, 0, &field);
}

/* Whatever the configuration says: only what an id-right or an address is made of (RFC 5322 §3.6.4). */
static void append_host(const char *host, struct buf *out)
{
    for (; host && *host; host++) {
        bool plain = ascii_is_letter(*host) || ascii_is_digit(*host) || strchr(".-[:]", *host);
        buf_append_char(out, plain ? *host : '-');
    }
}

void missing_fields(struct span header, const struct envelope *e, const char *hostname, struct buf *out)
{
    if (!has_field(header, "Message-ID")) {
        buf_printf(out, "Message-ID: <%s@", e->id);
        append_host(hostname, out);
        buf_append_str(out, ">\r\n");
    }
    if (!has_field(header, "Date")) {
        char date[CLOCK_RFC5322_SIZE];
        clock_rfc5322(e->received_ms, date);
        buf_printf(out, "Date: %s\r\n", date);
    }
}

void originating_ip_field(const struct envelope *e, struct buf *out)
{
    buf_append_str(out, "X-Originating-IP: [");
    append_host(e->client_address, out);
    buf_append_str(out, "]\r\n");
}
