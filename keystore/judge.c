#include "keystore/judge.h"

#include <stdint.h>
#include <string.h>

/* A judgement is not believed for longer. */
#define JUDGEMENT_LASTS (24 * 60 * 60)

/* INSPECTED in the future means that the clock was wrong then, or is now. */
static bool is_old(const struct certificate *c, int64_t inspected, int64_t now)
{
    bool expired_since = c->expires > 0 && inspected <= c->expires && now >= c->expires;

    return expired_since || now - inspected >= JUDGEMENT_LASTS || inspected > now;
}

/* A revocation counts from the moment that its CRL is there, and while one cannot be read nothing does (A33).
 */
static enum status find_stale(const struct keystore *ks, const struct certificate *c, int64_t inspected,
                              int64_t now, bool *stale_out, struct error *err)
{
    int64_t changed = INT64_MIN;
    enum status st = STATUS_OK;

    if (c->format == CERTIFICATE_SMIME)
        st = smime_trust_refresh(ks->trust, now, &changed, err);
    *stale_out = is_old(c, inspected, now) || inspected <= changed;
    return st;
}

static enum status judge(struct keystore *ks, int64_t id, const struct certificate *c, int64_t now,
                         struct error *err)
{
    struct smime_certificates intermediates;
    struct finding finding;
    enum status st = record_intermediates(ks, id, &intermediates, err);

    if (st != STATUS_OK)
        return st;
    st = keystore_inspect(ks, c->format, buf_span(&c->bytes), &intermediates, c->pinned, now, &finding, err);
    smime_certificates_free(&intermediates);
    if (st != STATUS_OK)
        return st;
    /* Other bytes than were added: not this address's certificate, whatever they are. */
    if (strcmp(finding.certificate.fingerprint, c->fingerprint) != 0)
        st = error_set(err, STATUS_INTERNAL, "the stored bytes are those of certificate %s",
                       finding.certificate.fingerprint);
    else
        st = record_update(ks, id, &finding, now, err);
    keystore_finding_free(&finding);
    return st;
}

enum status keystore_judge(struct keystore *ks, int64_t id, int64_t now, struct error *err)
{
    struct certificate c;
    enum status st = record_load(ks, id, true, &c, NULL, err);

    if (st != STATUS_OK)
        return st;
    st = judge(ks, id, &c, now, err);
    if (st != STATUS_OK)
        error_prefix(err, "certificate %s could not be judged again", c.fingerprint);
    certificate_free(&c);
    return st;
}

enum status keystore_judge_if_stale(struct keystore *ks, int64_t id, int64_t now, bool *changed_out,
                                    struct error *err)
{
    struct certificate c;
    int64_t inspected;
    enum status st = record_load(ks, id, false, &c, &inspected, err);

    if (st != STATUS_OK)
        return st;
    st = find_stale(ks, &c, inspected, now, changed_out, err);
    certificate_free(&c);
    return st == STATUS_OK && *changed_out ? keystore_judge(ks, id, now, err) : st;
}
