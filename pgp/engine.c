#include "pgp/engine.h"

#include <stdlib.h>
#include <string.h>

#include "pgp/home.h"

#define GPGME_NEEDED "1.18.0"

enum status pgp_engine_error(struct error *err, gpgme_error_t code, const char *what)
{
    char text[128];

    gpgme_strerror_r(code, text, sizeof text);
    return error_set(err, STATUS_TEMPORARY, "%s: %s", what, text);
}

/* The context for settings->gpg_path and settings->home. Nothing else of this machine's GnuPG is asked. */
static enum status make_context(const struct pgp_engine_settings *settings, gpgme_ctx_t *ctx_out,
                                struct error *err)
{
    gpgme_ctx_t ctx = NULL;
    gpgme_engine_info_t info;
    gpgme_error_t code = gpgme_new(&ctx);

    if (!code)
        code = gpgme_ctx_set_engine_info(ctx, GPGME_PROTOCOL_OpenPGP, settings->gpg_path, settings->home);
    if (!code)
        code = gpgme_set_protocol(ctx, GPGME_PROTOCOL_OpenPGP);
    /* All status lines come to a callback: a run is judged by them, since GPGME hides the exit code. */
    if (!code)
        code = gpgme_set_ctx_flag(ctx, "full-status", "1");
    if (code) {
        gpgme_release(ctx);
        return pgp_engine_error(err, code, settings->gpg_path);
    }
    info = gpgme_ctx_get_engine_info(ctx);
    while (info && info->protocol != GPGME_PROTOCOL_OpenPGP)
        info = info->next;
    if (!info || !info->version || strncmp(info->version, "2.", 2) != 0) {
        gpgme_release(ctx);
        return error_set(err, STATUS_TEMPORARY, "%s is no GnuPG 2: install the package gpg",
                         settings->gpg_path);
    }
    gpgme_set_armor(ctx, 1);
    gpgme_set_textmode(ctx, 0);
    gpgme_set_offline(ctx, 1);
    *ctx_out = ctx;
    return STATUS_OK;
}

/* Has GnuPG make its databases in a folder ASIDE, and puts them into the home. Those that another process put
 * there meanwhile stay: the administrator may have imported keys into them. */
static enum status make_databases(const struct pgp_engine_settings *settings, const char *aside,
                                  struct error *err)
{
    struct pgp_engine_settings there = *settings;
    gpgme_ctx_t ctx = NULL;
    gpgme_key_t key = NULL;
    gpgme_error_t code;
    enum status status;

    there.home = aside;
    status = pgp_home_prepare(aside, settings->signing, err);
    if (status == STATUS_OK)
        status = make_context(&there, &ctx, err);
    if (status != STATUS_OK)
        return status;
    /* Any run that looks for keys will do, and this one ends when it found none. */
    code = gpgme_op_keylist_start(ctx, NULL, 0);
    if (!code)
        code = gpgme_op_keylist_next(ctx, &key);
    gpgme_key_unref(key);
    gpgme_release(ctx);
    return gpgme_err_code(code) == GPG_ERR_EOF ? pgp_home_adopt(settings->home, aside, err)
                                               : pgp_engine_error(err, code, settings->gpg_path);
}

/*
 * GnuPG makes its trust database in the home when it misses it, in several writes, and another gpg that
 * starts meanwhile finds half of it and gives up; a gpg that is killed meanwhile leaves half of it for ever.
 * So it is made aside and put there whole.
 */
static enum status ensure_databases(const struct pgp_engine_settings *settings, struct error *err)
{
    char aside[PGP_HOME_PATH_SIZE];
    enum status status;

    if (pgp_home_has_databases(settings->home))
        return STATUS_OK;
    status = pgp_home_aside(settings->home, aside, err);
    if (status != STATUS_OK)
        return status;
    status = make_databases(settings, aside, err);
    pgp_home_remove(aside);
    return status;
}

enum status pgp_engine_open(const struct pgp_engine_settings *settings, struct pgp_engine **engine_out,
                            struct error *err)
{
    struct pgp_engine *engine;
    enum status status;

    *engine_out = NULL;
    /* Before the first use: without it GPGME runs six helper programs and asks for the user's own home. */
    if (gpgme_set_global_flag("disable-gpgconf", "1") != 0 || !gpgme_check_version(GPGME_NEEDED))
        return error_set(err, STATUS_INTERNAL, "GPGME is older than " GPGME_NEEDED ": install libgpgme11");
    status = pgp_home_prepare(settings->home, settings->signing, err);
    if (status == STATUS_OK)
        status = ensure_databases(settings, err);
    if (status != STATUS_OK)
        return status;
    engine = calloc(1, sizeof *engine);
    if (!engine)
        return error_set(err, STATUS_TEMPORARY, "cannot start GnuPG: out of memory");
    status = make_context(settings, &engine->ctx, err);
    if (status != STATUS_OK) {
        free(engine);
        return status;
    }
    /* A home with keys to sign with has an agent; what stays is for sealing alone. */
    if (!settings->signing)
        engine->server = pgp_server_new(settings->gpg_path, settings->home);
    *engine_out = engine;
    return STATUS_OK;
}

void pgp_engine_doubt(struct pgp_engine *engine)
{
    pgp_server_reset(engine->server);
}

void pgp_engine_close(struct pgp_engine *engine)
{
    if (!engine)
        return;
    pgp_server_free(engine->server);
    gpgme_key_unref(engine->signer);
    gpgme_release(engine->ctx);
    free(engine);
}
