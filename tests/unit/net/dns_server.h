/* A tiny DNS server on the test's loop: answers by name and type. */
#ifndef SEALGATE_TESTS_NET_DNS_SERVER_H
#define SEALGATE_TESTS_NET_DNS_SERVER_H

#include "tests/unit/net/fixture.h"

#include <arpa/nameser.h>
#include <resolv.h>
#include <strings.h>

struct dns_record {
    const char *name;
    int type;
    int rcode;
    bool silent;
    const char *const *data; /* "10 mx.example.org" for MX, "3 1 1 x" for TLSA, "one|two" for TXT, addresses
                                else; NULL-terminated */
};

struct dns_server {
    const struct dns_record *records;
    size_t n;
    int fd;
    struct event *event;
    char address[32]; /* "127.0.0.1@5353" */
};

static inline const struct dns_record *dns_find(const struct dns_server *server, const char *name, int type,
                                                bool *known_out)
{
    *known_out = false;
    for (size_t i = 0; i < server->n; i++) {
        if (strcasecmp(server->records[i].name, name) != 0)
            continue;
        *known_out = true;
        if (server->records[i].type == type)
            return &server->records[i];
    }
    return NULL;
}

/* Behind the question of PACKET; returns the new length. */
static inline size_t dns_put_record(unsigned char *packet, size_t at, int type, const char *text)
{
    unsigned char *p = packet + at;
    static const unsigned char head[] = {0xc0, 12, 0, 0, 0, 1, 0, 0, 0, 60, 0, 0};
    memcpy(p, head, sizeof head);
    p[3] = (unsigned char)type;
    int len;
    if (type == ns_t_mx) {
        p[12] = 0;
        p[13] = (unsigned char)atoi(text);
        len = 2 + ns_name_compress(strchr(text, ' ') + 1, p + 14, 255, NULL, NULL);
    } else if (type == ns_t_cname) {
        len = ns_name_compress(text, p + 12, 255, NULL, NULL);
    } else if (type == ns_t_tlsa) {
        len = 4; /* "3 1 1 x": one byte of data */
        for (int i = 0; i < 3; i++)
            p[12 + i] = (unsigned char)(text[2 * i] - '0');
        p[15] = (unsigned char)text[6];
    } else if (type == ns_t_txt) {
        len = 0; /* "one|two": two character-strings */
        for (const char *word = text; word; word = strchr(word, '|') ? strchr(word, '|') + 1 : NULL) {
            size_t n = strcspn(word, "|");
            p[12 + len] = (unsigned char)n;
            memcpy(p + 13 + len, word, n);
            len += 1 + (int)n;
        }
    } else {
        inet_pton(type == ns_t_a ? AF_INET : AF_INET6, text, p + 12);
        len = type == ns_t_a ? 4 : 16;
    }
    p[11] = (unsigned char)len;
    return at + 12 + (size_t)len;
}

static inline void dns_on_query(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    const struct dns_server *server = arg;
    bool known;
    unsigned char packet[1500] = {0};
    struct sockaddr_in from;
    socklen_t from_len = sizeof from;
    ssize_t n = recvfrom(fd, packet, 512, 0, (struct sockaddr *)&from, &from_len);
    ns_msg msg;
    ns_rr question;
    if (n < 0 || ns_initparse(packet, (int)n, &msg) < 0 || ns_parserr(&msg, ns_s_qd, 0, &question) < 0)
        return;
    const struct dns_record *record = dns_find(server, ns_rr_name(question), ns_rr_type(question), &known);
    if (record && record->silent)
        return;
    const unsigned char *end = packet + 12;
    ns_name_skip(&end, packet + n);
    size_t len = (size_t)(end - packet) + 4;
    packet[2] = 0x81;
    packet[3] = (unsigned char)(0x80 | (record ? record->rcode : known ? ns_r_noerror : ns_r_nxdomain));
    packet[7] = packet[9] = packet[11] = 0;
    for (const char *const *d = record ? record->data : NULL; d && *d; d++, packet[7]++)
        len = dns_put_record(packet, len, record->type, *d);
    sendto(fd, packet, len, 0, (struct sockaddr *)&from, from_len);
}

static inline void dns_server_start(struct dns_server *server, struct event_base *base,
                                    const struct dns_record *records, size_t n)
{
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof sin;
    server->records = records;
    server->n = n;
    server->fd = socket(AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(bind(server->fd, (struct sockaddr *)&sin, sizeof sin), 0);
    getsockname(server->fd, (struct sockaddr *)&sin, &len);
    snprintf(server->address, sizeof server->address, "127.0.0.1@%d", ntohs(sin.sin_port));
    server->event = event_new(base, server->fd, EV_READ | EV_PERSIST, dns_on_query, server);
    event_add(server->event, NULL);
}

static inline void dns_server_stop(struct dns_server *server)
{
    event_free(server->event);
    close(server->fd);
}

#endif
