/* sealctl user …: works on the users file itself, without the gateway. A password never stands on the command
 * line. */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <termios.h>
#include <unistd.h>

#include "gateway/ctl/user.h"
#include "gateway/users/password.h"

#define PASSWORD_SIZE 1024

static bool read_line(const char *prompt, char out[PASSWORD_SIZE])
{
    struct termios old, quiet;
    bool terminal = tcgetattr(STDIN_FILENO, &old) == 0;
    if (terminal) {
        fputs(prompt, stderr);
        quiet = old;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    }
    bool good = fgets(out, PASSWORD_SIZE, stdin) != NULL;
    if (terminal) {
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
        fputc('\n', stderr);
    }
    if (good)
        out[strcspn(out, "\r\n")] = '\0';
    return good;
}

static int read_password(struct user *user)
{
    char password[PASSWORD_SIZE], again[PASSWORD_SIZE];
    struct error err;
    int code = EX_OK;
    if (!read_line("Password: ", password))
        return ctl_fail(EX_NOINPUT, "no password on standard input");
    if (isatty(STDIN_FILENO) && (!read_line("Again: ", again) || strcmp(password, again) != 0))
        code = ctl_fail(EX_DATAERR, "the two passwords differ; nothing was changed");
    else if (user_set_password(user, password, &err) != STATUS_OK)
        code = ctl_fail(ctl_exit_code(status_word(err.status)), "%s", err.text);
    explicit_bzero(password, sizeof password);
    explicit_bzero(again, sizeof again);
    return code;
}

int ctl_user_give(const char *path, const char *user)
{
    struct stat st;
    const struct passwd *pw = geteuid() == 0 && user ? getpwnam(user) : NULL;
    if (!pw || (stat(path, &st) == 0 && st.st_uid != 0) || chown(path, pw->pw_uid, pw->pw_gid) == 0)
        return EX_OK;
    return ctl_fail(EX_OSERR, "cannot give %s to user %s: %s", path, user, strerror(errno));
}

const char *ctl_users_file(const struct ctl *ctl)
{
    if (!ctl->conf.auth_users)
        ctl_fail(EX_CONFIG, "there is no users file: the users are in %s",
                 ctl->conf.auth_dovecot ? "Dovecot" : "the directory");
    return ctl->conf.auth_users;
}

int ctl_fail_with(const struct error *err)
{
    return ctl_fail(ctl_exit_code(status_word(err->status)), "%s", err->text);
}

/* A new name; one that is there already need not be as SASLprep writes it. */
static enum status check_name(const char *name, enum user_change what, struct error *err)
{
    if (!user_name_is_valid(name))
        return error_set(err, STATUS_INVALID,
                         "a user name has 1 to 255 bytes of UTF-8 without \":\" and control characters");
    return what == USER_ADD ? user_name_is_prepared(name, err) : STATUS_OK;
}

static int change(struct ctl *ctl, enum user_change what)
{
    struct error err;
    struct user user = {0};
    if (ctl->argc != 1)
        return EX_USAGE;
    const char *path = ctl_users_file(ctl);
    if (!path)
        return EX_CONFIG;
    if (check_name(ctl->argv[0], what, &err) != STATUS_OK)
        return ctl_fail_with(&err);
    int code = what == USER_REMOVE ? EX_OK : read_password(&user);
    if (code == EX_OK && !(user.name = strdup(ctl->argv[0])))
        code = ctl_fail(EX_OSERR, "out of memory");
    if (code == EX_OK && users_change(path, what, &user, &err) != STATUS_OK)
        code = ctl_fail_with(&err);
    user_wipe(&user);
    if (code == EX_OK)
        code = ctl_user_give(path, ctl->conf.user);
    if (code == EX_OK && ctl->json)
        puts("{\"ok\": true}");
    return code;
}

static int add(struct ctl *ctl)
{
    return change(ctl, USER_ADD);
}

static int passwd(struct ctl *ctl)
{
    return change(ctl, USER_REPLACE);
}

static int remove_user(struct ctl *ctl)
{
    return change(ctl, USER_REMOVE);
}

static json_t *describe(const struct user *user)
{
    json_t *mechanisms =
        user->has_scram ? json_pack("[s, s]", "scram-sha-256-plus", "scram-sha-256") : json_array();
    json_array_append_new(mechanisms, json_string("plain"));
    json_array_append_new(mechanisms, json_string("login"));
    return json_pack("{s:s, s:o}", "name", user->name, "mechanisms", mechanisms);
}

static int list(struct ctl *ctl)
{
    static const struct ctl_column columns[] = {{"user", "name"}, {"mechanisms", "mechanisms"}};
    struct users users;
    struct error err;
    if (ctl->argc != 0)
        return EX_USAGE;
    const char *path = ctl_users_file(ctl);
    if (!path)
        return EX_CONFIG;
    if (users_load(path, &users, &err) != STATUS_OK)
        return ctl_fail_with(&err);
    json_t *all = json_array();
    for (size_t i = 0; i < users.n; i++)
        json_array_append_new(all, describe(&users.items[i]));
    users_free(&users);
    json_t *answer = json_pack("{s:b, s:o}", "ok", 1, "users", all);
    if (ctl->json) {
        json_dumpf(answer, stdout, JSON_INDENT(2));
        putchar('\n');
    } else {
        ctl_table(json_object_get(answer, "users"), columns, 2, "no users");
    }
    json_decref(answer);
    return EX_OK;
}

const struct ctl_verb ctl_user_verbs[] = {
    {"user", "add", "NAME", "add a user; the password is asked for, or read from standard input", add},
    {"user", "passwd", "NAME", "change a password", passwd},
    {"user", "remove", "NAME", "remove a user", remove_user},
    {"user", "list", "", "every user, and how they can log in", list},
    {"user", "import", "[--replace] [FILE]",
     "add users from htpasswd, crypt or Dovecot lines; - is standard input", ctl_user_import},
    {NULL, NULL, NULL, NULL, NULL},
};
