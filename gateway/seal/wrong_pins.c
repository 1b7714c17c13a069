#include "gateway/seal/wrong_pins.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/hex.h"

#define LOCK_FILE "wrong-pin.lock"
#define PREFIX "wrong-pin."
#define MD_BYTES 32 /* SHA-256 */

/* With KEY's terminating NUL between the two. */
static bool name_of(const struct spool_key *secret, const char *key, const char *pin,
                    char name_out[WRONG_PIN_NAME_SIZE])
{
    unsigned char text[1024], md[EVP_MAX_MD_SIZE];
    char name[2 * MD_BYTES + 1];
    unsigned int len = 0;
    size_t key_len = strlen(key) + 1, pin_len = strlen(pin);
    if (key_len + pin_len > sizeof text)
        return false;
    memcpy(text, key, key_len);
    memcpy(text + key_len, pin, pin_len);
    bool good =
        HMAC(EVP_sha256(), secret->bytes, SPOOL_KEY_BYTES, text, key_len + pin_len, md, &len) != NULL &&
        len == MD_BYTES;
    explicit_bzero(text, sizeof text);
    hex_encode(md, good ? len : 0, name);
    snprintf(name_out, WRONG_PIN_NAME_SIZE, PREFIX "%s", name);
    return good;
}

static enum status lock(struct wrong_pins *pins, const char *folder, struct error *err)
{
    pins->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (pins->folder >= 0)
        pins->lock = openat(pins->folder, LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (pins->lock < 0 || flock(pins->lock, LOCK_EX) < 0)
        return error_errno(err, STATUS_TEMPORARY, errno, "cannot lock the wrong PINs in %s", folder);
    return STATUS_OK;
}

static void unlock(struct wrong_pins *pins)
{
    if (pins->lock >= 0)
        close(pins->lock);
    if (pins->folder >= 0)
        close(pins->folder);
    pins->lock = pins->folder = -1;
}

enum status wrong_pins_enter(const char *folder, const struct spool_key *secret, const char *key,
                             const char *pin, struct wrong_pins *pins_out, struct error *err)
{
    struct wrong_pins *pins = pins_out;
    *pins = (struct wrong_pins){.folder = -1, .lock = -1};
    if (!name_of(secret, key, pin, pins->name))
        return error_set(err, STATUS_TEMPORARY, "cannot hash the PIN of %s", key);
    enum status st = lock(pins, folder, err);
    if (st == STATUS_OK && faccessat(pins->folder, pins->name, F_OK, 0) == 0)
        st = error_set(err, STATUS_DENIED,
                       "the PIN was refused before and is not tried again, so that the token does not lock "
                       "itself: correct the file, then reload");
    if (st != STATUS_OK)
        unlock(pins);
    return st;
}

void wrong_pins_leave(struct wrong_pins *pins, bool was_wrong)
{
    if (was_wrong) {
        int fd = openat(pins->folder, pins->name, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd >= 0)
            close(fd);
    }
    unlock(pins);
}

void wrong_pins_forget(const char *folder)
{
    DIR *dir = opendir(folder);
    /* The lock stays: another process may hold it. */
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        if (strncmp(entry->d_name, PREFIX, sizeof PREFIX - 1) == 0 && strcmp(entry->d_name, LOCK_FILE) != 0)
            unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
}
