/* Password hashes with crypt(3). */
#include "gateway/users/password.h"

#include <crypt.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "gateway/users/saslprep.h"

static const char method[] = "$y$"; /* yescrypt */
#define METHOD_COST 5               /* the default of crypt(5): 16 MiB and some 20 ms */

static void wipe_free(char *secret)
{
    if (secret)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

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

enum status user_set_password(struct user *user, const char *password, struct error *err)
{
    char *setting = NULL, *prepared = NULL;
    enum status st = saslprep("the password", password, true, &prepared, err);
    if (st == STATUS_OK)
        st = new_setting(&setting, err);
    if (st == STATUS_OK)
        st = hash_by(prepared, setting, &user->hash, err);
    if (st == STATUS_OK)
        st = scram_keys_make(prepared, &user->scram, err);
    user->has_scram = st == STATUS_OK;
    free(setting);
    wipe_free(prepared);
    return st;
}

/* One hash. STATUS_DENIED: not the password. */
static enum status check_one(const struct user *user, const char *password, struct error *err)
{
    if (!user->hash)
        return scram_keys_match(&user->scram, password) ? STATUS_OK : STATUS_DENIED;
    char *hash = NULL;
    enum status st = hash_by(password, user->hash, &hash, err);
    if (st == STATUS_OK) {
        size_t len = strlen(hash);
        if (len != strlen(user->hash) || CRYPTO_memcmp(hash, user->hash, len) != 0)
            st = STATUS_DENIED;
    }
    wipe_free(hash);
    return st == STATUS_INVALID ? STATUS_DENIED : st;
}

/* As it came, for hashes from elsewhere; then as SASLprep writes it (RFC 4616 §2), for ours. */
static enum status check_both(const struct user *user, const char *password, struct error *err)
{
    char *prepared = NULL;
    enum status st = check_one(user, password, err);
    if (st == STATUS_DENIED && saslprep("the password", password, false, &prepared, NULL) == STATUS_OK &&
        strcmp(prepared, password) != 0)
        st = check_one(user, prepared, err);
    wipe_free(prepared);
    return st;
}

/* As check_both, without hashing what was right not long ago. USER is one who is there. */
static enum status check_user(const struct user *user, const char *password, struct remembered *remembered,
                              struct error *err)
{
    int64_t now = clock_mono_ms();
    if (!remembered || !user->hash)
        return check_both(user, password, err);
    if (remembered_has(remembered, user->hash, password, now))
        return STATUS_OK;
    enum status st = check_both(user, password, err);
    if (st == STATUS_OK)
        remembered_add(remembered, user->hash, password, now);
    return st;
}

/* Who stands in for a user who is not there. */
static const struct user *stand_in(const struct users *users, const char *name)
{
    unsigned char mac[32];
    uint64_t n;
    if (users->n == 0 || !HMAC(EVP_sha256(), users->secret, sizeof users->secret, (const unsigned char *)name,
                               strlen(name), mac, NULL))
        return NULL;
    memcpy(&n, mac, sizeof n);
    return &users->items[n % users->n];
}

/* The name as it came, else as SASLprep writes it. */
static const struct user *find(const struct users *users, const char *name)
{
    char *prepared = NULL;
    const struct user *user = users_find(users, name);
    if (!user && saslprep("the user name", name, false, &prepared, NULL) == STATUS_OK)
        user = users_find(users, prepared);
    free(prepared);
    return user;
}

/* Nobody is in the file: as a user would cost whom sealctl had added. */
static enum status check_nobody(const char *password, struct error *err)
{
    struct user nobody = {0};
    enum status st = new_setting(&nobody.hash, err);
    if (st == STATUS_OK)
        st = check_one(&nobody, password, err);
    user_wipe(&nobody);
    return st;
}

static enum status check_stranger(const struct users *users, const char *name, const char *password,
                                  struct error *err)
{
    const struct user *user = stand_in(users, name);
    return user ? check_both(user, password, err) : check_nobody(password, err);
}

enum status users_check(const struct users *users, const char *name, const char *password,
                        struct remembered *remembered, const struct user **user_out, struct error *err)
{
    const struct user *user = find(users, name);
    *user_out = NULL;
    enum status st =
        user ? check_user(user, password, remembered, err) : check_stranger(users, name, password, err);
    if (st == STATUS_DENIED || (st == STATUS_OK && !user))
        return error_set(err, STATUS_DENIED, "wrong user name or password");
    if (st == STATUS_OK)
        *user_out = user;
    return st;
}
