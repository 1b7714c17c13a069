/* Who else can read a secret (A26). */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

/* Opened without a buffer: no copy stays behind. */
static enum status open_secret(const char *path, FILE **file_out, struct error *err)
{
    struct stat old;
    uid_t reader = geteuid();
    /* Root looks on behalf of whoever may have been given the file. */
    if (reader == 0 && stat(path, &old) == 0)
        reader = old.st_uid;
    enum status st = secret_file_check_for(path, reader, err);
    if (st != STATUS_OK)
        return st;
    *file_out = fopen(path, "re");
    if (!*file_out)
        return error_errno(err, STATUS_TEMPORARY, errno, "cannot open %s", path);
    setvbuf(*file_out, NULL, _IONBF, 0);
    return STATUS_OK;
}

enum status secret_line_load(const char *path, char **line_out, struct error *err)
{
    char line[1024 + 1];
    FILE *file;
    *line_out = NULL;
    enum status st = open_secret(path, &file, err);
    if (st != STATUS_OK)
        return st;
    bool read = fgets(line, sizeof line, file) != NULL;
    fclose(file);
    size_t len = read ? strcspn(line, "\r\n") : 0;
    if (len == 0 || len >= sizeof line - 1)
        st = error_set(err, STATUS_INVALID, "%s: the first line is no secret of 1 to 1023 bytes", path);
    else
        *line_out = strndup(line, len);
    explicit_bzero(line, sizeof line);
    if (st == STATUS_OK && !*line_out)
        st = error_set(err, STATUS_TEMPORARY, "out of memory for a secret");
    return st;
}

enum status secret_file_load(const char *path, size_t max, char **text_out, struct error *err)
{
    FILE *file;
    *text_out = NULL;
    enum status st = open_secret(path, &file, err);
    if (st != STATUS_OK)
        return st;
    char *text = calloc(1, max + 2);
    size_t len = text ? fread(text, 1, max + 1, file) : 0;
    fclose(file);
    if (!text)
        return error_set(err, STATUS_TEMPORARY, "out of memory for a secret");
    if (len > 0 && len <= max && strlen(text) == len) {
        *text_out = text;
        return STATUS_OK;
    }
    explicit_bzero(text, len);
    free(text);
    return error_set(err, STATUS_INVALID, "%s: it is no text of 1 to %zu bytes", path, max);
}
