#include "gateway/main/signing_conf.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "gateway/net/tls.h"

#define FILE_MAX (1u << 20) /* bytes of a file with certificate or key */
#define FINGERPRINT_MIN 40  /* digits: a whole OpenPGP fingerprint */

static bool is_uri(const char *text)
{
    return strncmp(text, "pkcs11:", 7) == 0;
}

static bool holds_key(const struct buf *file)
{
    return memmem(file->data, file->len, "CERTIFICATE-----", 16) == NULL ||
           memmem(file->data, file->len, "PRIVATE KEY-----", 16) != NULL;
}

/* Certificates alone are nobody's secret; what is no PEM, or holds a key, is one. */
static enum status read_file(const char *path, struct buf *file, struct error *err)
{
    enum status st = file_read(path, FILE_MAX, file, err);
    if (st != STATUS_OK || !holds_key(file))
        return st;
    return secret_file_check(path, err);
}

static enum status read_line(const char *path, char **line, struct error *err)
{
    return path ? secret_line_load(path, line, err) : STATUS_OK;
}

static enum status read_smime(const struct conf *conf, const struct conf_signing *from,
                              struct signing_files *files, struct smime_signer_settings *smime,
                              struct error *err)
{
    enum status st = STATUS_OK;
    *smime = (struct smime_signer_settings){.name = from->smime_certificate,
                                            .pkcs11_module = conf->seal_pkcs11_module,
                                            .passphrase = files->smime_passphrase,
                                            .capabilities =
                                                from->smime_announce_gcm ? SMIME_CAPABILITY_AES256_GCM : 0};
    if (is_uri(from->smime_certificate))
        smime->certificate_uri = from->smime_certificate;
    else
        st = read_file(from->smime_certificate, &files->certificate, err);
    if (st == STATUS_OK && from->smime_key) {
        if (is_uri(from->smime_key))
            smime->key_uri = from->smime_key;
        else
            st = read_file(from->smime_key, &files->key, err);
    }
    smime->certificate = buf_span(&files->certificate);
    smime->key = buf_span(&files->key);
    if (st == STATUS_OK && (smime->certificate_uri || smime->key_uri) && !conf->seal_pkcs11_module)
        st = error_set(err, STATUS_INVALID, "a pkcs11: URI needs seal { pkcs11-module }");
    return st;
}

/* Spaces, as gpg prints them, are left to the reader of the manual page. */
static enum status check_fingerprint(const char *fingerprint, struct error *err)
{
    size_t digits = strspn(fingerprint, "0123456789ABCDEFabcdef");
    if (digits >= FINGERPRINT_MIN && fingerprint[digits] == '\0')
        return STATUS_OK;
    return error_set(err, STATUS_INVALID,
                     "openpgp: \"%.80s\" is no fingerprint of %d hex digits (gpg --list-secret-keys)",
                     fingerprint, FINGERPRINT_MIN);
}

static enum status read_one(const struct conf *conf, const struct conf_signing *from,
                            struct signing_files *files, struct seal_signing *to, struct error *err)
{
    *to = (struct seal_signing){.pattern = from->pattern, .openpgp = from->openpgp};
    enum status st = from->openpgp ? check_fingerprint(from->openpgp, err) : STATUS_OK;
    if (st == STATUS_OK)
        st = read_line(from->openpgp_passphrase_file, &files->openpgp_passphrase, err);
    if (st == STATUS_OK)
        st = read_line(from->smime_passphrase_file, &files->smime_passphrase, err);
    to->openpgp_passphrase = files->openpgp_passphrase;
    if (st == STATUS_OK && from->smime_certificate) {
        to->has_smime = true;
        st = read_smime(conf, from, files, &to->smime, err);
    }
    return st == STATUS_OK ? st : error_prefix(err, "signing \"%s\"", from->pattern);
}

enum status signing_from_conf(const struct conf *conf, struct signing_conf *signing_out, struct error *err)
{
    size_t n = conf->n_signings;
    *signing_out = (struct signing_conf){.items = calloc(n ? n : 1, sizeof *signing_out->items),
                                         .files = calloc(n ? n : 1, sizeof *signing_out->files)};
    enum status st = STATUS_OK;
    if (!signing_out->items || !signing_out->files)
        st = error_set(err, STATUS_TEMPORARY, "out of memory for the keys to sign with");
    for (size_t i = 0; i < n && st == STATUS_OK; i++) {
        signing_out->n = i + 1;
        st = read_one(conf, &conf->signings[i], &signing_out->files[i], &signing_out->items[i], err);
    }
    if (st != STATUS_OK)
        signing_conf_free(signing_out);
    return st;
}

static void wipe(char *line)
{
    if (line)
        explicit_bzero(line, strlen(line));
    free(line);
}

void signing_conf_free(struct signing_conf *signing)
{
    for (size_t i = 0; signing->files && i < signing->n; i++) {
        buf_free(&signing->files[i].certificate);
        buf_free(&signing->files[i].key);
        wipe(signing->files[i].openpgp_passphrase);
        wipe(signing->files[i].smime_passphrase);
    }
    free(signing->files);
    free(signing->items);
    *signing = (struct signing_conf){0};
}

/* Tokens are for the workers alone: a look would log in. */
static bool is_in_files(const struct seal_signing *signing)
{
    return signing->has_smime && !signing->smime.certificate_uri && !signing->smime.key_uri;
}

/* Can its files be used at all? */
static void check_files(const struct seal_signing *signing, const char *path, struct buf *problems)
{
    struct smime_signer *signer;
    struct error err;
    if (smime_signer_open(&signing->smime, &signer, &err) == STATUS_OK)
        smime_signer_close(signer);
    else
        buf_printf(problems, "%s: signing \"%s\": %s\n", path, signing->pattern, err.text);
}

/* What files hold may expire while nobody looks, and then a restart must not fail. */
static void note_unfit(const struct seal_signing *signing, const char *path, struct buf *notes)
{
    struct smime_signer *signer;
    struct error err;
    if (smime_signer_open(&signing->smime, &signer, &err) != STATUS_OK)
        return; /* a problem, and told as one */
    if (smime_signer_check(signer, clock_wall_ms() / 1000, &err) != STATUS_OK)
        buf_printf(notes, "%s: note: signing \"%s\": %s\n", path, signing->pattern, err.text);
    smime_signer_close(signer);
}

void signing_conf_check(const struct conf *conf, const char *path, struct buf *problems)
{
    struct signing_conf signing;
    struct error err;
    if (signing_from_conf(conf, &signing, &err) != STATUS_OK) {
        buf_printf(problems, "%s: %s\n", path, err.text);
        return;
    }
    for (size_t i = 0; i < signing.n; i++)
        if (is_in_files(&signing.items[i]))
            check_files(&signing.items[i], path, problems);
    signing_conf_free(&signing);
}

void signing_conf_notes(const struct conf *conf, const char *path, struct buf *notes)
{
    struct signing_conf signing;
    struct error err;
    if (signing_from_conf(conf, &signing, &err) != STATUS_OK)
        return; /* a problem, and told as one */
    for (size_t i = 0; i < signing.n; i++)
        if (is_in_files(&signing.items[i]))
            note_unfit(&signing.items[i], path, notes);
    signing_conf_free(&signing);
}
