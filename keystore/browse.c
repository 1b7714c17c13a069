/* What the administrator looks at, pins and removes: lists, one certificate by its fingerprint. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "keystore/judge.h"

#define DAY (24 * 60 * 60)
#define SUFFIX_MIN 16 /* hex digits: a long key ID */
#define NEVER INT64_MAX

/* ---- lists ---- */

/* Lists are not judged anew, but nothing is shown as usable behind its date. */
static void expire(struct certificate *c, int64_t now)
{
    char iso[CLOCK_ISO_SIZE];

    if (!c->usable || c->expires == 0 || now < c->expires)
        return;
    clock_iso(c->expires * 1000, iso);
    c->usable = false;
    snprintf(c->reason, sizeof c->reason, "expired on %.10s", iso);
}

static int compare(const void *left, const void *right)
{
    const struct certificate *a = left, *b = right;
    int order = strcasecmp(a->addresses, b->addresses);

    return order ? order : strcmp(a->fingerprint, b->fingerprint);
}

static enum status load_one(struct keystore *ks, int64_t id, bool with_bytes, struct certificate *c,
                            struct error *err)
{
    enum status st = record_load(ks, id, with_bytes, c, NULL, err);

    if (st == STATUS_OK)
        expire(c, clock_wall_ms() / 1000);
    return st;
}

/* Those that expire before UNTIL, or all with NEVER. */
static enum status list_until(struct keystore *ks, int64_t until, struct certificate_list *list_out,
                              struct error *err)
{
    struct record_ids ids;
    enum status st = record_find_all(ks, &ids, err);

    *list_out = (struct certificate_list){0};
    for (size_t i = 0; st == STATUS_OK && i < ids.n; i++) {
        struct certificate c;
        st = load_one(ks, ids.items[i], false, &c, err);
        if (st != STATUS_OK)
            break;
        if (until == NEVER || (c.expires > 0 && c.expires <= until))
            st = certificate_list_push(list_out, &c, err);
        certificate_free(&c);
    }
    record_ids_free(&ids);
    if (st != STATUS_OK)
        certificate_list_free(list_out);
    else if (list_out->n > 1)
        qsort(list_out->items, list_out->n, sizeof *list_out->items, compare);
    return st;
}

enum status keystore_list(struct keystore *ks, struct certificate_list *list_out, struct error *err)
{
    return list_until(ks, NEVER, list_out, err);
}

enum status keystore_expiring(struct keystore *ks, int days, struct certificate_list *list_out,
                              struct error *err)
{
    *list_out = (struct certificate_list){0};
    if (days < 0)
        return error_set(err, STATUS_INVALID, "the number of days is negative: %d", days);
    return list_until(ks, clock_wall_ms() / 1000 + (int64_t)days * DAY, list_out, err);
}

/* ---- one certificate ---- */

/* As people copy them: "0x", spaces, colons and small letters are fine. */
static enum status read_fingerprint(const char *text, char hex[CERTIFICATE_FINGERPRINT_SIZE],
                                    struct error *err)
{
    size_t n = 0;
    const char *at = strncasecmp(text, "0x", 2) == 0 ? text + 2 : text;

    for (; *at && n < CERTIFICATE_FINGERPRINT_SIZE - 1; at++) {
        if (*at == ' ' || *at == ':')
            continue;
        bool digit = *at >= '0' && *at <= '9';
        char letter = (char)(*at & ~0x20);
        if (!digit && (letter < 'A' || letter > 'F'))
            break;
        hex[n++] = digit ? *at : letter;
    }
    hex[n] = '\0';
    if (*at || n < SUFFIX_MIN)
        return error_set(err, STATUS_INVALID,
                         "not a fingerprint: %.100s; give all of it, or at least the last %d hex digits",
                         text, SUFFIX_MIN);
    return STATUS_OK;
}

/* *CERTIFICATE_OUT is the only one whose fingerprint ends so; *ID_OUT is its row. */
static enum status find_one(struct keystore *ks, const char *fingerprint, bool with_bytes, int64_t *id_out,
                            struct certificate *certificate_out, struct error *err)
{
    char hex[CERTIFICATE_FINGERPRINT_SIZE];
    struct record_ids ids;
    enum status st = read_fingerprint(fingerprint, hex, err);

    if (st != STATUS_OK)
        return st;
    st = record_find_fingerprint(ks, hex, &ids, err);
    if (st == STATUS_OK && ids.n == 0)
        st = error_set(err, STATUS_NOT_FOUND, "no certificate has the fingerprint %s", hex);
    else if (st == STATUS_OK && ids.n > 1)
        st = error_set(err, STATUS_INVALID, "%zu certificates have a fingerprint that ends in %s; give more",
                       ids.n, hex);
    if (st == STATUS_OK) {
        *id_out = ids.items[0];
        st = load_one(ks, *id_out, with_bytes, certificate_out, err);
    }
    record_ids_free(&ids);
    return st;
}

enum status keystore_show(struct keystore *ks, const char *fingerprint, struct certificate_list *one_out,
                          struct error *err)
{
    struct certificate c;
    int64_t id;
    enum status st = find_one(ks, fingerprint, true, &id, &c, err);

    *one_out = (struct certificate_list){0};
    if (st != STATUS_OK)
        return st;
    st = certificate_list_push(one_out, &c, err);
    certificate_free(&c);
    return st;
}

/* ---- pins ---- */

static enum status pin_row(struct keystore *ks, int64_t id, bool pinned, struct error *err)
{
    enum status st = sql_begin(ks->sql, err);

    if (st != STATUS_OK)
        return st;
    st = record_pin(ks, id, pinned, err);
    if (st == STATUS_OK)
        st = keystore_judge(ks, id, clock_wall_ms() / 1000, err);
    if (st == STATUS_OK)
        st = sql_commit(ks->sql, err);
    if (st != STATUS_OK)
        sql_rollback(ks->sql);
    return st;
}

enum status keystore_pin(struct keystore *ks, const char *fingerprint, bool pinned,
                         struct certificate_list *one_out, struct error *err)
{
    struct certificate c;
    int64_t id;
    enum status st = find_one(ks, fingerprint, false, &id, &c, err);

    *one_out = (struct certificate_list){0};
    if (st != STATUS_OK)
        return st;
    st = pin_row(ks, id, pinned, err);
    if (st == STATUS_OK)
        st = keystore_show(ks, c.fingerprint, one_out, err);
    certificate_free(&c);
    return st;
}

enum status keystore_pinned_before(struct keystore *ks, const char *fingerprint,
                                   struct certificate_list *list_out, struct error *err)
{
    struct record_ids ids;
    enum status st = record_find_pinned_before(ks, fingerprint, &ids, err);

    *list_out = (struct certificate_list){0};
    if (st == STATUS_OK)
        st = record_load_list(ks, &ids, false, list_out, err);
    record_ids_free(&ids);
    if (st != STATUS_OK)
        certificate_list_free(list_out);
    return st;
}

/* ---- removal ---- */

enum status keystore_remove(struct keystore *ks, const char *fingerprint, struct error *err)
{
    struct certificate c;
    int64_t id;
    enum status st = find_one(ks, fingerprint, false, &id, &c, err);

    if (st != STATUS_OK)
        return st;
    certificate_free(&c);
    return record_delete(ks, id, err);
}
