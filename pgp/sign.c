#include "pgp/sign.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <strings.h>

#include "base/clock.h"
#include "pgp/encrypt.h"
#include "pgp/engine.h"
#include "pgp/stream.h"

#define OVER_BINARY 0x00 /* signature type: a binary document (RFC 4880 §5.2.1) */

static const char failed[] = "OpenPGP signing failed";

/* ---- the key ---- */

/* FINGERPRINT may be that of a subkey. */
static bool has_fingerprint(gpgme_key_t key, const char *fingerprint)
{
    for (gpgme_subkey_t subkey = key->subkeys; subkey; subkey = subkey->next)
        if (subkey->fpr && strcasecmp(subkey->fpr, fingerprint) == 0)
            return true;
    return false;
}

static enum status explain_get(gpgme_error_t code, const char *fingerprint, struct error *err)
{
    gpg_err_code_t why = gpgme_err_code(code);

    if (why == GPG_ERR_EOF || why == GPG_ERR_NO_SECKEY || why == GPG_ERR_NO_PUBKEY)
        return error_set(
            err, STATUS_NOT_FOUND,
            "there is no secret OpenPGP key %s: import it into the signing home while the gateway "
            "runs (gpg --homedir … --import)",
            fingerprint);
    return pgp_engine_error(err, code, failed);
}

static enum status judge(gpgme_key_t key, const char *fingerprint, struct error *err)
{
    const char *why = key->revoked     ? "is revoked"
                      : key->expired   ? "is expired"
                      : key->disabled  ? "is disabled"
                      : key->invalid   ? "has no valid self-signature"
                      : !key->can_sign ? "may not sign, or its signing subkey is expired or revoked"
                                       : NULL;

    return why ? error_set(err, STATUS_DENIED, "the OpenPGP key %s %s", fingerprint, why) : STATUS_OK;
}

static int64_t now_s(void)
{
    return clock_wall_ms() / 1000;
}

/* GnuPG judged the key when it was listed: has one of its keys expired since? */
static bool is_outdated(gpgme_key_t key)
{
    for (gpgme_subkey_t subkey = key->subkeys; subkey; subkey = subkey->next)
        if (!subkey->expired && subkey->expires > 0 && subkey->expires <= now_s())
            return true;
    return false;
}

/* Makes SIGNER's key the one that CTX signs with. */
static enum status choose(struct pgp_engine *engine, const char *fingerprint, struct error *err)
{
    gpgme_error_t code;
    enum status status;

    if (!engine->signer || !has_fingerprint(engine->signer, fingerprint) || is_outdated(engine->signer)) {
        gpgme_key_t key;

        code = gpgme_get_key(engine->ctx, fingerprint, &key, 1);
        if (code)
            return explain_get(code, fingerprint, err);
        gpgme_key_unref(engine->signer);
        engine->signer = key;
    }
    status = judge(engine->signer, fingerprint, err);
    if (status != STATUS_OK)
        return status;
    gpgme_signers_clear(engine->ctx);
    code = gpgme_signers_add(engine->ctx, engine->signer);
    return code ? pgp_engine_error(err, code, failed) : STATUS_OK;
}

/* The next run asks for it anew: it may have changed since. */
static void forget(struct pgp_engine *engine)
{
    gpgme_signers_clear(engine->ctx);
    gpgme_key_unref(engine->signer);
    engine->signer = NULL;
}

static bool can_sign(gpgme_subkey_t subkey)
{
    return subkey->can_sign && !subkey->expired && !subkey->revoked && !subkey->disabled && !subkey->invalid;
}

static struct pgp_signer_facts facts_of(gpgme_key_t key)
{
    struct pgp_signer_facts facts = {0};
    int64_t primary = key->subkeys->expires, last = 0;
    bool any = false, never = false;

    for (gpgme_subkey_t subkey = key->subkeys; subkey; subkey = subkey->next) {
        if (!can_sign(subkey))
            continue;
        any = true;
        never = never || subkey->expires == 0;
        last = subkey->expires > last ? subkey->expires : last;
        facts.on_card = facts.on_card || subkey->is_cardkey;
    }
    facts.expires = !any || never ? 0 : last;
    if (primary > 0 && (facts.expires == 0 || primary < facts.expires))
        facts.expires = primary;
    return facts;
}

enum status pgp_signer_check(struct pgp_engine *engine, const char *fingerprint,
                             struct pgp_signer_facts *facts_out, struct error *err)
{
    enum status status = choose(engine, fingerprint, err);

    *facts_out = (struct pgp_signer_facts){0};
    if (status == STATUS_OK)
        *facts_out = facts_of(engine->signer);
    else
        forget(engine);
    return status;
}

/* ---- the passphrase ---- */

