#include "gateway/net/dns_answer.h"

#include <arpa/nameser.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A chain that is longer, or a loop, ends there. */
#define CNAMES_MAX 16
/* Bytes before the data of a TLSA record: usage, selector, matching type (RFC 6698 §2.1). */
#define TLSA_FIELDS 3

bool dns_is_host_name(const char *name)
{
    size_t len = strlen(name);
    return len > 0 && len < 254 && name[0] != '.' &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") == len;
}

/* Keeps the most preferred when there are too many. */
static void add_mx(struct resolver_answer *answer, const struct resolver_mx *mx)
{
    if (answer->n_mx < RESOLVER_MX_MAX) {
        answer->mx[answer->n_mx++] = *mx;
        return;
    }
    size_t worst = 0;
    for (size_t i = 1; i < answer->n_mx; i++)
        if (answer->mx[i].preference > answer->mx[worst].preference)
            worst = i;
    if (mx->preference < answer->mx[worst].preference)
        answer->mx[worst] = *mx;
}

static bool read_mx(const ns_msg *msg, const ns_rr *rr, struct resolver_mx *mx)
{
    if (ns_rr_rdlen(*rr) < 3)
        return false;
    char name[NS_MAXDNAME];
    mx->preference = (uint16_t)ns_get16(ns_rr_rdata(*rr));
    if (ns_name_uncompress(ns_msg_base(*msg), ns_msg_end(*msg), ns_rr_rdata(*rr) + 2, name, sizeof name) < 0)
        return false;
    if (strcmp(name, ".") == 0)
        name[0] = '\0'; /* null MX, RFC 7505 */
    else if (!dns_is_host_name(name))
        return false;
    memcpy(mx->host, name, strlen(name) + 1);
    return true;
}

enum status dns_answer_mx(struct span packet, struct resolver_answer *answer, struct error *err)
{
    ns_msg msg;
    unsigned unusable = 0;
    if (ns_initparse((const unsigned char *)packet.p, (int)packet.len, &msg) < 0)
        return error_set(err, STATUS_INVALID, "damaged DNS answer");
    for (int i = 0; i < ns_msg_count(msg, ns_s_an); i++) {
        ns_rr rr;
        struct resolver_mx mx;
        if (ns_parserr(&msg, ns_s_an, i, &rr) < 0)
            return error_set(err, STATUS_INVALID, "damaged DNS answer");
        if (ns_rr_type(rr) != ns_t_mx)
            continue;
        if (read_mx(&msg, &rr, &mx))
            add_mx(answer, &mx);
        else
            unusable++;
    }
    if (answer->n_mx == 0 && unusable > 0)
        return error_set(err, STATUS_INVALID, "no MX record holds a host name");
    dns_mx_order(answer->mx, answer->n_mx);
    return STATUS_OK;
}

static bool read_address(const ns_rr *rr, int family, struct sockaddr_storage *ss)
{
    memset(ss, 0, sizeof *ss);
    ss->ss_family = (sa_family_t)family;
    if (family == AF_INET && ns_rr_type(*rr) == ns_t_a && ns_rr_rdlen(*rr) == 4)
        memcpy(&((struct sockaddr_in *)ss)->sin_addr, ns_rr_rdata(*rr), 4);
    else if (family == AF_INET6 && ns_rr_type(*rr) == ns_t_aaaa && ns_rr_rdlen(*rr) == 16)
        memcpy(&((struct sockaddr_in6 *)ss)->sin6_addr, ns_rr_rdata(*rr), 16);
    else
        return false;
    return true;
}

enum status dns_answer_addresses(struct span packet, int family, struct resolver_answer *answer,
                                 struct error *err)
{
    ns_msg msg;
    if (ns_initparse((const unsigned char *)packet.p, (int)packet.len, &msg) < 0)
        return error_set(err, STATUS_INVALID, "damaged DNS answer");
    for (int i = 0; i < ns_msg_count(msg, ns_s_an) && answer->n_addresses < RESOLVER_ADDRESSES_MAX; i++) {
        ns_rr rr;
        if (ns_parserr(&msg, ns_s_an, i, &rr) < 0)
            return error_set(err, STATUS_INVALID, "damaged DNS answer");
        if (read_address(&rr, family, &answer->addresses[answer->n_addresses]))
            answer->n_addresses++;
    }
    return STATUS_OK;
}

/* RFC 7672 §2.1: one that is malformed is unusable, and the others count all the same. */
static const unsigned char unusable_tlsa[TLSA_FIELDS] = {255, 255, 255};

static enum status add_tlsa(struct tlsa_records *records, const ns_rr *rr, struct error *err)
{
    size_t len = ns_rr_rdlen(*rr);
    const unsigned char *data = ns_rr_rdata(*rr);
    if (records->n == TLSA_RECORDS_MAX)
        return error_set(err, STATUS_LIMIT, "more than %d TLSA records", TLSA_RECORDS_MAX);
    if (len < TLSA_FIELDS) {
        len = TLSA_FIELDS;
        data = unusable_tlsa;
    }
    size_t data_len = len - TLSA_FIELDS;
    records->items[records->n++] = (struct tlsa_record){
        .usage = data[0], .selector = data[1], .matching = data[2], .at = records->data_len, .len = data_len};
    memcpy(records->data + records->data_len, data + TLSA_FIELDS, data_len);
    records->data_len += data_len;
    return STATUS_OK;
}

