#include "gateway/main/check_auth.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <openssl/ssl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "gateway/main/ldap_conf.h"
#include "gateway/net/tls.h"
#include "gateway/users/users.h"

static void note(struct buf *problems, const char *path, const char *what, const struct error *err)
{
    buf_printf(problems, "%s: %s: %s\n", path, what, err->text);
}

static enum status look_at_users(const struct conf *conf, struct error *err)
{
    struct users users;
    enum status st = users_load(conf->auth_users, &users, err);
    if (st == STATUS_OK)
        users_free(&users);
    return st;
}

/* One that is not there (yet) is good: Dovecot makes it when it starts. */
static enum status look_at_dovecot(const struct conf *conf, struct error *err)
{
    struct stat st;
    const char *socket = conf->auth_dovecot;
    if (strlen(socket) >= sizeof((struct sockaddr_un *)0)->sun_path)
        return error_set(err, STATUS_INVALID, "%s is too long for a socket (107 bytes)", socket);
    if (stat(socket, &st) < 0)
        return errno == ENOENT ? STATUS_OK
                               : error_errno(err, STATUS_DENIED, errno, "cannot look at %s", socket);
    if (!S_ISSOCK(st.st_mode))
        return error_set(err, STATUS_INVALID, "%s is no socket", socket);
    if (faccessat(AT_FDCWD, socket, R_OK | W_OK, AT_EACCESS) < 0)
        return error_errno(err, STATUS_DENIED, errno,
                           "%s: user, group and mode of the unix_listener in Dovecot must let the gateway in",
                           socket);
    return STATUS_OK;
}

static enum status look_at_ca(const struct conf *conf, struct error *err)
{
    const struct tls_client_settings settings = {.ca_path = conf->ldap_ca};
    SSL_CTX *ctx;
    enum status st = conf->ldap_ca ? tls_client_context(&settings, &ctx, err) : STATUS_OK;
    if (st == STATUS_OK && conf->ldap_ca)
        SSL_CTX_free(ctx);
    return st;
}

/* What is given up for the eyes of another user. */
struct own_eyes {
    gid_t gid;
    gid_t *groups; /* owned */
    int n_groups;
};

/* User and primary group alone: so the roles have it (privileges.h). */
static bool look_as(const struct passwd *pw, struct own_eyes *own_out)
{
    *own_out = (struct own_eyes){.gid = getegid(), .n_groups = getgroups(0, NULL)};
    if (own_out->n_groups < 0)
        return false;
    own_out->groups = calloc((size_t)own_out->n_groups + 1, sizeof *own_out->groups);
    return own_out->groups && getgroups(own_out->n_groups, own_out->groups) == own_out->n_groups &&
           setgroups(0, NULL) == 0 && setegid(pw->pw_gid) == 0 && seteuid(pw->pw_uid) == 0;
}

static bool look_as_before(const struct own_eyes *own)
{
    return seteuid(0) == 0 && setegid(own->gid) == 0 && own->groups &&
           setgroups((size_t)own->n_groups, own->groups) == 0;
}

/* With the eyes of the service user, for it is the passwords role that looks, after rights are dropped. */
static void as_service_user(const struct conf *conf, const char *path, const char *what,
                            enum status (*look)(const struct conf *, struct error *), struct buf *problems)
{
    const struct passwd *pw = geteuid() == 0 && conf->user ? getpwnam(conf->user) : NULL;
    struct own_eyes own = {0};
    struct error err = {0};
    enum status st = STATUS_OK;
    if (pw && !look_as(pw, &own))
        st = error_errno(&err, STATUS_INTERNAL, errno, "cannot look as user %s", conf->user);
    if (st == STATUS_OK)
        st = look(conf, &err);
    if (st != STATUS_OK)
        note(problems, path, what, &err);
    if (pw && !look_as_before(&own)) {
        error_errno(&err, STATUS_INTERNAL, errno, "cannot become root again");
        note(problems, path, what, &err);
    }
    free(own.groups);
}

/* The password is read before rights are dropped. */
static void check_ldap(const struct conf *conf, const char *path, struct buf *problems)
{
    struct error err = {0};
    char *password = NULL;
    enum status st = STATUS_OK;
    if (conf->ldap_bind_password_file)
        st = secret_line_load(conf->ldap_bind_password_file, &password, &err);
    if (st != STATUS_OK)
        note(problems, path, "ldap bind-password-file", &err);
    struct ldap_settings settings = ldap_from_conf(conf, password);
    if (st == STATUS_OK && ldap_settings_check(&settings, &err) != STATUS_OK)
        note(problems, path, "ldap", &err);
    if (password)
        explicit_bzero(password, strlen(password));
    free(password);
    as_service_user(conf, path, "ldap ca", look_at_ca, problems);
}

void check_auth(const struct conf *conf, const char *path, struct buf *problems)
{
    if (conf->auth_users)
        as_service_user(conf, path, "auth users", look_at_users, problems);
    if (conf->auth_dovecot)
        as_service_user(conf, path, "auth dovecot", look_at_dovecot, problems);
    if (conf->ldap_url)
        check_ldap(conf, path, problems);
}
