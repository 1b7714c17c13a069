/* Who else can read a secret (A26). */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/net/tls.h"

enum status secret_file_check(const char *path, struct error *err)
{
    return secret_file_check_for(path, geteuid(), err);
}

enum status secret_file_check_for(const char *path, uid_t reader, struct error *err)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return error_errno(err, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_DENIED, errno,
                           "cannot look at %s", path);
    if (!S_ISREG(st.st_mode))
        return error_set(err, STATUS_DENIED, "%s is no regular file", path);
    if (st.st_uid != 0 && st.st_uid != reader)
        return error_set(err, STATUS_DENIED,
                         "%s holds a secret but belongs to user %u: chown it to root or to user %u", path,
                         (unsigned)st.st_uid, (unsigned)reader);
    if (st.st_mode & (S_IRWXG | S_IRWXO))
        return error_set(err, STATUS_DENIED,
                         "%s holds a secret but group or others have rights on it (owner %u, mode %04o): "
                         "chmod 600 %s",
                         path, (unsigned)st.st_uid, (unsigned)(st.st_mode & 07777), path);
    return STATUS_OK;
}
