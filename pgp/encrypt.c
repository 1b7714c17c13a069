#include <errno.h>

#include "pgp/engine.h"
#include "pgp/pgp.h"

/*
 * GPGME spins for ever when gpg dies with plaintext unsent, and hangs when gpg hangs. There is no time
 * limit in here all the same: a limit inside the process that spins would have to be a signal handler
 * that tears GPGME's state apart. The worker process that calls this has a deadline and a bound on CPU
 * time, and is killed whole.
 */

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

/* GPGME's data callback: appends with CRLF line ends (RFC 3156 §3). */
static ssize_t append_crlf(void *handle, const void *bytes, size_t len)
{
    struct span rest = span_of(bytes, len);
    struct buf *out = handle;

    while (rest.len > 0) {
        const char *lf = memchr(rest.p, '\n', rest.len);
        size_t line = lf ? (size_t)(lf - rest.p) : rest.len;

        buf_append(out, rest.p, line);
        if (lf)
            buf_append_str(out, "\r\n");
        line += lf ? 1 : 0;
        rest = span_of(rest.p + line, rest.len - line);
    }
    if (!out->failed)
        return (ssize_t)len;
    errno = EFBIG;
    return -1;
}

static enum status explain(gpgme_ctx_t ctx, gpgme_error_t code, struct error *err)
{
    gpgme_encrypt_result_t result = gpgme_op_encrypt_result(ctx);
    const char *bad = result && result->invalid_recipients ? result->invalid_recipients->fpr : NULL;

    pgp_engine_error(err, code, failed);
    return bad ? error_prefix(err, "certificate %s", bad) : STATUS_TEMPORARY;
}

static enum status run(gpgme_ctx_t ctx, const char *names, struct span plaintext, struct buf *armored_out,
                       struct error *err)
{
    struct gpgme_data_cbs callbacks = {.write = append_crlf};
    gpgme_data_t plain = NULL, cipher = NULL;
    enum status status = STATUS_OK;
    gpgme_error_t code;

    code = gpgme_data_new_from_mem(&plain, plaintext.len ? plaintext.p : "", plaintext.len, 0);
    if (!code)
        code = gpgme_data_new_from_cbs(&cipher, &callbacks, armored_out);
    if (!code)
        code = gpgme_op_encrypt_ext(ctx, NULL, names,
                                    GPGME_ENCRYPT_ALWAYS_TRUST | GPGME_ENCRYPT_NO_ENCRYPT_TO |
                                        GPGME_ENCRYPT_NO_COMPRESS,
                                    plain, cipher);
    if (code)
        status = explain(ctx, code, err);
    gpgme_data_release(plain);
    gpgme_data_release(cipher);
    return armored_out->failed ? buf_check(armored_out, "an encrypted message", err) : status;
}

enum status pgp_encrypt(struct pgp_engine *engine, const struct pgp_recipient *recipients,
                        size_t n_recipients, struct span plaintext, struct buf *armored_out,
                        struct error *err)
{
    enum status status;
    struct buf names;

    buf_init(&names, 1u << 20);
    status = name_recipients(recipients, n_recipients, &names, err);
    if (status == STATUS_OK)
        status = run(engine->ctx, buf_str(&names), plaintext, armored_out, err);
    /* GnuPG may have written a message for the other recipients: it is thrown away. */
    if (status != STATUS_OK)
        buf_reset(armored_out);
    buf_free(&names);
    return status;
}
