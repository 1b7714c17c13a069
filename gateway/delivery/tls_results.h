/* What TLS to an MX host came to, for the reports to its domain (RFC 8460 §4.3): which policy was applied,
 * and how it went. */
#ifndef SEALGATE_DELIVERY_TLS_RESULTS_H
#define SEALGATE_DELIVERY_TLS_RESULTS_H

#include "gateway/delivery/client.h"
#include "gateway/delivery/host.h"
#include "gateway/delivery/sts.h"
#include "gateway/tlsrpt/tlsrpt.h"

struct tls_results_of {
    const struct tls_hop *hop;
    const struct tls_demand *demand; /* on it */
    const struct host *host;
    const struct sts_facts *sts;
    bool literal; /* the mail is to an address, which has no domain to report to */
};

/*
 * Records a session, or (TLS NULL) that there was none because the demand cannot be met. Not a session to a
 * fixed route, to one for which the administrator's tls-policy decided without DANE, at level none, or of
 * mail with TLS-Required: No, which reports have too: there the domain's policy was not applied. REPORTS
 * NULL: nothing.
 *
 * The policy is "tlsa" where TLSA records could be used, or there are some that cannot, or nobody could say;
 * else "sts" where there is one of mode enforce or testing; else "no-policy-found", for which a session is
 * good once it is encrypted. A policy of MTA-STS that cannot be fetched is a failure of its own beside that.
 */
void tls_results_add(struct tlsrpt *reports, const struct tls_results_of *of, const struct client_tls *tls);

#endif
