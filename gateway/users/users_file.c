#include "gateway/users/users_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/net/tls.h"

#define USERS_FILE_MAX (16u << 20)

static enum status read_all(int fd, const char *path, struct buf *text, struct error *err)
{
    for (;;) {
        uint8_t *room = buf_reserve(text, 4096);
        if (!room)
            return buf_check(text, path, err);
        ssize_t n = read(fd, room, 4096);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_errno(err, STATUS_TEMPORARY, errno, "cannot read the users file %s", path);
        if (n == 0)
            return STATUS_OK;
        buf_commit(text, (size_t)n);
    }
}

enum status users_file_read(const char *path, struct buf *text_out, struct error *err)
{
    buf_init(text_out, USERS_FILE_MAX);
    struct stat old;
    uid_t reader = geteuid();
    /* Root looks on behalf of the service user, to whom the file belongs; that user asks for itself. */
    if (reader == 0 && stat(path, &old) == 0)
        reader = old.st_uid;
    enum status st = secret_file_check_for(path, reader, err);
    if (st == STATUS_NOT_FOUND)
        return error_set(err, st, "there is no users file %s: make it with \"sealctl user add NAME\"", path);
    if (st != STATUS_OK)
        return st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, STATUS_TEMPORARY, errno, "cannot open the users file %s", path);
    st = read_all(fd, path, text_out, err);
    close(fd);
    if (st != STATUS_OK)
        buf_free(text_out);
    return st;
}

static bool cut_at_colon(struct span text, struct span *front_out, struct span *rest_out)
{
    const char *colon = text.len ? memchr(text.p, ':', text.len) : NULL;
    if (!colon)
        return false;
    size_t len = (size_t)(colon - text.p);
    *front_out = span_of(text.p, len);
    *rest_out = span_of(colon + 1, text.len - len - 1);
    return true;
}

bool users_line_next(struct span *text, struct users_line *line_out)
{
    *line_out = (struct users_line){0};
    if (text->len == 0)
        return false;
    const char *lf = memchr(text->p, '\n', text->len);
    size_t len = lf ? (size_t)(lf - text->p) : text->len;
    line_out->raw = span_of(text->p, len + (lf ? 1 : 0));
    *text = span_of(text->p + line_out->raw.len, text->len - line_out->raw.len);
    struct span line = span_of(line_out->raw.p, len);
    if (span_trim(line).len == 0 || line.p[0] == '#')
        return true;
    line_out->is_user = true;
    line_out->broken = !cut_at_colon(line, &line_out->name, &line_out->hash);
    struct span rest = line_out->hash;
    if (!line_out->broken && cut_at_colon(rest, &line_out->hash, &line_out->scram))
        line_out->broken = line_out->scram.len == 0;
    return true;
}
