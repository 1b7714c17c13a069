#include "keystore/keystore.h"

#include <stdlib.h>
#include <unistd.h>

#include "keystore/private.h"
#include "keystore/record.h"

/* ---- lists ---- */

void certificate_free(struct certificate *certificate)
{
    buf_free(&certificate->bytes);
    free(certificate->addresses);
    free(certificate->domains);
    free(certificate->name);
    *certificate = (struct certificate){0};
}

void certificate_list_free(struct certificate_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        certificate_free(&list->items[i]);
    free(list->items);
    *list = (struct certificate_list){0};
}

enum status certificate_list_push(struct certificate_list *list, struct certificate *moved, struct error *err)
{
    struct certificate *items = reallocarray(list->items, list->n + 1, sizeof *items);

    if (!items)
        return error_set(err, STATUS_TEMPORARY, "out of memory for a list of certificates");
    list->items = items;
    list->items[list->n++] = *moved;
    *moved = (struct certificate){0};
    return STATUS_OK;
}

const char *certificate_format_word(enum certificate_format format)
{
    return format == CERTIFICATE_OPENPGP ? "openpgp" : "smime";
}

const char *certificate_capability_word(unsigned capability)
{
    return capability == CAPABILITY_AES256_GCM ? "aes256-gcm" : "rsa-oaep";
}

/* ---- open and close ---- */

/*
 * SQLite would make a new database, and everybody in it would be without a certificate (A33). The GnuPG home
 * is made after the database, so where it stands there was one.
 */
static enum status check_not_lost(const struct keystore_settings *settings, struct error *err)
{
    if (access(settings->path, F_OK) == 0 || access(settings->gpg_home, F_OK) != 0)
        return STATUS_OK;
    return error_set(err, STATUS_INVALID,
                     "%s was there before and is gone: restore it from a backup, or remove %s to begin with "
                     "an empty keystore",
                     settings->path, settings->gpg_home);
}

static enum status open_parts(const struct keystore_settings *settings, struct keystore *ks,
                              struct error *err)
{
    const struct pgp_engine_settings pgp = {.gpg_path = settings->gpg_path, .home = settings->gpg_home};
    const struct smime_trust_settings smime = {.roots_path = settings->roots_path,
                                               .crl_paths = settings->crl_paths,
                                               .n_crl_paths = settings->n_crl_paths,
                                               .crl_required = settings->crl_required};

    enum status st = check_not_lost(settings, err);
    if (st == STATUS_OK)
        st = sql_open(settings->path, keystore_schema, &ks->sql, err);
    if (st == STATUS_OK)
        st = pgp_engine_open(&pgp, &ks->engine, err);
    if (st == STATUS_OK)
        st = smime_trust_open(&smime, &ks->trust, err);
    return st;
}

enum status keystore_open(const struct keystore_settings *settings, struct keystore **ks_out,
                          struct error *err)
{
    *ks_out = NULL;
    struct keystore *ks = calloc(1, sizeof *ks);
    if (!ks)
        return error_set(err, STATUS_TEMPORARY, "out of memory for the keystore");
    ks->case_sensitive = settings->local_part_case_sensitive;
    enum status st = open_parts(settings, ks, err);
    if (st != STATUS_OK) {
        keystore_close(ks);
        return error_prefix(err, "keystore");
    }
    *ks_out = ks;
    return STATUS_OK;
}

void keystore_close(struct keystore *ks)
{
    if (!ks)
        return;
    smime_trust_close(ks->trust);
    pgp_engine_close(ks->engine);
    sql_close(ks->sql);
    free(ks);
}
