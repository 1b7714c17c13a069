#include <stdlib.h>

#include "pgp/engine.h"
#include "pgp/judge.h"
#include "pgp/pgp.h"
#include "pgp/transferable.h"

/* ---- without GnuPG ---- */

/*
 * Reads CERTIFICATE by ourselves, into CUT without what does not belong to it. What is flooded, damaged,
 * secret or of another version than 4 never reaches GnuPG (A14); INFO says so then.
 */
static enum status read_alone(struct span certificate, struct buf *cut, struct pgp_transferable *read,
                              struct pgp_certificate_info *info, struct error *err)
{
    struct span rest = certificate;
    struct error why = {0};
    enum status status = pgp_transferable_cut(&rest, cut, &why);

    if (status == STATUS_OK && rest.len > 0)
        status = error_set(&why, STATUS_INVALID, "more than one certificate");
    if (status == STATUS_OK)
        status = pgp_transferable_read(buf_span(cut), read, &why);
    if (status == STATUS_TEMPORARY)
        return error_set(err, status, "%s", why.text);
    if (status != STATUS_OK) {
        pgp_judge_as(info, PGP_INVALID, "%s", why.text);
        return STATUS_OK;
    }
    memcpy(info->fingerprint, read->fingerprint, sizeof info->fingerprint);
    info->created = read->created;
    if (read->version != 4)
        pgp_judge_as(info, PGP_UNSUPPORTED, "a version %u certificate, only version 4 is supported",
                     read->version);
    else if (!read->primary_known)
        pgp_judge_as(info, PGP_UNSUPPORTED, "its primary key uses an algorithm that GnuPG does not know (%u)",
                     read->algorithm);
    return STATUS_OK;
}

/* Names the owner of an unsupported certificate, so that people read "unsupported", not "none found". */
static enum status add_unverified_user_ids(struct span certificate, struct pgp_certificate_info *info,
                                           struct error *err)
{
    struct span rest = certificate, user_id;
    enum status status = STATUS_OK;

    while (status == STATUS_OK && pgp_transferable_next_user_id(&rest, &user_id))
        status = pgp_judge_add_user_id(info, user_id, err);
    return status;
}

/* ---- with GnuPG ---- */

/*
 * How a run of GnuPG ended. GnuPG writes IMPORT_RES last, with the number of certificates that it read:
 * without it, it died on the way, and what it listed may lack anything. NODATA: it got no input at all.
 */
struct ending {
    bool ended;
    bool no_data;
    long n_read;
};

static gpgme_error_t note_ending(void *arg, const char *keyword, const char *args)
{
    struct ending *ending = arg;

    if (strcmp(keyword, "IMPORT_RES") == 0) {
        ending->ended = true;
        ending->n_read = strtol(args, NULL, 10);
    } else if (strcmp(keyword, "NODATA") == 0) {
        ending->no_data = true;
    }
    return 0;
}

/* Takes the keys that a started listing gives; *KEY_OUT is the first, NULL when there is none. */
static gpgme_error_t take_keys(gpgme_ctx_t ctx, gpgme_key_t *key_out)
{
    gpgme_error_t code;
    gpgme_key_t key;

    *key_out = NULL;
    while ((code = gpgme_op_keylist_next(ctx, &key)) == 0) {
        if (*key_out)
            gpgme_key_unref(key);
        else
            *key_out = key;
    }
    return gpgme_err_code(code) == GPG_ERR_EOF ? 0 : code;
}

static gpgme_error_t run_list(gpgme_ctx_t ctx, struct span certificate, struct ending *ending,
                              gpgme_key_t *key_out)
{
    gpgme_data_t data = NULL;
    gpgme_error_t code, end;

    *key_out = NULL;
    code = gpgme_data_new_from_mem(&data, certificate.p, certificate.len, 0);
    if (code)
        return code;
    gpgme_set_status_cb(ctx, note_ending, ending);
    code = gpgme_op_keylist_from_data_start(ctx, data, 0);
    if (!code) {
        code = take_keys(ctx, key_out);
        end = gpgme_op_keylist_end(ctx);
        code = code ? code : end;
    }
    gpgme_set_status_cb(ctx, NULL, NULL);
    gpgme_data_release(data);
    return code;
}

/* Lists CERTIFICATE with GnuPG, which verifies its self-signatures. *KEY_OUT NULL: GnuPG cannot read it. */
static enum status list(struct pgp_engine *engine, struct span certificate, gpgme_key_t *key_out,
                        struct error *err)
{
    static const char failed[] = "cannot inspect a certificate";
    struct ending ending = {0};
    gpgme_error_t code = run_list(engine->ctx, certificate, &ending, key_out);

    /* A certificate that was read is always listed, be it as invalid. */
    if (!code && ending.ended && !ending.no_data && (*key_out != NULL) == (ending.n_read == 1))
        return STATUS_OK;
    if (*key_out)
        gpgme_key_unref(*key_out);
    *key_out = NULL;
    return code ? pgp_engine_error(err, code, failed)
                : error_set(err, STATUS_TEMPORARY, "%s: gpg ended too early; does it run by hand?", failed);
}

static enum status ask_gnupg(struct pgp_engine *engine, struct span certificate,
                             const struct pgp_transferable *read, int64_t now,
                             struct pgp_certificate_info *info, struct error *err)
{
    gpgme_key_t key;
    enum status status = list(engine, certificate, &key, err);

    if (status != STATUS_OK)
        return status;
    if (!key) {
        pgp_judge_as(info, PGP_INVALID, "damaged: GnuPG cannot read it");
        return STATUS_OK;
    }
    status = pgp_judge(key, read, now, info, err);
    gpgme_key_unref(key);
    return status;
}

enum status pgp_certificate_inspect(struct pgp_engine *engine, struct span certificate, int64_t now,
                                    struct pgp_certificate_info *info_out, struct error *err)
{
    struct pgp_transferable read;
    enum status status;
    struct buf cut;

    *info_out = (struct pgp_certificate_info){0};
    buf_init(&cut, PGP_CERTIFICATE_MAX);
    status = read_alone(certificate, &cut, &read, info_out, err);
    if (status == STATUS_OK && info_out->fitness == PGP_USABLE)
        status = ask_gnupg(engine, certificate, &read, now, info_out, err);
    else if (status == STATUS_OK && info_out->fitness == PGP_UNSUPPORTED)
        status = add_unverified_user_ids(buf_span(&cut), info_out, err);
    buf_free(&cut);
    if (status != STATUS_OK) {
        pgp_certificate_info_free(info_out);
        info_out->fitness = PGP_INVALID;
    }
    return status;
}

void pgp_certificate_info_free(struct pgp_certificate_info *info)
{
    for (size_t i = 0; i < info->n_addresses; i++)
        free(info->addresses[i]);
    free(info->addresses);
    free(info->user_id);
    *info = (struct pgp_certificate_info){0};
}
