/* What the openssl program makes of a text, for tests of what others made. Included behind cmocka.h. */
#ifndef SEALGATE_TESTS_SMIME_MADE_H
#define SEALGATE_TESTS_SMIME_MADE_H

#include <stdio.h>
#include <unistd.h>

#include <openssl/pem.h>

#include "tests/unit/smime/people.h"

static inline FILE *made_file(const char *folder, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *out = fopen(path, "w");
    forge_must(out != NULL);
    return out;
}

static inline void made_text(const char *folder, const char *name, const char *text)
{
    FILE *out = made_file(folder, name);
    forge_must(fputs(text, out) >= 0 && fclose(out) == 0);
}

static inline void made_person(const char *folder, const char *certificate, const char *key,
                               const struct forged *person)
{
    FILE *out = made_file(folder, certificate);
    forge_must(PEM_write_X509(out, person->cert) == 1 && fclose(out) == 0);
    out = made_file(folder, key);
    forge_must(PEM_write_PrivateKey(out, person->key, NULL, NULL, 0, NULL, NULL) == 1 && fclose(out) == 0);
}

static inline void made_by_openssl(const char *folder, const char *arguments, struct buf *out)
{
    char command[400];
    snprintf(command, sizeof command, "cd %s && openssl cms %s 2>/dev/null", folder, arguments);
    FILE *in = popen(command, "r");
    uint8_t piece[4096];
    size_t got = 0;
    forge_must(in != NULL);
    buf_reset(out);
    while ((got = fread(piece, 1, sizeof piece, in)) > 0) {
        buf_append(out, piece, got);
    }
    if (pclose(in) != 0) {
        fail_msg("openssl cms %s", arguments);
    }
}

/* FOLDER is a template of mkdtemp: text, empty, and the certificates and keys of BOB and ALICE. */
static inline void made_folder(char *folder, const struct forged *bob, const struct forged *alice)
{
    forge_must(mkdtemp(folder) != NULL);
    made_text(folder, "text", TEXT);
    made_text(folder, "empty", "");
    made_person(folder, "bob.pem", "bob.key", bob);
    made_person(folder, "alice.pem", "alice.key", alice);
}

static inline void made_free(const char *folder)
{
    static const char *const files[] = {"text", "empty", "bob.pem", "bob.key", "alice.pem", "alice.key"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        unlink(path);
    }
    rmdir(folder);
}

#endif
