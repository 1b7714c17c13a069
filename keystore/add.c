/* Adding the certificates of a file, all or none. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "keystore/detect.h"
#include "keystore/judge.h"
#include "smime/signed.h"

/* Each costs a run of gpg, during which no lookup is answered. */
#define PER_FILE_MAX 200
/* CA certificates of one bundle. */
#define INTERMEDIATES_MAX 16

/* The certificates of a file, before they are judged. */
struct batch {
    enum certificate_format format;
    struct pgp_certificates openpgp;
    struct smime_certificates smime;         /* end entities */
    struct smime_certificates intermediates; /* CA certificates that came with them */
    bool from_mail;                          /* the one certificate made this mail's signature */
    unsigned mail_capabilities;
    int64_t mail_signed; /* 0: the mail does not say */
};

/* What the administrator says of them. */
struct order {
    const char *source;
    const char *domain; /* its key; NULL: none */
    int64_t now;
};

static void batch_free(struct batch *batch)
{
    pgp_certificates_free(&batch->openpgp);
    smime_certificates_free(&batch->smime);
    smime_certificates_free(&batch->intermediates);
}

static size_t batch_count(const struct batch *batch)
{
    return batch->format == CERTIFICATE_OPENPGP ? batch->openpgp.n : batch->smime.n;
}

static struct span batch_bytes(const struct batch *batch, size_t i)
{
    return buf_span(batch->format == CERTIFICATE_OPENPGP ? &batch->openpgp.items[i] : &batch->smime.items[i]);
}

/* Moves the CA certificates of BATCH->smime to BATCH->intermediates. */
static enum status part_authorities(struct batch *batch, struct error *err)
{
    struct smime_certificates *all = &batch->smime, *authorities = &batch->intermediates;
    size_t kept = 0;

    authorities->items = calloc(all->n, sizeof *authorities->items);
    if (!authorities->items)
        return error_set(err, STATUS_TEMPORARY, "out of memory for certificates");
    for (size_t i = 0; i < all->n; i++) {
        if (keystore_is_authority(buf_span(&all->items[i])))
            authorities->items[authorities->n++] = all->items[i];
        else
            all->items[kept++] = all->items[i];
    }
    all->n = kept;
    if (kept == 0)
        return error_set(err, STATUS_INVALID,
                         "the file holds certificates of authorities alone; trust anchors belong into the "
                         "file of roots");
    if (authorities->n > INTERMEDIATES_MAX)
        return error_set(err, STATUS_LIMIT,
                         "%zu certificates of authorities in one file, at most %d are taken; split it",
                         authorities->n, INTERMEDIATES_MAX);
    return STATUS_OK;
}

/* The signer's certificate, and the authorities that came with it. */
static enum status take_mail(struct smime_signed *mail, struct batch *batch, struct error *err)
{
    struct smime_certificates *others = &mail->others, *authorities = &batch->intermediates;

    batch->format = CERTIFICATE_SMIME;
    batch->from_mail = true;
    batch->mail_capabilities = mail->capabilities;
    batch->mail_signed = mail->signed_at;
    batch->smime.items = calloc(1, sizeof *batch->smime.items);
    authorities->items = calloc(INTERMEDIATES_MAX, sizeof *authorities->items);
    if (!batch->smime.items || !authorities->items)
        return error_set(err, STATUS_TEMPORARY, "out of memory for certificates");
    batch->smime.items[batch->smime.n++] = mail->certificate;
    mail->certificate = (struct buf){0};
    for (size_t i = 0; i < others->n && authorities->n < INTERMEDIATES_MAX; i++) {
        if (!keystore_is_authority(buf_span(&others->items[i])))
            continue;
        authorities->items[authorities->n++] = others->items[i];
        others->items[i] = (struct buf){0};
    }
    return STATUS_OK;
}

/* Any other PEM block, whole or damaged, is none. */
static bool may_be_signed(struct span file)
{
    if (span_starts(file, "-----BEGIN "))
        return span_starts(file, "-----BEGIN PKCS") || span_starts(file, "-----BEGIN CMS-");
    return file.len <= SMIME_SIGNED_MAX;
}

/* STATUS_NOT_FOUND: it is no signed mail. */
static enum status read_mail(struct span file, struct batch *batch, struct error *err)
{
    struct smime_signed mail;

    if (!may_be_signed(file))
        return error_set(err, STATUS_NOT_FOUND, "no signed mail");
    enum status st = smime_signed_read(file, &mail, err);
    if (st != STATUS_OK)
        return st;
    st = take_mail(&mail, batch, err);
    smime_signed_free(&mail);
    return st;
}

static enum status read_certificates(struct span file, struct batch *batch, struct error *err)
{
    enum status st = keystore_detect_format(file, &batch->format, err);

    if (st != STATUS_OK)
        return st;
    if (batch->format == CERTIFICATE_OPENPGP)
        return pgp_certificates_split(file, PER_FILE_MAX, &batch->openpgp, err);
    st = smime_certificates_split(file, PER_FILE_MAX, &batch->smime, err);
    return st == STATUS_OK ? part_authorities(batch, err) : st;
}

