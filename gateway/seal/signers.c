#include "gateway/seal/signers.h"

#include <stdlib.h>

#include "base/clock.h"
#include "gateway/policy/sender.h"

enum status seal_signers_open(const struct seal_settings *settings, struct seal_signers *signers_out,
                              struct error *err)
{
    size_t n = settings->n_signings;
    *signers_out = (struct seal_signers){.settings = settings};
    signers_out->smime = calloc(n ? n : 1, sizeof(struct smime_signer *));
    return signers_out->smime ? STATUS_OK
                              : error_set(err, STATUS_TEMPORARY, "out of memory for the keys to sign with");
}

void seal_signers_close(struct seal_signers *signers)
{
    for (size_t i = 0; signers->smime && i < signers->settings->n_signings; i++)
        if (signers->smime[i])
            smime_signer_close(signers->smime[i]);
    free(signers->smime);
    pgp_engine_close(signers->engine);
    *signers = (struct seal_signers){0};
}

static bool has_format(const struct seal_signing *signing, enum certificate_format format)
{
    return format == CERTIFICATE_OPENPGP ? signing->openpgp != NULL : signing->has_smime;
}

const struct seal_signing *seal_signing_for(const struct seal_settings *settings, const char *from,
                                            enum certificate_format format)
{
    for (size_t i = 0; from && i < settings->n_signings; i++) {
        const struct seal_signing *signing = &settings->signings[i];
        char *pattern = (char *)(uintptr_t)signing->pattern;
        if (has_format(signing, format) && sender_owns(&pattern, 1, from))
            return signing;
    }
    return NULL;
}

enum status seal_signers_pgp(struct seal_signers *signers, struct pgp_engine **engine_out, struct error *err)
{
    const struct pgp_engine_settings pgp = {
        .gpg_path = signers->settings->gpg_path, .home = signers->settings->signing_home, .signing = true};
    if (!signers->engine) {
        enum status st = pgp_engine_open(&pgp, &signers->engine, err);
        if (st != STATUS_OK)
            return st;
    }
    *engine_out = signers->engine;
    return STATUS_OK;
}

struct pgp_signer seal_pgp_signer(const struct seal_signing *signing)
{
    return (struct pgp_signer){.fingerprint = signing->openpgp, .passphrase = signing->openpgp_passphrase};
}

static size_t index_of(const struct seal_signers *signers, const struct seal_signing *signing)
{
    return (size_t)(signing - signers->settings->signings);
}

enum status seal_signers_smime(struct seal_signers *signers, const struct seal_signing *signing,
                               struct smime_signer **signer_out, struct error *err)
{
    struct smime_signer **signer = &signers->smime[index_of(signers, signing)];
    enum status st = *signer ? STATUS_OK : smime_signer_open(&signing->smime, signer, err);
    if (st == STATUS_OK)
        st = smime_signer_check(*signer, clock_wall_ms() / 1000, err);
    if (st != STATUS_OK) {
        error_prefix(err, "signing \"%s\"", signing->pattern);
        return STATUS_TEMPORARY;
    }
    *signer_out = *signer;
    return STATUS_OK;
}

void seal_signers_forget(struct seal_signers *signers, const struct seal_signing *signing)
{
    struct smime_signer **signer = &signers->smime[index_of(signers, signing)];
    if (*signer)
        smime_signer_close(*signer);
    *signer = NULL;
}

/* ---- at the start ---- */

static enum status check_pgp(struct seal_signers *signers, const struct seal_signing *signing,
                             struct error *err)
{
    struct pgp_engine *engine;
    if (!signing->openpgp)
        return STATUS_OK;
    enum status st = seal_signers_pgp(signers, &engine, err);
    return st == STATUS_OK ? pgp_signer_check(engine, signing->openpgp, err) : st;
}

static enum status check_smime(struct seal_signers *signers, const struct seal_signing *signing,
                               struct error *err)
{
    struct smime_signer *signer;
    return signing->has_smime ? seal_signers_smime(signers, signing, &signer, err) : STATUS_OK;
}

void seal_signers_check(struct seal_signers *signers)
{
    const struct seal_settings *settings = signers->settings;
    for (size_t i = 0; i < settings->n_signings; i++) {
        const struct seal_signing *signing = &settings->signings[i];
        struct error err;
        if (check_pgp(signers, signing, &err) != STATUS_OK)
            log_error(settings->log, LOG_LEVEL_WARNING, "cannot-sign", signing->pattern, &err);
        if (check_smime(signers, signing, &err) != STATUS_OK)
            log_error(settings->log, LOG_LEVEL_WARNING, "cannot-sign", signing->pattern, &err);
    }
}