/* Of one run. */
struct passphrase {
    const char *text; /* NULL: none */
    bool given;
    bool refused; /* asked for again, or there is none to give */
};

static gpgme_error_t give_passphrase(void *arg, const char *hint, const char *info, int was_wrong, int fd)
{
    struct passphrase *mine = arg;
    const char *passphrase = mine->text;

    (void)hint, (void)info;
    /* Asked again, it would only be wrong again, and a smart card would lock itself: gnupg-pkcs11-scd asks
     * three times, and the agent does not say that the PIN was wrong before. */
    if (was_wrong || mine->given || !passphrase) {
        mine->refused = true;
        return gpgme_error(GPG_ERR_BAD_PASSPHRASE);
    }
    mine->given = true;
    if (gpgme_io_writen(fd, passphrase, strlen(passphrase)) < 0 || gpgme_io_writen(fd, "\n", 1) < 0)
        return gpgme_error_from_errno(errno);
    return 0;
}

/* PASSPHRASE must stay where it is until the run is over. */
static enum status prepare(struct pgp_engine *engine, const struct pgp_signer *signer,
                           struct passphrase *passphrase, struct error *err)
{
    gpgme_error_t code = gpgme_set_pinentry_mode(engine->ctx, GPGME_PINENTRY_MODE_LOOPBACK);

    if (code)
        return pgp_engine_error(err, code, failed);
    *passphrase = (struct passphrase){.text = signer->passphrase};
    gpgme_set_passphrase_cb(engine->ctx, give_passphrase, passphrase);
    return choose(engine, signer->fingerprint, err);
}

/* ---- what came of it ---- */

static enum status explain_refusal(gpgme_key_t key, const char *fingerprint, struct error *err)
{
    for (gpgme_subkey_t subkey = key->subkeys; subkey; subkey = subkey->next)
        if (subkey->can_sign && subkey->is_cardkey)
            return error_set(err, STATUS_INVALID,
                             "the card with the OpenPGP key %s refuses the PIN, or is not there",
                             fingerprint);
    return error_set(err, STATUS_INVALID, "the passphrase of the OpenPGP key %s is missing or wrong",
                     fingerprint);
}

static enum status explain(const struct pgp_engine *engine, const struct passphrase *passphrase,
                           gpgme_error_t code, const char *fingerprint, struct error *err)
{
    /* What GnuPG makes of it differs: bad passphrase, cancelled, end of file, … */
    if (passphrase->refused)
        return explain_refusal(engine->signer, fingerprint, err);
    switch (gpgme_err_code(code)) {
    case GPG_ERR_BAD_PASSPHRASE:
    case GPG_ERR_BAD_PIN:
    case GPG_ERR_PIN_BLOCKED:
        return explain_refusal(engine->signer, fingerprint, err);
    case GPG_ERR_UNUSABLE_SECKEY:
    case GPG_ERR_KEY_EXPIRED:
    case GPG_ERR_CERT_REVOKED:
        return error_set(err, STATUS_DENIED, "the OpenPGP key %s cannot sign: it is expired or revoked",
                         fingerprint);
    case GPG_ERR_NO_SECKEY:
        return explain_get(code, fingerprint, err);
    default:
        return pgp_engine_error(err, code, failed);
    }
}

static bool is_about_key(gpgme_error_t code, const struct passphrase *passphrase)
{
    gpg_err_code_t why = gpgme_err_code(code);

    return passphrase->refused || why == GPG_ERR_BAD_PASSPHRASE || why == GPG_ERR_BAD_PIN ||
           why == GPG_ERR_PIN_BLOCKED || why == GPG_ERR_UNUSABLE_SECKEY || why == GPG_ERR_NO_SECKEY;
}

/* GnuPG says success also when it died: only a signature that it reports counts. */
static enum status check_result(struct pgp_engine *engine, const char *fingerprint,
                                gpgme_hash_algo_t *hash_out, struct error *err)
{
    gpgme_sign_result_t result = gpgme_op_sign_result(engine->ctx);
    gpgme_new_signature_t made = result ? result->signatures : NULL;

    if (!made || made->next || result->invalid_signers || !made->fpr || made->sig_class != OVER_BINARY ||
        !has_fingerprint(engine->signer, made->fpr))
        return error_set(err, STATUS_TEMPORARY, "%s: GnuPG does not say that the key %s signed", failed,
                         fingerprint);
    if (made->hash_algo != GPGME_MD_SHA256 && made->hash_algo != GPGME_MD_SHA384 &&
        made->hash_algo != GPGME_MD_SHA512)
        return error_set(err, STATUS_TEMPORARY, "%s: GnuPG signed with the digest %s", failed,
                         gpgme_hash_algo_name(made->hash_algo));
    *hash_out = made->hash_algo;
    return STATUS_OK;
}