enum status dns_answer_tlsa(struct span packet, struct tlsa_records **records_out, struct error *err)
{
    ns_msg msg;
    *records_out = NULL;
    if (ns_initparse((const unsigned char *)packet.p, (int)packet.len, &msg) < 0)
        return error_set(err, STATUS_INVALID, "damaged DNS answer");
    /* The records' data cannot be more than the packet that holds them. */
    struct tlsa_records *records = calloc(1, sizeof *records + packet.len);
    enum status st = records ? STATUS_OK : error_set(err, STATUS_TEMPORARY, "out of memory for TLSA records");
    for (int i = 0; st == STATUS_OK && i < ns_msg_count(msg, ns_s_an); i++) {
        ns_rr rr;
        if (ns_parserr(&msg, ns_s_an, i, &rr) < 0)
            st = error_set(err, STATUS_INVALID, "damaged DNS answer");
        else if (ns_rr_type(rr) == ns_t_tlsa)
            st = add_tlsa(records, &rr, err);
    }
    if (st == STATUS_OK && records->n > 0)
        *records_out = records;
    else
        free(records);
    return st;
}

static enum status add_txt(struct txt_records *records, const ns_rr *rr, struct error *err)
{
    size_t left = ns_rr_rdlen(*rr), at = records->data_len;
    const unsigned char *data = ns_rr_rdata(*rr);
    if (records->n == TXT_RECORDS_MAX)
        return error_set(err, STATUS_LIMIT, "more than %d TXT records", TXT_RECORDS_MAX);
    while (left > 0) {
        size_t len = data[0];
        if (len >= left)
            return error_set(err, STATUS_INVALID, "damaged TXT record");
        memcpy(records->data + records->data_len, data + 1, len);
        records->data_len += len;
        data += len + 1;
        left -= len + 1;
    }
    records->items[records->n].at = at;
    records->items[records->n++].len = records->data_len - at;
    return STATUS_OK;
}

enum status dns_answer_txt(struct span packet, struct txt_records **records_out, struct error *err)
{
    ns_msg msg;
    *records_out = NULL;
    if (ns_initparse((const unsigned char *)packet.p, (int)packet.len, &msg) < 0)
        return error_set(err, STATUS_INVALID, "damaged DNS answer");
    struct txt_records *records = calloc(1, sizeof *records + packet.len);
    enum status st = records ? STATUS_OK : error_set(err, STATUS_TEMPORARY, "out of memory for TXT records");
    for (int i = 0; st == STATUS_OK && i < ns_msg_count(msg, ns_s_an); i++) {
        ns_rr rr;
        if (ns_parserr(&msg, ns_s_an, i, &rr) < 0)
            st = error_set(err, STATUS_INVALID, "damaged DNS answer");
        else if (ns_rr_type(rr) == ns_t_txt)
            st = add_txt(records, &rr, err);
    }
    if (st == STATUS_OK && records->n > 0)
        *records_out = records;
    else
        free(records);
    return st;
}

enum status dns_answer_count(struct span packet, int type, size_t *n_out, struct error *err)
{
    ns_msg msg;
    *n_out = 0;
    if (ns_initparse((const unsigned char *)packet.p, (int)packet.len, &msg) < 0)
        return error_set(err, STATUS_INVALID, "damaged DNS answer");
    for (int i = 0; i < ns_msg_count(msg, ns_s_an); i++) {
        ns_rr rr;
        if (ns_parserr(&msg, ns_s_an, i, &rr) < 0)
            return error_set(err, STATUS_INVALID, "damaged DNS answer");
        *n_out += (int)ns_rr_type(rr) == type;
    }
    return STATUS_OK;
}

/* The target of the CNAME at NAME, in NAME; false: there is none. */
static bool follow(ns_msg *msg, char name[NS_MAXDNAME])
{
    for (int i = 0; i < ns_msg_count(*msg, ns_s_an); i++) {
        ns_rr rr;
        if (ns_parserr(msg, ns_s_an, i, &rr) < 0)
            return false;
        if (ns_rr_type(rr) == ns_t_cname && strcasecmp(ns_rr_name(rr), name) == 0)
            return ns_name_uncompress(ns_msg_base(*msg), ns_msg_end(*msg), ns_rr_rdata(rr), name,
                                      NS_MAXDNAME) >= 0;
    }
    return false;
}

void dns_answer_canonical(struct span packet, char name_out[DNS_NAME_SIZE])
{
    ns_msg msg;
    ns_rr question;
    char name[NS_MAXDNAME];
    name_out[0] = '\0';
    if (ns_initparse((const unsigned char *)packet.p, (int)packet.len, &msg) < 0 ||
        ns_parserr(&msg, ns_s_qd, 0, &question) < 0)
        return;
    snprintf(name, sizeof name, "%s", ns_rr_name(question));
    for (int i = 0; i < CNAMES_MAX && follow(&msg, name); i++)
        ;
    if (dns_is_host_name(name))
        memcpy(name_out, name, strlen(name) + 1);
}

static int by_preference(const void *a, const void *b)
{
    return (int)((const struct resolver_mx *)a)->preference -
           (int)((const struct resolver_mx *)b)->preference;
}

void dns_mx_order(struct resolver_mx *mx, size_t n)
{
    /* Fisher-Yates, so that the order among equals is chance whatever the sort does. */
    for (size_t i = n; i > 1; i--) {
        size_t j = arc4random_uniform((uint32_t)i);
        struct resolver_mx swap = mx[i - 1];
        mx[i - 1] = mx[j];
        mx[j] = swap;
    }
    qsort(mx, n, sizeof *mx, by_preference);
}
