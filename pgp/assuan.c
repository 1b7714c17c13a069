#include "pgp/assuan.h"

#include <assuan.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memfile.h"
#include "pgp/encrypt.h"

struct pgp_assuan {
    assuan_context_t ctx;
    pid_t pid;
    int status_fd; /* what it writes its status lines to, without waiting */
};

/* ---- starting ---- */

/* What gpg finds under these numbers. They lie above the ones that this process may have for the same. */
enum { CONNECTION_FD = 100, STATUS_FD, RING_FD };

/* The environment with the variable by which libassuan in gpg knows that it has a socket instead of stdin and
 * stdout. To be freed; NULL: out of memory. */
static char **make_environment(char *variable)
{
    size_t n = 0;
    char **copy;

    while (environ[n])
        n++;
    copy = calloc(n + 2, sizeof *copy);
    if (!copy)
        return NULL;
    copy[0] = variable;
    memcpy(copy + 1, environ, n * sizeof *copy);
    return copy;
}

static bool plan_descriptors(posix_spawn_file_actions_t *actions, int connection, int status, int ring)
{
    return posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0) == 0 &&
           posix_spawn_file_actions_addopen(actions, 1, "/dev/null", O_WRONLY, 0) == 0 &&
           posix_spawn_file_actions_addopen(actions, 2, "/dev/null", O_WRONLY, 0) == 0 &&
           posix_spawn_file_actions_adddup2(actions, connection, CONNECTION_FD) == 0 &&
           posix_spawn_file_actions_adddup2(actions, status, STATUS_FD) == 0 &&
           posix_spawn_file_actions_adddup2(actions, ring, RING_FD) == 0;
}

static bool spawn(const char *gpg_path, const char *home, posix_spawn_file_actions_t *actions, pid_t *pid_out)
{
    char connection[40], status[16], keyring[64], folder[4200];
    const char *argv[] = {"gpg",
                          folder,
                          "--status-fd",
                          status,
                          "--no-tty",
                          "--charset=utf8",
                          "--always-trust",
                          "--no-encrypt-to",
                          "--armor",
                          "--compress-algo=none",
                          "--keyring",
                          keyring,
                          "--server",
                          NULL};
    char **environment;
    bool spawned;

    snprintf(connection, sizeof connection, "_assuan_connection_fd=%d", CONNECTION_FD);
    snprintf(status, sizeof status, "%d", STATUS_FD);
    snprintf(keyring, sizeof keyring, "gnupg-ring:/proc/self/fd/%d", RING_FD);
    if ((size_t)snprintf(folder, sizeof folder, "--homedir=%s", home) >= sizeof folder)
        return false;
    environment = make_environment(connection);
    spawned =
        environment && posix_spawn(pid_out, gpg_path, actions, NULL, (char *const *)argv, environment) == 0;
    free(environment);
    return spawned;
}

/* CONNECTION: a socket pair, ours first; STATUS: a pipe. All stay the caller's. */
static bool start(struct pgp_assuan *gpg, const char *gpg_path, const char *home, const int connection[2],
                  int status, int ring)
{
    posix_spawn_file_actions_t actions;
    bool started;

    if (posix_spawn_file_actions_init(&actions) != 0)
        return false;
    started =
        plan_descriptors(&actions, connection[1], status, ring) && spawn(gpg_path, home, &actions, &gpg->pid);
    posix_spawn_file_actions_destroy(&actions);
    return started;
}

/* Takes over FD. Reads gpg's greeting. */
static bool connect_to(struct pgp_assuan *gpg, int fd)
{
    assuan_set_gpg_err_source(GPG_ERR_SOURCE_USER_1);
    if (assuan_new(&gpg->ctx) == 0 &&
        assuan_socket_connect_fd(gpg->ctx, fd, ASSUAN_SOCKET_CONNECT_FDPASSING) == 0)
        return true;
    close(fd);
    return false;
}

struct pgp_assuan *pgp_assuan_start(const char *gpg_path, const char *home, int ring_fd)
{
    struct pgp_assuan *gpg = calloc(1, sizeof *gpg);
    int connection[2], status[2];
    bool started;

