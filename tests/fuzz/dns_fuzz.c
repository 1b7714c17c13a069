/*
 * What DNS packets say: host names come out fit for logs and TLS, TLSA records lie inside their memory.
 * Input: a packet.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "gateway/net/dns_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void require(int truth)
{
    if (!truth)
        abort();
}

static void read_mx(struct span packet)
{
    struct resolver_answer answer = {0};
    struct error err;
    if (dns_answer_mx(packet, &answer, &err) != STATUS_OK)
        return;
    require(answer.n_mx <= RESOLVER_MX_MAX);
    for (size_t i = 0; i < answer.n_mx; i++) {
        require(answer.mx[i].host[0] == '\0' || dns_is_host_name(answer.mx[i].host));
        require(i == 0 || answer.mx[i - 1].preference <= answer.mx[i].preference);
    }
}

static void read_addresses(struct span packet, int family)
{
    struct resolver_answer answer = {0};
    struct error err;
    if (dns_answer_addresses(packet, family, &answer, &err) != STATUS_OK)
        return;
    require(answer.n_addresses <= RESOLVER_ADDRESSES_MAX);
    for (size_t i = 0; i < answer.n_addresses; i++)
        require(answer.addresses[i].ss_family == family);
}

static void read_tlsa(struct span packet)
{
    struct tlsa_records *records;
    struct error err;
    struct buf text;
    if (dns_answer_tlsa(packet, &records, &err) != STATUS_OK || !records)
        return;
    require(records->n > 0 && records->n <= TLSA_RECORDS_MAX && records->data_len <= packet.len);
    buf_init(&text, 4 * packet.len + 1000);
    struct tlsa_records *copy = tlsa_records_copy(records);
    for (size_t i = 0; copy && i < copy->n; i++)
        tlsa_write(copy, i, &text);
    require(!text.failed);
    buf_free(&text);
    free(copy);
    free(records);
}

static void read_txt(struct span packet)
{
    struct txt_records *records;
    struct error err;
    if (dns_answer_txt(packet, &records, &err) != STATUS_OK || !records)
        return;
    require(records->n > 0 && records->n <= TXT_RECORDS_MAX && records->data_len <= packet.len);
    for (size_t i = 0; i < records->n; i++)
        require(records->items[i].at + txt_data(records, i).len <= records->data_len);
    free(records);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    /* Exactly as long as it is, so that a byte read behind its end is seen. */
    uint8_t *exact = malloc(len ? len : 1);
    char name[DNS_NAME_SIZE];
    require(exact != NULL);
    memcpy(exact, bytes, len);
    struct span packet = span_of(exact, len);
    read_mx(packet);
    read_addresses(packet, AF_INET);
    read_addresses(packet, AF_INET6);
    read_tlsa(packet);
    read_txt(packet);
    dns_answer_canonical(packet, name);
    require(name[0] == '\0' || dns_is_host_name(name));
    free(exact);
    return 0;
}