static enum status batch_read(struct span file, struct batch *batch, struct error *err)
{
    *batch = (struct batch){0};
    enum status st = read_mail(file, batch, err);
    return st == STATUS_NOT_FOUND ? read_certificates(file, batch, err) : st;
}

static enum status judge_one(struct keystore *ks, const struct batch *batch, size_t i,
                             const struct order *order, struct finding *finding, struct error *err)
{
    enum status st = keystore_inspect(ks, batch->format, batch_bytes(batch, i), &batch->intermediates, false,
                                      order->now, finding, err);
    if (st != STATUS_OK)
        return st;
    struct certificate *c = &finding->certificate;
    snprintf(c->source, sizeof c->source, "%s", order->source);
    if (finding->n_keys > 0)
        return STATUS_OK;
    st = error_set(err, STATUS_INVALID, "certificate %s has no address by which it could be found (%s)",
                   c->fingerprint, c->reason);
    keystore_finding_free(finding);
    return st;
}

/* A signing time in the future would keep out all later mails. */
static enum status put_mail(struct keystore *ks, const struct batch *batch, int64_t id, int64_t now,
                            struct error *err)
{
    int64_t at = batch->mail_signed;

    if (at <= 0 || at > now)
        at = now;
    return record_mail(ks, id, batch->mail_capabilities, at, err);
}

static enum status put_one(struct keystore *ks, const struct batch *batch, size_t i,
                           const struct order *order, int64_t *id_out, struct error *err)
{
    struct finding finding;
    bool known;
    enum status st = judge_one(ks, batch, i, order, &finding, err);

    if (st != STATUS_OK)
        return st;
    st = record_put(ks, &finding, order->now, &batch->intermediates, id_out, &known, err);
    keystore_finding_free(&finding);
    if (st == STATUS_OK && order->domain)
        st = record_bind(ks, *id_out, order->domain, err);
    if (st == STATUS_OK && batch->from_mail)
        st = put_mail(ks, batch, *id_out, order->now, err);
    /* By what was known of it besides: a pin, intermediates of another file. */
    if (st == STATUS_OK && known && batch->format == CERTIFICATE_SMIME)
        st = keystore_judge(ks, *id_out, order->now, err);
    return st;
}

/* Judges and stores all; *IDS has each row once. */
static enum status put_all(struct keystore *ks, const struct batch *batch, const struct order *order,
                           struct record_ids *ids, struct error *err)
{
    ids->items = calloc(batch_count(batch), sizeof *ids->items);
    if (!ids->items)
        return error_set(err, STATUS_TEMPORARY, "out of memory for certificates");
    for (size_t i = 0; i < batch_count(batch); i++) {
        int64_t id;
        enum status st = put_one(ks, batch, i, order, &id, err);
        if (st != STATUS_OK)
            return st;
        size_t seen = 0;
        while (seen < ids->n && ids->items[seen] != id)
            seen++;
        if (seen == ids->n)
            ids->items[ids->n++] = id;
    }
    return STATUS_OK;
}

static enum status add_batch(struct keystore *ks, const struct batch *batch, const struct order *order,
                             struct certificate_list *added_out, struct error *err)
{
    struct record_ids ids = {0};
    enum status st = sql_begin(ks->sql, err);

    if (st != STATUS_OK)
        return st;
    st = put_all(ks, batch, order, &ids, err);
    if (st == STATUS_OK)
        st = record_load_list(ks, &ids, true, added_out, err);
    if (st == STATUS_OK)
        st = sql_commit(ks->sql, err);
    if (st != STATUS_OK) {
        sql_rollback(ks->sql);
        certificate_list_free(added_out);
    }
    record_ids_free(&ids);
    return st;
}

enum status keystore_add_for_domain(struct keystore *ks, struct span file, const char *source,
                                    const char *domain, struct certificate_list *added_out, struct error *err)
{
    char key[DOMAIN_KEY_SIZE];
    struct batch batch;
    const struct order order = {
        .source = source, .domain = domain ? key : NULL, .now = clock_wall_ms() / 1000};

    *added_out = (struct certificate_list){0};
    if (source[0] == '\0' || strlen(source) >= sizeof((struct certificate *)0)->source)
        return error_set(err, STATUS_INVALID, "a source is a word of 1 to %zu characters",
                         sizeof((struct certificate *)0)->source - 1);
    enum status st = domain ? address_domain_key(domain, key, err) : STATUS_OK;
    if (st != STATUS_OK)
        return st;
    st = batch_read(file, &batch, err);
    if (st == STATUS_OK)
        st = add_batch(ks, &batch, &order, added_out, err);
    batch_free(&batch);
    return st;
}

enum status keystore_add(struct keystore *ks, struct span file, const char *source,
                         struct certificate_list *added_out, struct error *err)
{
    return keystore_add_for_domain(ks, file, source, NULL, added_out, err);
}
