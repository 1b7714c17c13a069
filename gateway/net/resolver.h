/* DNS through libunbound on the event loop. The callback of libunbound may fire at once; ours never fires
 * inside the call. */
#ifndef SEALGATE_NET_RESOLVER_H
#define SEALGATE_NET_RESOLVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/error.h"
#include "gateway/net/tlsa.h"
#include "gateway/net/txt.h"

struct event_base;
struct resolver;
struct resolver_query;

struct resolver_settings {
    const char *const *servers; /* "127.0.0.1@5353"; NULL: /etc/resolv.conf */
    size_t n_servers;
    const char *trust_anchor; /* file; NULL: no DNSSEC validation */
    const char *hosts;        /* /etc/hosts or NULL; passed over when it is not there */
};

MUST_USE enum status resolver_open(struct event_base *base, const struct resolver_settings *settings,
                                   struct resolver **resolver_out, struct error *err);
void resolver_close(struct resolver *resolver);

#define RESOLVER_ADDRESSES_MAX 16
#define RESOLVER_MX_MAX 32
#define DNS_NAME_SIZE 256

enum resolver_state {
    RESOLVER_FOUND,
    RESOLVER_NONE,   /* NOERROR without data, or NXDOMAIN */
    RESOLVER_FAILED, /* SERVFAIL, timeout, bogus: try again later, never "none" */
};

struct resolver_mx {
    uint16_t preference;
    char host[256]; /* "" for a null MX (RFC 7505) */
};

struct resolver_answer {
    enum resolver_state state;
    bool nxdomain;
    bool secure;                            /* DNSSEC-validated; of addresses, those of one family at least */
    char why[160];                          /* for FAILED */
    struct resolver_mx mx[RESOLVER_MX_MAX]; /* sorted by preference, shuffled within */
    size_t n_mx;
    struct sockaddr_storage addresses[RESOLVER_ADDRESSES_MAX]; /* port 0; IPv6 and IPv4 in turn */
    size_t n_addresses;
    char canonical[DNS_NAME_SIZE]; /* of addresses: the name at the end of the CNAMEs (the one asked for when
                                      there are none); "": not known */
    const struct tlsa_records *tlsa; /* for TLSA that was found; gone when DONE returns */
    const struct txt_records *txt;   /* for TXT, likewise */
};

typedef void resolver_done_fn(void *arg, const struct resolver_answer *answer);

/* DONE is called exactly once from the loop unless cancelled. NULL: err. */
struct resolver_query *resolver_mx(struct resolver *resolver, const char *domain, resolver_done_fn *done,
                                   void *arg, struct error *err);
struct resolver_query *resolver_addresses(struct resolver *resolver, const char *host, resolver_done_fn *done,
                                          void *arg, struct error *err);
/* "_PORT._tcp.HOST" (RFC 7672 §2.2.3). */
struct resolver_query *resolver_tlsa(struct resolver *resolver, const char *host, uint16_t port,
                                     resolver_done_fn *done, void *arg, struct error *err);
struct resolver_query *resolver_txt(struct resolver *resolver, const char *name, resolver_done_fn *done,
                                    void *arg, struct error *err);
/* The keys of the root: unless the answer is found and secure, the trust anchor does not work, and nothing
 * that looks unsigned is known to be so. Costs nothing once it is in the cache. */
struct resolver_query *resolver_root_keys(struct resolver *resolver, resolver_done_fn *done, void *arg,
                                          struct error *err);
void resolver_cancel(struct resolver_query *query);

#endif
