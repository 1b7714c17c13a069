/* MTA-STS (RFC 8461): the record in DNS (§3.1) and the policy (§3.2). Pure. */
#ifndef SEALGATE_WIRE_MTA_STS_H
#define SEALGATE_WIRE_MTA_STS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"

#define STS_ID_MAX 32
#define STS_MAX_AGE_S 31557600 /* §3.2 */
#define STS_POLICY_MAX 65536   /* bytes; §3.3 */

enum sts_mode { STS_MODE_NONE, STS_MODE_TESTING, STS_MODE_ENFORCE };

/* "none", "testing", "enforce". */
const char *sts_mode_word(enum sts_mode mode);

/* Does TXT begin as a record of MTA-STS? All others are passed over; of these there must be just one. */
bool sts_is_record(struct span txt);

/* The id in such a record: 1 to 32 letters and digits, a part of TXT. STATUS_INVALID: not of the grammar. */
MUST_USE enum status sts_record_parse(struct span txt, struct span *id_out, struct error *err);

struct sts_policy {
    enum sts_mode mode;
    int64_t max_age_s;
    size_t n_mx;
};

/*
 * Lines end in LF or CRLF; unknown keys are passed over, and so is all but the first of a key that may stand
 * once. STATUS_INVALID: version, mode or max_age (at most STS_MAX_AGE_S) is missing or wrong, an mx is no
 * host name with at most one "*." before it, none is there though the mode is not none, or a line is no
 * "key: value"; STATUS_LIMIT: over STS_POLICY_MAX bytes.
 */
MUST_USE enum status sts_policy_parse(struct span text, struct sts_policy *policy_out, struct error *err);

/* Takes the next mx of a policy from the front of *REST, which is its text at first; false: no more. */
bool sts_policy_next_mx(struct span *rest, struct span *mx_out);

/* Is HOST, without a dot at its end, one of the hosts of the policy in TEXT (§4.1)? "*." is one label. */
bool sts_policy_allows(struct span text, const char *host);

#endif
