/* Password hashes with crypt(3). One check costs one hash, whoever asks (A19). */
#include <crypt.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/auth/users.h"

static const char method[] = "$y$"; /* yescrypt */
#define METHOD_COST 5               /* the default of crypt(5): 16 MiB and some 20 ms */

/* The hash of PASSWORD by SETTING. STATUS_INVALID: a password that has no hash (too long). */
static enum status hash_by(const char *password, const char *setting, char **hash_out, struct error *err)
{
    void *data = NULL;
    int size = 0;
    errno = 0;
    const char *hash = crypt_ra(password, setting, &data, &size);
    int errnum = errno;
    *hash_out = hash ? strdup(hash) : NULL;
    if (data) {
        explicit_bzero(data, (size_t)size);
        free(data);
    }
    if (*hash_out)
        return STATUS_OK;
    if (errnum == ERANGE)
        return error_set(err, STATUS_INVALID, "a password has at most %d bytes",
                         CRYPT_MAX_PASSPHRASE_SIZE - 1);
    return error_errno(err, STATUS_TEMPORARY, errnum, "cannot hash a password");
}

static enum status new_setting(char **setting_out, struct error *err)
{
    *setting_out = crypt_gensalt_ra(method, METHOD_COST, NULL, 0);
    if (!*setting_out)
        return error_errno(err, STATUS_TEMPORARY, errno, "cannot make a salt");
    return STATUS_OK;
}

enum status user_hash(const char *password, char **hash_out, struct error *err)
{
    *hash_out = NULL;
    if (!*password)
        return error_set(err, STATUS_INVALID, "the password is empty");
    char *setting = NULL;
    enum status st = new_setting(&setting, err);
    if (st == STATUS_OK)
        st = hash_by(password, setting, hash_out, err);
    free(setting);
    return st;
}

static bool same(const char *a, const char *b)
{
    size_t len = strlen(a);
    return len == strlen(b) && CRYPTO_memcmp(a, b, len) == 0;
}

enum status users_check(const struct users *users, const char *name, const char *password, struct error *err)
{
    char *hash = NULL, *unknown = NULL;
    const struct user *user = users_find(users, name);
    enum status st = STATUS_OK;
    if (!user)
        st = new_setting(&unknown, err);
    if (st == STATUS_OK)
        st = hash_by(password, user ? user->hash : unknown, &hash, err);
    if (st == STATUS_INVALID || (st == STATUS_OK && !(user && same(hash, user->hash))))
        st = error_set(err, STATUS_DENIED, "wrong user name or password");
    if (hash)
        explicit_bzero(hash, strlen(hash));
    free(hash);
    free(unknown);
    return st;
}