static void name_micalg(gpgme_hash_algo_t hash, char micalg_out[PGP_MICALG_SIZE])
{
    snprintf(micalg_out, PGP_MICALG_SIZE, "pgp-%s", gpgme_hash_algo_name(hash));
    for (char *p = micalg_out; *p; p++)
        *p = (char)tolower((unsigned char)*p);
}

/* ---- detached ---- */

static enum status run_sign(struct pgp_engine *engine, const struct pgp_signer *signer,
                            const struct passphrase *passphrase, struct spans text, struct buf *armored_out,
                            struct error *err)
{
    struct pgp_input input = {0};
    struct pgp_output output = {0};
    struct sink sink = sink_to_buf(armored_out);
    enum status status = STATUS_OK;
    gpgme_error_t code = pgp_input_open(&input, text);

    if (!code)
        code = pgp_output_open(&output, &sink);
    if (!code)
        code = gpgme_op_sign(engine->ctx, input.data, output.data, GPGME_SIG_MODE_DETACH);
    if (code)
        status = explain(engine, passphrase, code, signer->fingerprint, err);
    if (output.status != STATUS_OK)
        status = error_set(err, output.status, "%s", output.err.text);
    pgp_input_close(&input);
    pgp_output_close(&output);
    return status;
}

/* Exactly one good signature by the key that was to sign. */
static enum status verify(struct pgp_engine *engine, struct spans text, const struct buf *armored,
                          struct error *err)
{
    struct pgp_input input = {0};
    gpgme_data_t signature = NULL;
    gpgme_verify_result_t result;
    gpgme_error_t code = pgp_input_open(&input, text);
    bool good;

    if (!code)
        code = gpgme_data_new_from_mem(&signature, (const char *)armored->data, armored->len, 0);
    if (!code)
        code = gpgme_op_verify(engine->ctx, signature, input.data, NULL);
    result = code ? NULL : gpgme_op_verify_result(engine->ctx);
    good = result && result->signatures && !result->signatures->next &&
           gpgme_err_code(result->signatures->status) == GPG_ERR_NO_ERROR &&
           has_fingerprint(engine->signer, result->signatures->fpr);
    gpgme_data_release(signature);
    pgp_input_close(&input);
    return good ? STATUS_OK : error_set(err, STATUS_TEMPORARY, "%s: the signature does not verify", failed);
}

enum status pgp_sign(struct pgp_engine *engine, const struct pgp_signer *signer, struct spans text,
                     struct buf *armored_out, char micalg_out[PGP_MICALG_SIZE], struct error *err)
{
    gpgme_hash_algo_t hash = GPGME_MD_NONE;
    struct passphrase passphrase;
    enum status status = prepare(engine, signer, &passphrase, err);

    if (status == STATUS_OK)
        status = run_sign(engine, signer, &passphrase, text, armored_out, err);
    if (status == STATUS_OK)
        status = check_result(engine, signer->fingerprint, &hash, err);
    if (status == STATUS_OK)
        status = verify(engine, text, armored_out, err);
    gpgme_set_passphrase_cb(engine->ctx, NULL, NULL);
    if (status == STATUS_OK) {
        name_micalg(hash, micalg_out);
        return STATUS_OK;
    }
    forget(engine);
    buf_reset(armored_out);
    return status;
}

/* ---- inside of what is encrypted ---- */

enum status pgp_sign_encrypt(struct pgp_engine *engine, const struct pgp_signer *signer,
                             const struct pgp_recipient *recipients, size_t n_recipients,
                             struct spans plaintext, const struct sink *armored,
                             char cipher_out[PGP_CIPHER_SIZE], struct error *err)
{
    struct pgp_run run = {.sign = true};
    struct passphrase passphrase;
    gpgme_hash_algo_t hash;
    enum status status = prepare(engine, signer, &passphrase, err);

    if (status == STATUS_OK)
        status = pgp_run_encrypt(engine->ctx, recipients, n_recipients, plaintext, armored, &run, err);
    /* A run that failed by the key, not by a recipient's certificate or by the sink. */
    if (status == STATUS_TEMPORARY && run.code && run.output.status == STATUS_OK &&
        is_about_key(run.code, &passphrase))
        status = explain(engine, &passphrase, run.code, signer->fingerprint, err);
    if (status == STATUS_OK)
        status = check_result(engine, signer->fingerprint, &hash, err);
    gpgme_set_passphrase_cb(engine->ctx, NULL, NULL);
    if (status != STATUS_OK)
        forget(engine);
    memcpy(cipher_out, run.cipher, PGP_CIPHER_SIZE);
    return status;
}
