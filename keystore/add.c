/* Adding the certificates of a file, all or none. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "keystore/detect.h"
#include "keystore/record.h"

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

static enum status batch_read(struct span file, struct batch *batch, struct error *err)
{
    *batch = (struct batch){0};
    enum status st = keystore_detect_format(file, &batch->format, err);
    if (st != STATUS_OK)
        return st;
    if (batch->format == CERTIFICATE_OPENPGP)
        return pgp_certificates_split(file, PER_FILE_MAX, &batch->openpgp, err);
    st = smime_certificates_split(file, PER_FILE_MAX, &batch->smime, err);
    return st == STATUS_OK ? part_authorities(batch, err) : st;
}

static enum status judge_one(struct keystore *ks, const struct batch *batch, size_t i, const char *source,
                             int64_t now, struct finding *finding, struct error *err)
{
    enum status st =
        keystore_inspect(ks, batch->format, batch_bytes(batch, i), &batch->intermediates, now, finding, err);
    if (st != STATUS_OK)
        return st;
    struct certificate *c = &finding->certificate;
    snprintf(c->source, sizeof c->source, "%s", source);
    if (finding->n_keys > 0)
        return STATUS_OK;
    st = error_set(err, STATUS_INVALID, "certificate %s has no address by which it could be found (%s)",
                   c->fingerprint, c->reason);
    keystore_finding_free(finding);
    return st;
}

/* Judges and stores all; *IDS has each row once. */
static enum status put_all(struct keystore *ks, const struct batch *batch, const char *source, int64_t now,
                           struct record_ids *ids, struct error *err)
{
    ids->items = calloc(batch_count(batch), sizeof *ids->items);
    if (!ids->items)
        return error_set(err, STATUS_TEMPORARY, "out of memory for certificates");
    for (size_t i = 0; i < batch_count(batch); i++) {
        struct finding finding;
        int64_t id;
        enum status st = judge_one(ks, batch, i, source, now, &finding, err);
        if (st != STATUS_OK)
            return st;
        st = record_put(ks, &finding, now, &batch->intermediates, &id, err);
        keystore_finding_free(&finding);
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

static enum status list_rows(struct keystore *ks, const struct record_ids *ids, struct certificate_list *list,
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
    return STATUS_OK;
}

static enum status add_batch(struct keystore *ks, const struct batch *batch, const char *source,
                             struct certificate_list *added_out, struct error *err)
{
    struct record_ids ids = {0};
    enum status st = sql_begin(ks->sql, err);

    if (st != STATUS_OK)
        return st;
    st = put_all(ks, batch, source, clock_wall_ms() / 1000, &ids, err);
    if (st == STATUS_OK)
        st = list_rows(ks, &ids, added_out, err);
    if (st == STATUS_OK)
        st = sql_commit(ks->sql, err);
    if (st != STATUS_OK) {
        sql_rollback(ks->sql);
        certificate_list_free(added_out);
    }
    record_ids_free(&ids);
    return st;
}

enum status keystore_add(struct keystore *ks, struct span file, const char *source,
                         struct certificate_list *added_out, struct error *err)
{
    struct batch batch;

    *added_out = (struct certificate_list){0};
    if (source[0] == '\0' || strlen(source) >= sizeof((struct certificate *)0)->source)
        return error_set(err, STATUS_INVALID, "a source is a word of 1 to %zu characters",
                         sizeof((struct certificate *)0)->source - 1);
    enum status st = batch_read(file, &batch, err);
    if (st == STATUS_OK)
        st = add_batch(ks, &batch, source, added_out, err);
    batch_free(&batch);
    return st;
}
