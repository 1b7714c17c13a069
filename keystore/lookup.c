/* From an address to its certificates. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "keystore/address.h"
#include "keystore/record.h"

/* Algorithms lose trust, roots change, user IDs expire: a judgement is not believed for longer. */
#define JUDGEMENT_LASTS (24 * 60 * 60)

/* ---- judging anew ---- */

/* INSPECTED in the future means that the clock was wrong then, or is now. */
static bool is_stale(const struct certificate *c, int64_t inspected, int64_t now)
{
    bool expired_since = c->expires > 0 && inspected <= c->expires && now >= c->expires;

    return expired_since || now - inspected >= JUDGEMENT_LASTS || inspected > now;
}

static enum status store(struct keystore *ks, int64_t id, const struct finding *finding, int64_t now,
                         struct error *err)
{
    enum status st = sql_begin(ks->sql, err);

    if (st != STATUS_OK)
        return st;
    st = record_update(ks, id, finding, now, err);
    if (st == STATUS_OK)
        st = sql_commit(ks->sql, err);
    if (st != STATUS_OK)
        sql_rollback(ks->sql);
    return st;
}

static enum status judge_again(struct keystore *ks, int64_t id, const struct certificate *c, int64_t now,
                               struct error *err)
{
    struct smime_certificates intermediates;
    struct finding finding;
    enum status st = record_intermediates(ks, id, &intermediates, err);

    if (st != STATUS_OK)
        return st;
    st = keystore_inspect(ks, c->format, buf_span(&c->bytes), &intermediates, now, &finding, err);
    smime_certificates_free(&intermediates);
    if (st != STATUS_OK)
        return st;
    /* Other bytes than were added: not this address's certificate, whatever they are. */
    if (strcmp(finding.certificate.fingerprint, c->fingerprint) != 0)
        st = error_set(err, STATUS_INTERNAL, "the stored bytes are those of certificate %s",
                       finding.certificate.fingerprint);
    else
        st = store(ks, id, &finding, now, err);
    keystore_finding_free(&finding);
    return st;
}

static enum status refresh(struct keystore *ks, int64_t id, int64_t now, bool *changed_out, struct error *err)
{
    struct certificate c;
    int64_t inspected;
    enum status st = record_load(ks, id, true, &c, &inspected, err);

    if (st != STATUS_OK)
        return st;
    *changed_out = is_stale(&c, inspected, now);
    if (*changed_out) {
        st = judge_again(ks, id, &c, now, err);
        if (st != STATUS_OK)
            error_prefix(err, "certificate %s could not be judged again", c.fingerprint);
    }
    certificate_free(&c);
    return st;
}

/* ---- one address ---- */

/* Usable ones first, then newest first; the fingerprint makes the order the same every time. */
static int compare(const void *left, const void *right)
{
    const struct certificate *a = left, *b = right;

    if (a->usable != b->usable)
        return a->usable ? -1 : 1;
    if (a->added != b->added)
        return a->added > b->added ? -1 : 1;
    return strcmp(a->fingerprint, b->fingerprint);
}

static enum status load(struct keystore *ks, const struct record_ids *ids, struct certificate_list *list,
                        struct error *err)
{
    for (size_t i = 0; i < ids->n; i++) {
        struct certificate c;
        enum status st = record_load(ks, ids->items[i], true, &c, NULL, err);
        if (st == STATUS_OK && (st = certificate_list_push(list, &c, err)) != STATUS_OK)
            certificate_free(&c);
        if (st != STATUS_OK)
            return st;
    }
    if (list->n > 1)
        qsort(list->items, list->n, sizeof *list->items, compare);
    return STATUS_OK;
}

/* The rows of these keys, each judged freshly enough. */
static enum status find_fresh(struct keystore *ks, const struct address_keys *keys, int64_t now,
                              struct record_ids *ids_out, struct error *err)
{
    bool any = false;
    enum status st = record_find_address(ks, keys, ids_out, err);

    for (size_t i = 0; st == STATUS_OK && i < ids_out->n; i++) {
        bool changed = false;
        st = refresh(ks, ids_out->items[i], now, &changed, err);
        any = any || changed;
    }
    if (st == STATUS_OK && !any)
        return STATUS_OK;
    record_ids_free(ids_out);
    /* A new judgement may have taken the address from a certificate. */
    return st == STATUS_OK ? record_find_address(ks, keys, ids_out, err) : st;
}

static enum status find(struct keystore *ks, const struct address_keys *keys, int64_t now,
                        struct certificate_list *list, struct error *err)
{
    struct record_ids ids;
    enum status st = find_fresh(ks, keys, now, &ids, err);

    if (st == STATUS_OK)
        st = load(ks, &ids, list, err);
    record_ids_free(&ids);
    return st;
}

enum status keystore_lookup_at(struct keystore *ks, const char *address, int64_t now,
                               struct certificate_list *list_out, struct error *err)
{
    struct address_keys keys;
    struct error why = {0};

    *list_out = (struct certificate_list){0};
    enum status st = address_keys_make(address, &keys, err);
    if (st != STATUS_OK)
        return st;
    st = find(ks, &keys, now, list_out, &why);
    if (st == STATUS_OK && list_out->n == 0 && address_keys_drop_tag(&keys))
        st = find(ks, &keys, now, list_out, &why);
    if (st == STATUS_OK)
        return STATUS_OK;
    certificate_list_free(list_out);
    /* Whatever went wrong, nobody may take it for "there is none" or for the sender's mistake. */
    return error_set(err, STATUS_TEMPORARY, "%s", why.text);
}

enum status keystore_lookup(struct keystore *ks, const char *address, struct certificate_list *list_out,
                            struct error *err)
{
    return keystore_lookup_at(ks, address, clock_wall_ms() / 1000, list_out, err);
}
