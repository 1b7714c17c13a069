/*
 * What TLS sessions came to, by UTC day and domain, until it is reported (RFC 8460): a database in the role's
 * folder, so that a restart forgets nothing. Bounded; a day is a number of days since 1970-01-01.
 */
#ifndef SEALGATE_TLSRPT_STORE_H
#define SEALGATE_TLSRPT_STORE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "gateway/tlsrpt/result.h"

#define TLSRPT_DAY_MS ((int64_t)86400 * 1000)
/* So long a day can be looked at, and its report be sent. */
#define TLSRPT_DAYS_KEPT 7

struct tlsrpt_store;

MUST_USE enum status tlsrpt_store_open(const char *path, struct tlsrpt_store **store_out, struct error *err);
void tlsrpt_store_close(struct tlsrpt_store *store);

/* ---- what is recorded ---- */

/* The policy that a session was held to (§4.4). */
struct tlsrpt_policy {
    const char *type;    /* "tlsa", "sts", "no-policy-found" */
    const char *strings; /* policy-string: lines, printable ASCII; "" none */
    const char *mx;      /* mx-host: the patterns of an "sts" policy, a line each; "" none */
    const char
        *domain; /* policy-domain: of "tlsa" the MX host's TLSA base domain (§1.1); NULL: the recipient's */
};

/* A session, good or bad. Strings are printable ASCII, "" where not known. */
struct tlsrpt_session {
    enum tlsrpt_result result;
    const char *sending_ip;   /* the rest of a bad one */
    const char *mx_host;      /* receiving-mx-hostname */
    const char *receiving_ip; /* without port */
    const char *reason;       /* failure-reason-code */
};

/* One more. STATUS_LIMIT: DOMAIN has too many different policies that day; STATUS_TEMPORARY: the store is
 * full or fails. */
MUST_USE enum status tlsrpt_store_add(struct tlsrpt_store *store, int64_t day, const char *domain,
                                      const struct tlsrpt_policy *policy,
                                      const struct tlsrpt_session *session, struct error *err);

/* The array "policies" of the day's report (§4.4), a new reference. STATUS_NOT_FOUND: nothing is recorded. */
MUST_USE enum status tlsrpt_store_policies(struct tlsrpt_store *store, int64_t day, const char *domain,
                                           json_t **policies_out, struct error *err);

/* All that is known, an object for each day and domain, of DAY alone unless it is -1. A new reference. */
MUST_USE enum status tlsrpt_store_list(struct tlsrpt_store *store, int64_t day, json_t **days_out,
                                       struct error *err);

/* ---- what is to be sent ---- */

#define TLSRPT_ID_SIZE 21 /* an id_make() */

/* A report that is due. */
struct tlsrpt_due {
    int64_t day;
    char *domain; /* owned */
    char id[TLSRPT_ID_SIZE];
    int64_t first_ms; /* of the first attempt; 0: none yet */
    int64_t attempts;
    bool looked_up; /* the record was found, and: */
    char *targets;  /* the URIs that have not taken it, a line each; owned */
};

void tlsrpt_due_free(struct tlsrpt_due *due);

/* Every domain of a day before TODAY that has no report yet gets one, due between NOW_MS and SPREAD_MS later.
 */
MUST_USE enum status tlsrpt_store_schedule(struct tlsrpt_store *store, int64_t today, int64_t now_ms,
                                           int64_t spread_ms, struct error *err);
/* By hand: the reports of DAY, of all domains where DOMAIN is NULL, are due now, also those that were sent.
 */
MUST_USE enum status tlsrpt_store_ask(struct tlsrpt_store *store, int64_t day, const char *domain,
                                      int64_t now_ms, int64_t *n_out, struct error *err);
/* The next that is due at NOW_MS; it is not due again before UNTIL_MS, whatever happens to us.
 * STATUS_NOT_FOUND: none. */
MUST_USE enum status tlsrpt_store_claim(struct tlsrpt_store *store, int64_t now_ms, int64_t until_ms,
                                        struct tlsrpt_due *due_out, struct error *err);
/* DUE as it is now, to be tried again at DUE_MS; WHY for people. */
MUST_USE enum status tlsrpt_store_put(struct tlsrpt_store *store, const struct tlsrpt_due *due,
                                      int64_t due_ms, const char *why, struct error *err);
/* It is over: STATE "sent" or "dropped". */
MUST_USE enum status tlsrpt_store_end(struct tlsrpt_store *store, const struct tlsrpt_due *due,
                                      const char *state, const char *why, struct error *err);
/* The report is not wanted, or was one of a day that goes on; DATA: and what is recorded goes too. */
MUST_USE enum status tlsrpt_store_forget(struct tlsrpt_store *store, const struct tlsrpt_due *due, bool data,
                                         struct error *err);
/* Everything of days before DAY. */
MUST_USE enum status tlsrpt_store_forget_before(struct tlsrpt_store *store, int64_t day, struct error *err);

#endif
