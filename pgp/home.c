#include "pgp/home.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Nothing here needs a keyring, an agent or the network: certificates come as files, and their validity
 * is judged by us, not by a trust database. The trust model is "direct", though encryption asks for
 * "always" on its command line: with "always" GnuPG 2.2.40 makes no trust database, and then dies when
 * it lists an expired certificate. self-sigs-only keeps the cost of signatures by others low, and
 * no-repair-keys keeps GnuPG from trying every signature on every user ID, for 40 s with 1,000 of each
 * (A14). The ciphers stand in our order, so that AES comes first wherever a certificate has it. One that
 * has older ciphers alone gets one of these: its owner's programs may read no other, and GnuPG 2.2.40
 * aborts when they are disabled and nothing is left.
 */
static const char common[] = "batch\n"
                             "no-tty\n"
                             "no-greeting\n"
                             "quiet\n"
                             "trust-model direct\n"
                             "no-auto-key-locate\n"
                             "no-auto-key-retrieve\n"
                             "no-auto-check-trustdb\n"
                             "no-random-seed-file\n"
                             "disable-dirmngr\n"
                             "no-autostart\n"
                             "no-comments\n"
                             "no-emit-version\n"
                             "no-encrypt-to\n"
                             "no-throw-keyids\n"
                             "import-options self-sigs-only,no-repair-keys\n"
                             "exit-on-status-write-error\n"
                             "personal-cipher-preferences AES256 AES192 AES\n";

/* Certificates come as files, so no keyring is read. */
static const char sealing[] = "no-default-keyring\n";

/* Keys to sign with lie in the keyring, and the agent that the supervisor runs has the secret ones: GnuPG
 * itself must not start another ("no-autostart"). */
static const char signing[] = "personal-digest-preferences SHA512 SHA384 SHA256\n"
                              "weak-digest SHA1\n";

static enum status open_private(const char *path, int *dir_out, struct error *err)
{
    struct stat st;
    int dir = -1;

    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return error_errno(err, STATUS_TEMPORARY, errno, "cannot make the GnuPG home %s", path);
    dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir < 0)
        return error_errno(err, STATUS_TEMPORARY, errno, "cannot open the GnuPG home %s", path);
    if (fstat(dir, &st) != 0 || st.st_uid != geteuid() || st.st_mode & 077) {
        close(dir);
        return error_set(err, STATUS_DENIED, "the GnuPG home %s must belong to this user alone: chmod 700",
                         path);
    }
    *dir_out = dir;
    return STATUS_OK;
}

static bool write_text(int fd, const char *text)
{
    size_t len = strlen(text);

    return write(fd, text, len) == (ssize_t)len;
}

static bool write_file(int dir, const char *name, bool for_signing)
{
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool written;

    if (fd < 0)
        return false;
    written = write_text(fd, common) && write_text(fd, for_signing ? signing : sealing);
    return close(fd) == 0 && written;
}

enum status pgp_home_prepare(const char *path, bool for_signing, struct error *err)
{
    enum status status;
    char name[40];
    int dir = -1;

    status = open_private(path, &dir, err);
    if (status != STATUS_OK)
        return status;
    /* Renamed into place, because a gpg of another worker may be reading it. */
    snprintf(name, sizeof name, "gpg.conf.%ld", (long)getpid());
    if (!write_file(dir, name, for_signing) || renameat(dir, name, dir, "gpg.conf") != 0) {
        status = error_errno(err, STATUS_TEMPORARY, errno, "cannot write gpg.conf in %s", path);
        unlinkat(dir, name, 0);
    }
    close(dir);
    return status;
}

/* ---- its databases ---- */

#define TRUSTDB "trustdb.gpg"
#define KEYBOX "pubring.kbx"
#define OLD_KEYRING "pubring.gpg" /* used where there is no keybox: a new one would hide it */

static bool path_of(char path[PGP_HOME_PATH_SIZE], const char *folder, const char *name)
{
    int n = snprintf(path, PGP_HOME_PATH_SIZE, "%s/%s", folder, name);

    return n > 0 && n < PGP_HOME_PATH_SIZE;
}

static bool has(const char *folder, const char *name)
{
    char path[PGP_HOME_PATH_SIZE];
    struct stat st;

    return path_of(path, folder, name) && lstat(path, &st) == 0;
}

bool pgp_home_has_databases(const char *path)
{
    return has(path, TRUSTDB);
}

enum status pgp_home_aside(const char *home, char aside_out[PGP_HOME_PATH_SIZE], struct error *err)
{
    if (!path_of(aside_out, home, "new.XXXXXX"))
        return error_set(err, STATUS_INVALID, "the path of the GnuPG home %s is too long", home);
    return mkdtemp(aside_out)
               ? STATUS_OK
               : error_errno(err, STATUS_TEMPORARY, errno, "cannot make a folder in the GnuPG home %s", home);
}

/* A link to a file that is complete, because a rename would replace what is there. */
static enum status adopt(const char *home, const char *aside, const char *name, struct error *err)
{
    char from[PGP_HOME_PATH_SIZE], to[PGP_HOME_PATH_SIZE];

    if (!path_of(from, aside, name) || !path_of(to, home, name))
        return error_set(err, STATUS_INVALID, "the path of the GnuPG home %s is too long", home);
    return link(from, to) == 0 || errno == EEXIST
               ? STATUS_OK
               : error_errno(err, STATUS_TEMPORARY, errno, "cannot put %s into the GnuPG home %s", name,
                             home);
}

enum status pgp_home_adopt(const char *home, const char *aside, struct error *err)
{
    enum status status = STATUS_OK;

    /* The trust database last: it says that the rest is there. */
    if (has(aside, KEYBOX) && !has(home, OLD_KEYRING))
        status = adopt(home, aside, KEYBOX, err);
    return status == STATUS_OK ? adopt(home, aside, TRUSTDB, err) : status;
}

void pgp_home_remove(const char *aside)
{
    DIR *dir = opendir(aside);

    for (struct dirent *entry; dir && (entry = readdir(dir));)
        unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
    rmdir(aside);
}
