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

#include "gateway/ctl/ctl.h"
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

/* A file that root made anew is given to the user who will read it. */
static int give(const char *path, const char *user)
{
    struct stat st;
    const struct passwd *pw = geteuid() == 0 && user ? getpwnam(user) : NULL;
    if (!pw || (stat(path, &st) == 0 && st.st_uid != 0) || chown(path, pw->pw_uid, pw->pw_gid) == 0)
        return EX_OK;
    return ctl_fail(EX_OSERR, "cannot give %s to user %s: %s", path, user, strerror(errno));
}

static int change(struct ctl *ctl, enum user_change what)
{
    struct error err;
    struct user user = {0};
    if (ctl->argc != 1)
        return EX_USAGE;
    if (!user_name_is_valid(ctl->argv[0]))
        return ctl_fail(EX_DATAERR,
                        "a user name has 1 to 255 bytes of UTF-8 without \":\" and control characters");
    int code = what == USER_REMOVE ? EX_OK : read_password(&user);
    if (code != EX_OK)
        return code;
    user.name = strdup(ctl->argv[0]);
    enum status st = users_change(ctl->conf.auth_users, what, &user, &err);
    user_wipe(&user);
    if (st != STATUS_OK)
        return ctl_fail(ctl_exit_code(status_word(st)), "%s", err.text);
    code = give(ctl->conf.auth_users, ctl->conf.user);
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

static int list(struct ctl *ctl)
{
    struct users users;
    struct error err;
    if (ctl->argc != 0)
        return EX_USAGE;
    enum status st = users_load(ctl->conf.auth_users, &users, &err);
    if (st != STATUS_OK)
        return ctl_fail(ctl_exit_code(status_word(st)), "%s", err.text);
    json_t *names = json_array();
    for (size_t i = 0; i < users.n; i++) {
        json_array_append_new(names, json_string(users.items[i].name));
        if (!ctl->json)
            puts(users.items[i].name);
    }
    json_t *answer = json_pack("{s:b, s:o}", "ok", 1, "users", names);
    if (ctl->json) {
        json_dumpf(answer, stdout, JSON_INDENT(2));
        putchar('\n');
    }
    json_decref(answer);
    users_free(&users);
    return EX_OK;
}

const struct ctl_verb ctl_user_verbs[] = {
    {"user", "add", "NAME", "add a user; the password is asked for, or read from standard input", add},
    {"user", "passwd", "NAME", "change a password", passwd},
    {"user", "remove", "NAME", "remove a user", remove_user},
    {"user", "list", "", "every user name", list},
    {NULL, NULL, NULL, NULL, NULL},
};
