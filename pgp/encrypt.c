#include <stdio.h>
#include <stdlib.h>

#include "pgp/encrypt.h"
#include "pgp/engine.h"

/*
 * GPGME spins for ever when gpg dies with plaintext unsent, and hangs when gpg hangs. There is no time
 * limit in here all the same: a limit inside the process that spins would have to be a signal handler
 * that tears GPGME's state apart. The worker process that calls this has a deadline and a bound on CPU
 * time, and is killed whole.
 */

#define SERVER_MESSAGE_MAX (1u << 20)

static const char failed[] = "OpenPGP encryption failed";

/* A path as one line of GPGME's recipient string, in which LF ends a recipient and "--" begins a keyword. */
static bool is_plain_path(const char *path)
{
    size_t len = strlen(path);

    for (size_t i = 0; i < len; i++)
        if ((unsigned char)path[i] < 0x20 || path[i] == 0x7f)
            return false;
    return path[0] == '/' && path[len - 1] != ' ';
}

/* "--file" and the certificates' paths; "--file" holds for all that follow. */
static enum status name_recipients(const struct pgp_recipient *recipients, size_t n_recipients,
                                   struct buf *names, struct error *err)
{
    /* With no recipient at all, GPGME would encrypt to a password. */
    if (n_recipients == 0)
        return error_set(err, STATUS_INTERNAL, "%s: no recipients", failed);
    buf_append_str(names, "--file");
    for (size_t i = 0; i < n_recipients; i++) {
        if (!is_plain_path(recipients[i].certificate_path))
            return error_set(err, STATUS_INTERNAL, "%s: certificate path \"%s\" is not plain and absolute",
                             failed, recipients[i].certificate_path);
        buf_append_char(names, '\n');
        buf_append_str(names, recipients[i].certificate_path);
    }
    return buf_check(names, "the list of certificates", err);
}

/* ---- what GnuPG says of the run ---- */

/* Names of RFC 4880 §9.2, by number. */
static const char *cipher_name(long algorithm)
{
    static const char *const known[] = {
        [1] = "IDEA",         [2] = "3DES",         [3] = "CAST5",       [4] = "Blowfish",
        [7] = "AES128",       [8] = "AES192",       [9] = "AES256",      [10] = "Twofish",
        [11] = "Camellia128", [12] = "Camellia192", [13] = "Camellia256"};

    if (algorithm < 0 || (size_t)algorithm >= sizeof known / sizeof *known || !known[algorithm])
        return "unknown";
    return known[algorithm];
}

void pgp_cipher_begun(const char *args, char cipher_out[PGP_CIPHER_SIZE])
{
    const char *space = strchr(args, ' ');

    if (space)
        snprintf(cipher_out, PGP_CIPHER_SIZE, "%s", cipher_name(strtol(space, NULL, 10)));
}

static gpgme_error_t note_status(void *arg, const char *keyword, const char *args)
{
    struct pgp_run *run = arg;

    if (strcmp(keyword, "BEGIN_ENCRYPTION") == 0)
        pgp_cipher_begun(args, run->cipher);
    return 0;
}

static enum status explain(gpgme_ctx_t ctx, gpgme_error_t code, struct error *err)
{
    gpgme_encrypt_result_t result = gpgme_op_encrypt_result(ctx);
    const char *bad = result && result->invalid_recipients ? result->invalid_recipients->fpr : NULL;

    pgp_engine_error(err, code, failed);
    return bad ? error_prefix(err, "certificate %s", bad) : STATUS_TEMPORARY;
}

static gpgme_error_t start(gpgme_ctx_t ctx, const char *names, struct pgp_run *run)
{
    const gpgme_encrypt_flags_t flags =
        GPGME_ENCRYPT_ALWAYS_TRUST | GPGME_ENCRYPT_NO_ENCRYPT_TO | GPGME_ENCRYPT_NO_COMPRESS;

    gpgme_set_status_cb(ctx, note_status, run);
    if (run->sign)
        return gpgme_op_encrypt_sign_ext(ctx, NULL, names, flags, run->input.data, run->output.data);
    return gpgme_op_encrypt_ext(ctx, NULL, names, flags, run->input.data, run->output.data);
}

enum status pgp_run_encrypt(gpgme_ctx_t ctx, const struct pgp_recipient *recipients, size_t n_recipients,
                            struct spans plaintext, const struct sink *armored, struct pgp_run *run,
                            struct error *err)
{
    gpgme_error_t code;
    struct buf names;
    enum status status;

    buf_init(&names, 1u << 20);
    status = name_recipients(recipients, n_recipients, &names, err);
    if (status == STATUS_OK) {
        code = pgp_input_open(&run->input, plaintext);
        if (!code)
            code = pgp_output_open(&run->output, armored);
        if (!code)
            code = start(ctx, buf_str(&names), run);
        run->code = code;
        if (code)
            status = explain(ctx, code, err);
        else if (!run->cipher[0])
            status = error_set(err, STATUS_TEMPORARY, "%s: GnuPG does not say that it encrypted", failed);
        /* Whatever GnuPG made of it, the sink's own failure is the cause. */
        if (run->output.status != STATUS_OK)
            status = error_set(err, run->output.status, "%s", run->output.err.text);
    }
    gpgme_set_status_cb(ctx, NULL, NULL);
    pgp_input_close(&run->input);
    pgp_output_close(&run->output);
    buf_free(&names);
    return status;
}

/* With the gpg that stays. False: it was not done, and the sink has got nothing. */
static bool encrypt_by_server(struct pgp_engine *engine, const struct pgp_recipient *recipients,
                              size_t n_recipients, struct spans plaintext, const struct sink *armored,
                              char *cipher_out, enum status *status_out, struct error *err)
{
    struct buf message;
    bool done;

    buf_init(&message, SERVER_MESSAGE_MAX);
    done = pgp_server_encrypt(engine->server, recipients, n_recipients, plaintext, &message, cipher_out);
    if (done)
        *status_out = pgp_write_crlf(armored, buf_span(&message), err);
    buf_free(&message);
    return done;
}

enum status pgp_encrypt(struct pgp_engine *engine, const struct pgp_recipient *recipients,
                        size_t n_recipients, struct spans plaintext, const struct sink *armored,
                        char cipher_out[PGP_CIPHER_SIZE], struct error *err)
{
    struct pgp_run run = {0};
    enum status status;

    if (encrypt_by_server(engine, recipients, n_recipients, plaintext, armored, cipher_out, &status, err))
        return status;
    status = pgp_run_encrypt(engine->ctx, recipients, n_recipients, plaintext, armored, &run, err);
    if (status == STATUS_OK)
        pgp_server_learn(engine->server, recipients, n_recipients);
    memcpy(cipher_out, run.cipher, PGP_CIPHER_SIZE);
    return status;
}
