/*
 * What MTA-STS fetches: a policy or record that is taken holds together, and its hosts are fit for logs.
 * Input: a policy, and the same bytes as a record.
 */
#include <string.h>

#include "gateway/wire/mta_sts.h"
#include "tests/fuzz/fuzz.h"

static void read_record(struct span in)
{
    struct span id;
    struct error err;
    if (sts_record_parse(in, &id, &err) != STATUS_OK)
        return;
    require(sts_is_record(in) && id.len > 0 && id.len <= STS_ID_MAX);
    require_within(id, in);
    require_clean(id);
}

static void read_policy(struct span in)
{
    struct sts_policy policy;
    struct error err;
    struct span rest = in, mx;
    size_t n = 0;
    bool good = sts_policy_parse(in, &policy, &err) == STATUS_OK;
    while (sts_policy_next_mx(&rest, &mx)) {
        require_within(mx, in);
        n++;
        if (!good)
            continue;
        require_clean(mx);
        char host[300];
        require(mx.len > 0 && mx.len < sizeof host);
        memcpy(host, mx.p, mx.len);
        host[mx.len] = '\0';
        if (host[0] == '*')
            host[0] = 'a';
        require(sts_policy_allows(in, host));
    }
    if (!good)
        return;
    require(policy.n_mx == n && (n > 0 || policy.mode == STS_MODE_NONE));
    require(policy.max_age_s >= 0 && policy.max_age_s <= STS_MAX_AGE_S);
    require(!sts_policy_allows(in, ""));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct span in = span_of(bytes, len);
    read_record(in);
    read_policy(in);
    return 0;
}
