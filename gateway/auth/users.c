#include "gateway/auth/users.h"

#include <crypt.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "gateway/auth/users_file.h"

#define USER_NAME_MAX 255

bool user_name_is_valid(const char *name)
{
    struct span rest = span_str(name);
    /* A line that begins with # is a comment. */
    if (rest.len == 0 || rest.len > USER_NAME_MAX || rest.p[0] == '#')
        return false;
    while (rest.len > 0) {
        uint32_t c;
        if (!utf8_next(&rest, &c) || c == ':' || utf8_is_control(c))
            return false;
    }
    return true;
}

void users_free(struct users *users)
{
    for (size_t i = 0; i < users->n; i++) {
        free(users->items[i].name);
        explicit_bzero(users->items[i].hash, strlen(users->items[i].hash));
        free(users->items[i].hash);
    }
    free(users->items);
    *users = (struct users){0};
}

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct user *)a)->name, ((const struct user *)b)->name);
}

const struct user *users_find(const struct users *users, const char *name)
{
    struct user wanted = {.name = (char *)(uintptr_t)name};
    return users->n ? bsearch(&wanted, users->items, users->n, sizeof wanted, compare) : NULL;
}

/* Takes over NAME and HASH, also when it fails. */
static enum status append(struct users *users, char *name, char *hash, struct error *err)
{
    struct user *items = NULL;
    if (name && hash)
        items = reallocarray(users->items, users->n + 1, sizeof *items);
    if (!items) {
        free(name);
        free(hash);
        return error_set(err, STATUS_TEMPORARY, "out of memory for the users file");
    }
    users->items = items;
    users->items[users->n++] = (struct user){.name = name, .hash = hash};
    return STATUS_OK;
}

static enum status add_line(struct users *users, const struct users_line *line, const char *path,
                            size_t number, struct error *err)
{
    if (line->broken)
        return error_set(err, STATUS_INVALID, "%s:%zu: not of the form name:hash", path, number);
    if (memchr(line->raw.p, '\0', line->raw.len))
        return error_set(err, STATUS_INVALID, "%s:%zu: holds a NUL byte", path, number);
    char *name = span_dup(line->name);
    char *hash = span_dup(line->hash);
    if (name && hash && !user_name_is_valid(name)) {
        error_set(err, STATUS_INVALID, "%s:%zu: a user name has 1 to 255 bytes of printable UTF-8", path,
                  number);
    } else if (name && hash && crypt_checksalt(hash) != CRYPT_SALT_OK) {
        error_set(err, STATUS_INVALID,
                  "%s:%zu: not a hash of a safe kind: set it with \"sealctl user passwd\"", path, number);
    } else {
        return append(users, name, hash, err);
    }
    free(name);
    free(hash);
    return STATUS_INVALID;
}

static enum status check_doubles(const struct users *users, const char *path, struct error *err)
{
    for (size_t i = 1; i < users->n; i++)
        if (strcmp(users->items[i - 1].name, users->items[i].name) == 0)
            return error_set(err, STATUS_INVALID, "%s: user %s stands there twice: remove one line", path,
                             users->items[i].name);
    return STATUS_OK;
}

enum status users_load(const char *path, struct users *users_out, struct error *err)
{
    *users_out = (struct users){0};
    struct buf text;
    enum status st = users_file_read(path, &text, err);
    if (st != STATUS_OK)
        return st;
    struct span rest = buf_span(&text);
    struct users_line line;
    for (size_t number = 1; st == STATUS_OK && users_line_next(&rest, &line); number++)
        if (line.is_user)
            st = add_line(users_out, &line, path, number, err);
    buf_free(&text);
    if (users_out->n > 1)
        qsort(users_out->items, users_out->n, sizeof *users_out->items, compare);
    if (st == STATUS_OK)
        st = check_doubles(users_out, path, err);
    if (st != STATUS_OK)
        users_free(users_out);
    return st;
}