    if (!gpg || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, connection) != 0) {
        free(gpg);
        return NULL;
    }
    if (pipe2(status, O_CLOEXEC | O_NONBLOCK) != 0) {
        close(connection[0]);
        close(connection[1]);
        free(gpg);
        return NULL;
    }
    gpg->status_fd = status[0];
    started = start(gpg, gpg_path, home, connection, status[1], ring_fd);
    close(status[1]);
    close(connection[1]);
    if (!connect_to(gpg, connection[0]) || !started) {
        pgp_assuan_stop(gpg);
        return NULL;
    }
    return gpg;
}

/* gpg ends when its connection does. */
void pgp_assuan_stop(struct pgp_assuan *gpg)
{
    if (!gpg)
        return;
    assuan_release(gpg->ctx);
    close(gpg->status_fd);
    while (gpg->pid > 0 && waitpid(gpg->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    free(gpg);
}

/* ---- one message ---- */

static bool say(struct pgp_assuan *gpg, const char *command)
{
    return assuan_transact(gpg->ctx, command, NULL, NULL, NULL, NULL, NULL, NULL) == 0;
}

static bool hand_over(struct pgp_assuan *gpg, int fd, const char *command)
{
    return assuan_sendfd(gpg->ctx, fd) == 0 && say(gpg, command);
}

static bool name_recipients(struct pgp_assuan *gpg, const char *const *fingerprints, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char command[sizeof "RECIPIENT " + PGP_FINGERPRINT_SIZE];

        snprintf(command, sizeof command, "RECIPIENT %s", fingerprints[i]);
        if (!say(gpg, command))
            return false;
    }
    return true;
}

static bool run(struct pgp_assuan *gpg, const char *const *fingerprints, size_t n, int in, int out)
{
    return say(gpg, "RESET") && name_recipients(gpg, fingerprints, n) && hand_over(gpg, in, "INPUT FD") &&
           hand_over(gpg, out, "OUTPUT FD") && say(gpg, "ENCRYPT");
}

/* Did it encrypt, and with what? "[GNUPG:] KEYWORD ARGS" lines. */
static bool read_status(struct pgp_assuan *gpg, char cipher_out[PGP_CIPHER_SIZE])
{
    static const char begun[] = "[GNUPG:] BEGIN_ENCRYPTION ";
    char lines[65536];
    ssize_t n = read(gpg->status_fd, lines, sizeof lines - 1);
    bool ended = false;
    char *rest;

    cipher_out[0] = '\0';
    lines[n > 0 ? n : 0] = '\0';
    for (char *line = strtok_r(lines, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        if (strncmp(line, begun, sizeof begun - 1) == 0)
            pgp_cipher_begun(line + sizeof begun - 1, cipher_out);
        ended = ended || strcmp(line, "[GNUPG:] END_ENCRYPTION") == 0;
    }
    return ended && cipher_out[0];
}

static bool fill(int fd, struct spans plaintext)
{
    struct error err;

    for (size_t i = 0; i < plaintext.n; i++)
        if (memfile_write(fd, plaintext.items[i], &err) != STATUS_OK)
            return false;
    return lseek(fd, 0, SEEK_SET) == 0;
}

static bool read_output(int fd, struct buf *armored_out)
{
    struct stat st;
    uint8_t *to;

    if (fstat(fd, &st) != 0 || st.st_size <= 0)
        return false;
    to = buf_reserve(armored_out, (size_t)st.st_size);
    if (!to || pread(fd, to, (size_t)st.st_size, 0) != st.st_size)
        return false;
    buf_commit(armored_out, (size_t)st.st_size);
    return true;
}

bool pgp_assuan_encrypt(struct pgp_assuan *gpg, const char *const *fingerprints, size_t n,
                        struct spans plaintext, struct buf *armored_out, char cipher_out[PGP_CIPHER_SIZE])
{
    struct error err;
    int in = -1, out = -1;
    bool done =
        n > 0 && n <= PGP_ASSUAN_RECIPIENTS_MAX && memfile_create("plaintext", &in, &err) == STATUS_OK &&
        memfile_create("ciphertext", &out, &err) == STATUS_OK && fill(in, plaintext) &&
        run(gpg, fingerprints, n, in, out) && read_status(gpg, cipher_out) && read_output(out, armored_out);

    if (in >= 0)
        close(in);
    if (out >= 0)
        close(out);
    return done;
}
