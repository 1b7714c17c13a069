#include "gateway/seal/signers.h"

#include <stdlib.h>

#include "base/clock.h"
#include "gateway/policy/sender.h"
#include "gateway/seal/wrong_pins.h"

#define DAY_MS ((int64_t)24 * 60 * 60 * 1000)
#define WARN_AHEAD_MS (30 * DAY_MS)
#define WARN_EVERY_MS DAY_MS

enum status seal_signers_open(const struct seal_settings *settings, struct seal_signers *signers_out,
                              struct error *err)
{
    size_t n = settings->n_signings;
    *signers_out = (struct seal_signers){.settings = settings};
    signers_out->smime = calloc(n ? n : 1, sizeof(struct smime_signer *));
    signers_out->warned_ms = calloc(n ? 2 * n : 1, sizeof *signers_out->warned_ms); /* a pair for each */
    return signers_out->smime && signers_out->warned_ms
               ? STATUS_OK
               : error_set(err, STATUS_TEMPORARY, "out of memory for the keys to sign with");
}

void seal_signers_close(struct seal_signers *signers)
{
    for (size_t i = 0; signers->smime && i < signers->settings->n_signings; i++)
        if (signers->smime[i])
            smime_signer_close(signers->smime[i]);
    free(signers->smime);
    free(signers->warned_ms);
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

static size_t index_of(const struct seal_signers *signers, const struct seal_signing *signing)
{
    return (size_t)(signing - signers->settings->signings);
}

/* ---- PINs ---- */

static enum status enter(const struct seal_signers *signers, const char *key, const char *pin,
                         struct wrong_pins *pins, struct error *err)
{
    const struct seal_settings *settings = signers->settings;
    return wrong_pins_enter(settings->pins_folder, &settings->spool_key, key, pin, pins, err);
}

/* ---- OpenPGP ---- */

static enum status open_engine(struct seal_signers *signers, struct error *err)
{
    const struct pgp_engine_settings pgp = {
        .gpg_path = signers->settings->gpg_path, .home = signers->settings->signing_home, .signing = true};
    return signers->engine ? STATUS_OK : pgp_engine_open(&pgp, &signers->engine, err);
}

static enum status check_pgp(struct seal_signers *signers, const struct seal_signing *signing,
                             struct pgp_signer_facts *facts_out, struct error *err)
{
    *facts_out = (struct pgp_signer_facts){0};
    enum status st = open_engine(signers, err);
    return st == STATUS_OK ? pgp_signer_check(signers->engine, signing->openpgp, facts_out, err) : st;
}

/* A run of GnuPG with a key: what pgp_sign or pgp_sign_encrypt want. */
struct pgp_signing {
    struct pgp_signer signer;
    bool guarded; /* a PIN is to be given to a card */
    struct wrong_pins pins;
};

static enum status begin_pgp(struct seal_signers *signers, const struct seal_signing *signing,
                             struct pgp_signing *run, struct error *err)
{
    struct pgp_signer_facts facts;
    *run = (struct pgp_signing){
        .signer = {.fingerprint = signing->openpgp, .passphrase = signing->openpgp_passphrase}};
    enum status st = check_pgp(signers, signing, &facts, err);
    if (st != STATUS_OK || !facts.on_card || !run->signer.passphrase)
        return st;
    st = enter(signers, run->signer.fingerprint, run->signer.passphrase, &run->pins, err);
    run->guarded = st == STATUS_OK;
    return st;
}

static enum status end_pgp(const struct seal_signing *signing, struct pgp_signing *run, enum status st,
                           struct error *err)
{
    if (run->guarded)
        wrong_pins_leave(&run->pins, st == STATUS_INVALID);
    if (st == STATUS_OK)
        return st;
    error_prefix(err, "signing \"%s\"", signing->pattern);
    return st == STATUS_NOT_FOUND || st == STATUS_DENIED || st == STATUS_INVALID ? STATUS_TEMPORARY : st;
}

enum status seal_signers_pgp_sign(struct seal_signers *signers, const struct seal_signing *signing,
                                  struct spans text, struct buf *armored_out,
                                  char micalg_out[PGP_MICALG_SIZE], struct error *err)
{
    struct pgp_signing run;
    enum status st = begin_pgp(signers, signing, &run, err);
    if (st == STATUS_OK)
        st = pgp_sign(signers->engine, &run.signer, text, armored_out, micalg_out, err);
    return end_pgp(signing, &run, st, err);
}

enum status seal_signers_pgp_encrypt(struct seal_signers *signers, const struct seal_signing *signing,
                                     const struct pgp_recipient *recipients, size_t n_recipients,
                                     struct spans plaintext, const struct sink *armored,
                                     char cipher_out[PGP_CIPHER_SIZE], struct error *err)
{
    struct pgp_signing run;
    enum status st = begin_pgp(signers, signing, &run, err);
    if (st == STATUS_OK)
        st = pgp_sign_encrypt(signers->engine, &run.signer, recipients, n_recipients, plaintext, armored,
                              cipher_out, err);
    return end_pgp(signing, &run, st, err);
}

/* ---- S/MIME ---- */

/* NULL: a file. */
static const char *token_uri(const struct smime_signer_settings *smime)
{
    return smime->key_uri ? smime->key_uri : smime->certificate_uri;
}

static enum status open_smime(struct seal_signers *signers, const struct seal_signing *signing,
                              struct smime_signer **signer_out, struct error *err)
{
    const struct smime_signer_settings *smime = &signing->smime;
    struct wrong_pins pins;
    if (!token_uri(smime) || !smime->passphrase)
        return smime_signer_open(smime, signer_out, err);
    enum status st = enter(signers, token_uri(smime), smime->passphrase, &pins, err);
    if (st != STATUS_OK)
        return st;
    st = smime_signer_open(smime, signer_out, err);
    wrong_pins_leave(&pins, st == STATUS_DENIED);
    return st;
}

/* STATUS_DENIED: the key may not sign; STATUS_TEMPORARY: all else. */
static enum status check_smime(struct seal_signers *signers, const struct seal_signing *signing,
                               struct smime_signer **signer_out, struct error *err)
{
    struct smime_signer **signer = &signers->smime[index_of(signers, signing)];
    *signer_out = NULL;
    if (!*signer && open_smime(signers, signing, signer, err) != STATUS_OK)
        return STATUS_TEMPORARY;
    *signer_out = *signer;
    return smime_signer_check(*signer, clock_wall_ms() / 1000, err);
}

enum status seal_signers_smime(struct seal_signers *signers, const struct seal_signing *signing,
                               struct smime_signer **signer_out, struct error *err)
{
    enum status st = check_smime(signers, signing, signer_out, err);
    if (st == STATUS_OK)
        return st;
    error_prefix(err, "signing \"%s\"", signing->pattern);
    return STATUS_TEMPORARY;
}

void seal_signers_forget(struct seal_signers *signers, const struct seal_signing *signing, enum status status)
{
    struct smime_signer **signer = &signers->smime[index_of(signers, signing)];
    const struct smime_signer_settings *smime = &signing->smime;
    struct wrong_pins pins;
    struct error err;
    if (*signer)
        smime_signer_close(*signer);
    *signer = NULL;
    if (status == STATUS_DENIED && token_uri(smime) && smime->passphrase &&
        enter(signers, token_uri(smime), smime->passphrase, &pins, &err) == STATUS_OK)
        wrong_pins_leave(&pins, true);
}

/* ---- may it sign? ---- */

static void warn(const struct seal_signers *signers, const struct seal_signing *signing,
                 enum certificate_format format, int64_t expires)
{
    char day[CLOCK_ISO_SIZE];
    struct log_line line;
    clock_iso(expires * 1000, day);
    log_start(&line, signers->settings->log, LOG_LEVEL_WARNING, "signing-key-expires");
    log_str(&line, "signing", signing->pattern);
    log_str(&line, "format", certificate_format_word(format));
    log_str(&line, "expires", day);
    log_end(&line);
}

static void warn_ahead(struct seal_signers *signers, const struct seal_signing *signing,
                       enum certificate_format format, int64_t expires)
{
    int64_t now = clock_wall_ms();
    int64_t *warned = &signers->warned_ms[2 * index_of(signers, signing) + (format == CERTIFICATE_SMIME)];
    if (expires == 0 || expires * 1000 - now > WARN_AHEAD_MS || (*warned && now - *warned < WARN_EVERY_MS))
        return;
    *warned = now;
    warn(signers, signing, format, expires);
}

static enum status check(struct seal_signers *signers, const struct seal_signing *signing,
                         enum certificate_format format, int64_t *expires_out, struct error *err)
{
    struct pgp_signer_facts facts;
    struct smime_signer *signer;
    *expires_out = 0;
    enum status st = format == CERTIFICATE_OPENPGP ? check_pgp(signers, signing, &facts, err)
                                                   : check_smime(signers, signing, &signer, err);
    if (st == STATUS_OK)
        *expires_out = format == CERTIFICATE_OPENPGP ? facts.expires : smime_signer_expires(signer);
    return st;
}

enum status seal_signing_check(struct seal_signers *signers, const struct seal_signing *signing,
                               enum certificate_format format, struct error *err)
{
    int64_t expires;
    enum status st = check(signers, signing, format, &expires, err);
    if (st == STATUS_OK) {
        warn_ahead(signers, signing, format, expires);
        return st;
    }
    error_prefix(err, "signing \"%s\"", signing->pattern);
    return st == STATUS_DENIED ? st : STATUS_TEMPORARY;
}

void seal_signers_check(struct seal_signers *signers)
{
    static const enum certificate_format formats[] = {CERTIFICATE_OPENPGP, CERTIFICATE_SMIME};
    const struct seal_settings *settings = signers->settings;
    for (size_t i = 0; i < settings->n_signings; i++) {
        const struct seal_signing *signing = &settings->signings[i];
        for (size_t f = 0; f < sizeof formats / sizeof formats[0]; f++) {
            struct error err;
            if (has_format(signing, formats[f]) &&
                seal_signing_check(signers, signing, formats[f], &err) != STATUS_OK)
                log_error(settings->log, LOG_LEVEL_WARNING, "cannot-sign", signing->pattern, &err);
        }
    }
}
