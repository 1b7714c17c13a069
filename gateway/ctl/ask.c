#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "gateway/ctl/ctl.h"

int ctl_fail(int code, const char *format, ...)
{
    char *text = NULL;
    va_list ap;
    va_start(ap, format);
    if (vasprintf(&text, format, ap) < 0)
        text = NULL;
    va_end(ap);
    fputs("sealctl: ", stderr);
    ctl_put(stderr, text);
    fputc('\n', stderr);
    free(text);
    return code;
}

int ctl_exit_code(const char *status_class)
{
    static const struct {
        const char *name;
        int code;
    } codes[] = {{"invalid", EX_DATAERR},    {"limit", EX_DATAERR},      {"not-found", EX_NOINPUT},
                 {"denied", EX_NOPERM},      {"temporary", EX_TEMPFAIL}, {"busy", EX_TEMPFAIL},
                 {"closed", EX_UNAVAILABLE}, {"internal", EX_SOFTWARE}};
    for (size_t i = 0; status_class && i < sizeof codes / sizeof codes[0]; i++)
        if (strcmp(codes[i].name, status_class) == 0)
            return codes[i].code;
    return EX_SOFTWARE;
}

static int connect_gateway(const char *path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof un.sun_path)
        return -1;
    memcpy(un.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&un, sizeof un) < 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

/* One line out, one line back; NULL when the gateway ended the connection. */
static json_t *exchange(int fd, json_t *request)
{
    FILE *stream = fdopen(fd, "r+");
    char *line = NULL;
    size_t size = 0;
    json_t *answer = NULL;
    if (!stream) {
        close(fd);
        return NULL;
    }
    if (json_dumpf(request, stream, JSON_COMPACT) == 0 && fputc('\n', stream) != EOF && fflush(stream) == 0 &&
        getline(&line, &size, stream) > 0)
        answer = json_loads(line, 0, NULL);
    free(line);
    fclose(stream);
    return answer;
}

int ctl_ask(struct ctl *ctl, json_t *request, json_t **answer_out)
{
    const char *path = ctl->conf.control_socket;
    int fd = connect_gateway(path);
    if (fd < 0) {
        json_decref(request);
        return ctl_fail(
            EX_UNAVAILABLE,
            "cannot reach the gateway at %s: %s; is sealgate running, and are you root or its user?", path,
            strerror(errno));
    }
    json_t *answer = exchange(fd, request);
    json_decref(request);
    if (!answer)
        return ctl_fail(EX_UNAVAILABLE,
                        "the gateway at %s ended the connection without an answer; see its log", path);
    if (!json_is_true(json_object_get(answer, "ok"))) {
        const char *text = json_string_value(json_object_get(answer, "error"));
        int code = ctl_exit_code(json_string_value(json_object_get(answer, "class")));
        if (ctl->json) {
            json_dumpf(answer, stdout, JSON_INDENT(2));
            putchar('\n');
        }
        ctl_fail(code, "%s", text ? text : "the gateway gave no reason");
        json_decref(answer);
        return code;
    }
    *answer_out = answer;
    return EX_OK;
}

int ctl_show(struct ctl *ctl, json_t *answer, void (*print)(json_t *answer))
{
    if (ctl->json) {
        json_dumpf(answer, stdout, JSON_INDENT(2));
        putchar('\n');
    } else if (print) {
        print(answer);
    }
    return fflush(stdout) == 0 ? EX_OK : EX_IOERR;
}

int ctl_do(struct ctl *ctl, json_t *request, void (*print)(json_t *answer))
{
    json_t *answer;
    int code = ctl_ask(ctl, request, &answer);
    if (code != EX_OK)
        return code;
    code = ctl_show(ctl, answer, print);
    json_decref(answer);
    return code;
}

bool ctl_read_file(const char *path, size_t max, struct buf *out)
{
    FILE *stream = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    char chunk[8192];
    size_t n;
    if (!stream) {
        ctl_fail(EX_NOINPUT, "cannot open %s: %s", path, strerror(errno));
        return false;
    }
    buf_init(out, max);
    while ((n = fread(chunk, 1, sizeof chunk, stream)) > 0)
        buf_append(out, chunk, n);
    explicit_bzero(chunk, sizeof chunk); /* it may have held passwords */
    bool good = !ferror(stream) && !out->failed;
    if (!good)
        ctl_fail(EX_DATAERR, "%s cannot be read or is larger than %zu bytes", path, max);
    if (stream != stdin)
        fclose(stream);
    if (!good)
        buf_free(out);
    return good;
}
