/* From an address to its certificates. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "keystore/judge.h"
#include "keystore/prefer.h"

/* ---- one address ---- */

/* The fingerprint makes the order the same every time. */
static int compare(const void *left, const void *right)
{
    const struct certificate *a = left, *b = right;

    if (a->for_domain != b->for_domain)
        return a->for_domain ? 1 : -1;
    if (a->usable != b->usable)
        return a->usable ? -1 : 1;
    if (a->pinned != b->pinned)
        return a->pinned ? -1 : 1;
    if (a->added != b->added)
        return a->added > b->added ? -1 : 1;
    return strcmp(a->fingerprint, b->fingerprint);
}

/* The rows of KEYS, or with DOMAIN those of that domain. */
static enum status find_rows(struct keystore *ks, const struct address_keys *keys, const char *domain,
                             struct record_ids *ids_out, struct error *err)
{
    return domain ? record_find_domain(ks, domain, ids_out, err)
                  : record_find_address(ks, keys, ids_out, err);
}

/* Each judged freshly enough. */
static enum status find_fresh(struct keystore *ks, const struct address_keys *keys, const char *domain,
                              int64_t now, struct record_ids *ids_out, struct error *err)
{
    bool any = false;
    enum status st = find_rows(ks, keys, domain, ids_out, err);

    for (size_t i = 0; st == STATUS_OK && i < ids_out->n; i++) {
        bool changed = false;
        st = keystore_judge_if_stale(ks, ids_out->items[i], now, &changed, err);
        any = any || changed;
    }
    if (st == STATUS_OK && !any)
        return STATUS_OK;
    record_ids_free(ids_out);
    /* A new judgement may have taken the address from a certificate. */
    return st == STATUS_OK ? find_rows(ks, keys, domain, ids_out, err) : st;
}

static enum status find(struct keystore *ks, const struct address_keys *keys, const char *domain, int64_t now,
                        struct certificate_list *list, struct error *err)
{
    struct record_ids ids;
    enum status st = find_fresh(ks, keys, domain, now, &ids, err);

    if (st == STATUS_OK)
        st = record_load_list(ks, &ids, true, list, err);
    record_ids_free(&ids);
    return st;
}

static enum status find_own(struct keystore *ks, const struct address_keys *keys, int64_t now,
                            struct certificate_list *list, struct error *err)
{
    struct address_keys plain = *keys;
    enum status st = find(ks, keys, NULL, now, list, err);

    if (st == STATUS_OK && list->n == 0 && address_keys_drop_tag(&plain))
        st = find(ks, &plain, NULL, now, list, err);
    return st;
}

static bool is_in(const struct certificate_list *list, const struct certificate *c)
{
    for (size_t i = 0; i < list->n; i++)
        if (strcmp(list->items[i].fingerprint, c->fingerprint) == 0)
            return true;
    return false;
}

/* One that names the address as well is its own, and stands in the list already. */
static enum status find_of_domain(struct keystore *ks, const struct address_keys *keys, int64_t now,
                                  struct certificate_list *list, struct error *err)
{
    struct certificate_list found = {0};
    enum status st = find(ks, keys, address_keys_domain(keys), now, &found, err);

    for (size_t i = 0; st == STATUS_OK && i < found.n; i++) {
        if (is_in(list, &found.items[i]))
            continue;
        found.items[i].for_domain = true;
        st = certificate_list_push(list, &found.items[i], err);
    }
    certificate_list_free(&found);
    return st;
}

static enum status look(struct keystore *ks, const struct address_keys *keys, int64_t now,
                        struct certificate_list *list, struct error *err)
{
    enum status st = find_own(ks, keys, now, list, err);

    if (st == STATUS_OK)
        st = find_of_domain(ks, keys, now, list, err);
    if (st == STATUS_OK)
        st = preference_find(ks, keys, &list->preferred, err);
    if (st == STATUS_OK && list->n > 1)
        qsort(list->items, list->n, sizeof *list->items, compare);
    return st;
}

/* All of it in one transaction: no half of a change is seen, and the file is locked once. */
static enum status look_at_once(struct keystore *ks, const struct address_keys *keys, int64_t now,
                                struct certificate_list *list, struct error *err)
{
    enum status st = sql_begin_reading(ks->sql, err);

    if (st != STATUS_OK)
        return st;
    st = look(ks, keys, now, list, err);
    if (st == STATUS_OK)
        st = sql_commit(ks->sql, err);
    if (st != STATUS_OK)
        sql_rollback(ks->sql);
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
    st = look_at_once(ks, &keys, now, list_out, &why);
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
