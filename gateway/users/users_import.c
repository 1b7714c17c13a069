#include "gateway/users/users_import.h"

#include <crypt.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/users/password.h"

/* What stands before SEPARATOR, which is taken from *TEXT too; all of it when there is none. */
static struct span take(struct span *text, char separator)
{
    const char *end = text->len ? memchr(text->p, separator, text->len) : NULL;
    size_t len = end ? (size_t)(end - text->p) : text->len;
    struct span taken = span_of(text->p, len);
    *text = end ? span_of(end + 1, text->len - len - 1) : span_of(text->p + len, 0);
    return taken;
}

/* How many characters follow the last "$" of a whole hash; a cut one would never fit any password. */
static enum status check_whole(const char *hash, struct error *err)
{
    static const struct {
        const char *prefix;
        size_t len;
    } kinds[] = {{"$y$", 43},  {"$gy$", 43}, {"$7$", 43}, {"$2a$", 53},
                 {"$2b$", 53}, {"$2y$", 53}, {"$5$", 43}, {"$6$", 86}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strncmp(hash, kinds[i].prefix, strlen(kinds[i].prefix)) != 0)
            continue;
        return strlen(strrchr(hash, '$') + 1) == kinds[i].len
                   ? STATUS_OK
                   : error_set(err, STATUS_INVALID, "the hash is not whole");
    }
    return error_set(err, STATUS_INVALID, "a hash of a kind that is not known here");
}

static enum status take_hash(struct span hash, struct user *user, struct error *err)
{
    if (hash.len == 0 || strchr("!*x", hash.p[0]))
        return error_set(err, STATUS_INVALID, "no password, or a locked one");
    if (hash.p[0] != '$')
        return error_set(err, STATUS_INVALID, "neither a hash of crypt(5) that is safe nor {SCHEME}…");
    user->hash = span_dup(hash);
    if (!user->hash)
        return error_set(err, STATUS_INVALID, "a NUL byte");
    if (user_hash_is_safe(user->hash, err) != STATUS_OK)
        return error_set(
            err, STATUS_INVALID,
            "not a hash of a safe kind, it can be broken at leisure: give the user a new password");
    return check_whole(user->hash, err);
}

static enum status take_scram(struct span text, struct user *user, struct error *err)
{
    struct span iterations = take(&text, ','), salt = take(&text, ','), stored_key = take(&text, ',');
    user->has_scram = true;
    return scram_keys_from_parts(iterations, salt, stored_key, text, &user->scram, err);
}

/* Digits or nothing, as a uid or gid in a passwd-file. */
static bool is_number(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    return true;
}

/* Behind a clear password: fields of a passwd-file, or the rest of a password that holds a colon? */
static bool are_fields(struct span rest)
{
    struct span uid = take(&rest, ':'), gid = take(&rest, ':');
    return is_number(uid) && is_number(gid) && rest.len > 0;
}

static enum status take_plain(struct span text, bool more, struct span rest, struct user *user,
                              struct error *err)
{
    if (more && rest.len > 0 && !are_fields(rest))
        return error_set(
            err, STATUS_INVALID,
            "a colon behind {PLAIN}: is it of the password, or a new field? Use \"sealctl user add\"");
    char *password = span_dup(text);
    if (!password)
        return error_set(err, STATUS_INVALID, "a NUL byte");
    enum status st = user_set_password(user, password, err);
    explicit_bzero(password, strlen(password));
    free(password);
    return st;
}

static enum status take_scheme(struct span field, bool more, struct span rest, struct user *user,
                               struct error *err)
{
    static const char *const crypts[] = {"{CRYPT", "{SHA512-CRYPT", "{SHA256-CRYPT", "{BLF-CRYPT"};
    if (!memchr(field.p, '}', field.len))
        return error_set(err, STATUS_INVALID, "a {SCHEME without end");
    struct span scheme = take(&field, '}');
    for (size_t i = 0; i < sizeof crypts / sizeof crypts[0]; i++)
        if (span_is(scheme, crypts[i]))
            return take_hash(field, user, err);
    if (span_is(scheme, "{SCRAM-SHA-256"))
        return take_scram(field, user, err);
    if (span_is(scheme, "{PLAIN") || span_is(scheme, "{CLEARTEXT"))
        return take_plain(field, more, rest, user, err);
    return error_set(err, STATUS_INVALID, "scheme %.*s} cannot be used here: give the user a new password",
                     (int)(scheme.len < 40 ? scheme.len : 40), scheme.p);
}

static enum status take_fields(struct span field, bool more, struct span rest, struct user *user,
                               struct error *err)
{
    if (field.len > 0 && field.p[0] == '{')
        return take_scheme(field, more, rest, user, err);
    if (!span_starts(rest, "SCRAM-SHA-"))
        return take_hash(field, user, err);
    user->has_scram = true;
    enum status st = scram_keys_parse(rest, &user->scram, err);
    return st == STATUS_OK && field.len > 0 ? take_hash(field, user, err) : st;
}

static enum status read_line(struct span line, const struct users *existing, struct user *user,
                             struct error *err)
{
    if (!memchr(line.p, ':', line.len))
        return error_set(err, STATUS_INVALID, "no colon: neither name:hash nor name:{SCHEME}…");
    struct span name = take(&line, ':');
    bool more = line.len > 0 && memchr(line.p, ':', line.len);
    struct span field = take(&line, ':');
    user->name = span_dup(name);
    if (!user->name || !user_name_is_valid(user->name))
        return error_set(err, STATUS_INVALID, "a user name has 1 to 255 bytes of printable UTF-8");
    enum status st = user_name_is_prepared(user->name, err);
    if (st == STATUS_OK && existing && users_find(existing, user->name))
        st = error_set(err, STATUS_INVALID, "is there already");
    if (st == STATUS_OK)
        st = take_fields(field, more, line, user, err);
    return st == STATUS_OK ? st : error_prefix(err, "user %s", user->name);
}

static enum status find_doubles(const struct users *users, const char *path, struct buf *problems)
{
    enum status st = STATUS_OK;
    for (size_t i = 1; i < users->n; i++) {
        if (strcmp(users->items[i - 1].name, users->items[i].name) != 0)
            continue;
        buf_printf(problems, "%s: user %s stands there twice\n", path, users->items[i].name);
        st = STATUS_INVALID;
    }
    return st;
}

enum status users_import(struct span text, const char *path, const struct users *existing,
                         struct users *users_out, struct buf *problems, struct error *err)
{
    enum status st = STATUS_OK, one;
    *users_out = (struct users){0};
    for (size_t number = 1; text.len > 0 && st != STATUS_TEMPORARY; number++) {
        struct span line = take(&text, '\n');
        struct user user = {0};
        if (line.len > 0 && line.p[line.len - 1] == '\r')
            line.len--;
        if (span_trim(line).len == 0 || line.p[0] == '#')
            continue;
        one = read_line(line, existing, &user, err);
        if (one == STATUS_OK) {
            one = users_append(users_out, &user, err);
        } else {
            user_wipe(&user);
            buf_printf(problems, "%s:%zu: %s\n", path, number, err->text);
        }
        if (one != STATUS_OK)
            st = one == STATUS_TEMPORARY ? one : STATUS_INVALID;
    }
    users_sort(users_out);
    if (find_doubles(users_out, path, problems) != STATUS_OK && st == STATUS_OK)
        st = STATUS_INVALID;
    if (st == STATUS_OK)
        return st;
    users_free(users_out);
    return st == STATUS_TEMPORARY ? st : error_set(err, st, "%s cannot be imported", path);
}
