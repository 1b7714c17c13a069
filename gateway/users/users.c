#include "gateway/users/users.h"

#include <crypt.h>
#include <openssl/sha.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "gateway/users/saslprep.h"
#include "gateway/users/users_file.h"

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

enum status user_name_is_prepared(const char *name, struct error *err)
{
    char *prepared = NULL;
    enum status st = saslprep("the user name", name, true, &prepared, err);
    if (st == STATUS_OK && strcmp(prepared, name) != 0)
        st = error_set(err, STATUS_INVALID, "SASLprep (RFC 4013) writes the user name %s as %s: use that",
                       name, prepared);
    free(prepared);
    return st;
}

void user_wipe(struct user *user)
{
    free(user->name);
    if (user->hash)
        explicit_bzero(user->hash, strlen(user->hash));
    free(user->hash);
    explicit_bzero(user, sizeof *user);
}

void users_free(struct users *users)
{
    for (size_t i = 0; i < users->n; i++)
        user_wipe(&users->items[i]);
    free(users->items);
    explicit_bzero(users, sizeof *users);
}

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct user *)a)->name, ((const struct user *)b)->name);
}

void users_sort(struct users *users)
{
    if (users->n > 1)
        qsort(users->items, users->n, sizeof *users->items, compare);
}

const struct user *users_find(const struct users *users, const char *name)
{
    struct user wanted = {.name = (char *)(uintptr_t)name};
    return users->n ? bsearch(&wanted, users->items, users->n, sizeof wanted, compare) : NULL;
}

enum status users_append(struct users *users, struct user *user, struct error *err)
{
    /* Grown by hand, not by reallocarray, which would leave hashes behind. */
    size_t room = users->n & (users->n - 1) ? 0 : users->n ? 2 * users->n : 1;
    if (room > 0) {
        struct user *items = calloc(room, sizeof *items);
        if (!items) {
            user_wipe(user);
            return error_set(err, STATUS_TEMPORARY, "out of memory for the users file");
        }
        if (users->n > 0) {
            memcpy(items, users->items, users->n * sizeof *items);
            explicit_bzero(users->items, users->n * sizeof *items);
        }
        free(users->items);
        users->items = items;
    }
    users->items[users->n++] = *user;
    explicit_bzero(user, sizeof *user);
    return STATUS_OK;
}

enum status user_hash_is_safe(const char *hash, struct error *err)
{
    /* Longest fields: "$y$j9T$" and 86 characters of salt; nothing that could end the line or the field. */
    if (strlen(hash) >= CRYPT_OUTPUT_SIZE || strpbrk(hash, ": \t\r\n") ||
        crypt_checksalt(hash) != CRYPT_SALT_OK)
        return error_set(err, STATUS_INVALID, "not a hash of a safe kind");
    return STATUS_OK;
}

static enum status read_user(const struct users_line *line, struct user *user_out, struct error *err)
{
    if (line->broken)
        return error_set(err, STATUS_INVALID, "not of the form name:hash or name:hash:scram");
    if (memchr(line->raw.p, '\0', line->raw.len))
        return error_set(err, STATUS_INVALID, "holds a NUL byte");
    user_out->name = span_dup(line->name);
    user_out->hash = line->hash.len ? span_dup(line->hash) : NULL;
    user_out->has_scram = line->scram.len > 0;
    if (!user_out->name || (line->hash.len && !user_out->hash))
        return error_set(err, STATUS_TEMPORARY, "out of memory for the users file");
    if (!user_name_is_valid(user_out->name))
        return error_set(err, STATUS_INVALID, "a user name has 1 to 255 bytes of printable UTF-8");
    if (user_out->has_scram && scram_keys_parse(line->scram, &user_out->scram, err) != STATUS_OK)
        return STATUS_INVALID;
    if (!user_out->hash && !user_out->has_scram)
        return error_set(err, STATUS_INVALID, "has no hash: set it with \"sealctl user passwd\"");
    if (user_out->hash && user_hash_is_safe(user_out->hash, err) != STATUS_OK)
        return error_set(err, STATUS_INVALID, "%s: set it with \"sealctl user passwd\"", err->text);
    return STATUS_OK;
}

static enum status add_line(struct users *users, const struct users_line *line, const char *path,
                            size_t number, struct error *err)
{
    struct user user = {0};
    enum status st = read_user(line, &user, err);
    if (st == STATUS_OK)
        return users_append(users, &user, err);
    user_wipe(&user);
    return error_prefix(err, "%s:%zu", path, number);
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
    SHA256(text.data, text.len, users_out->secret);
    struct span rest = buf_span(&text);
    struct users_line line;
    for (size_t number = 1; st == STATUS_OK && users_line_next(&rest, &line); number++)
        if (line.is_user)
            st = add_line(users_out, &line, path, number, err);
    buf_free(&text);
    users_sort(users_out);
    if (st == STATUS_OK)
        st = check_doubles(users_out, path, err);
    if (st != STATUS_OK)
        users_free(users_out);
    return st;
}
