/* What a DNS packet says, read with the C library's ns_* functions. No I/O. */
#ifndef SEALGATE_NET_DNS_ANSWER_H
#define SEALGATE_NET_DNS_ANSWER_H

#include "base/span.h"
#include "gateway/net/resolver.h"

/*
 * Each takes the records of the answer section into ANSWER, at most as many as fit (the most preferred MX),
 * and returns how many usable ones the packet had. STATUS_INVALID: the packet is damaged, or it holds only
 * records that cannot be used (an MX whose name is no host name): never to be taken for "none".
 */
MUST_USE enum status dns_answer_mx(struct span packet, struct resolver_answer *answer, struct error *err);
MUST_USE enum status dns_answer_addresses(struct span packet, int family, struct resolver_answer *answer,
                                          struct error *err);

/* NULL when there are none. One that is malformed is there with usage 255, which nobody uses. STATUS_LIMIT:
 * more than TLSA_RECORDS_MAX. To be freed by free(). */
MUST_USE enum status dns_answer_tlsa(struct span packet, struct tlsa_records **records_out,
                                     struct error *err);

/* The same for TXT; more than TXT_RECORDS_MAX are STATUS_LIMIT. */
MUST_USE enum status dns_answer_txt(struct span packet, struct txt_records **records_out, struct error *err);

/* How many records of TYPE the answer section has. */
MUST_USE enum status dns_answer_count(struct span packet, int type, size_t *n_out, struct error *err);

/* The name at the end of the CNAMEs that begin at the name asked for; "" when it is no host name. */
void dns_answer_canonical(struct span packet, char name_out[DNS_NAME_SIZE]);

/* Letters, digits, "-", "_" and "." only: fit for logs, TLS names and configuration (A9). */
bool dns_is_host_name(const char *name);

/* Sorts by preference and shuffles within one (RFC 5321 §5.1). */
void dns_mx_order(struct resolver_mx *mx, size_t n);

#endif
