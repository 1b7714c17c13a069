/* sealctl user import. */
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "gateway/ctl/user.h"
#include "gateway/users/users_import.h"

#define IMPORT_MAX (16u << 20)

/* Those who are there already, unless they may be replaced. No file is nobody. */
static enum status load_existing(const char *path, bool replace, struct users *existing, struct error *err)
{
    *existing = (struct users){0};
    if (replace)
        return STATUS_OK;
    enum status st = users_load(path, existing, err);
    return st == STATUS_NOT_FOUND ? STATUS_OK : st;
}

static void put_problems(struct buf *problems)
{
    struct span rest = buf_span(problems);
    while (rest.len > 0) {
        const char *lf = memchr(rest.p, '\n', rest.len);
        size_t len = lf ? (size_t)(lf - rest.p) : rest.len;
        char *line = span_dup(span_of(rest.p, len));
        ctl_put(stderr, line);
        fputc('\n', stderr);
        free(line);
        rest = span_of(rest.p + len + (lf != NULL), rest.len - len - (lf != NULL));
    }
}

static int import_text(const char *path, struct span text, const char *source, bool replace, size_t *n_out)
{
    struct users existing, imported = {0};
    struct buf problems;
    struct error err;
    buf_init(&problems, 1u << 24);
    enum status st = load_existing(path, replace, &existing, &err);
    if (st == STATUS_OK)
        st = users_import(text, source, &existing, &imported, &problems, &err);
    if (st == STATUS_OK && imported.n > 0)
        st = users_add_all(path, &imported, replace, &err);
    *n_out = imported.n;
    put_problems(&problems);
    int code = EX_OK;
    if (st != STATUS_OK)
        code = ctl_fail(ctl_exit_code(status_word(st)), "%s; nothing was changed", err.text);
    buf_free(&problems);
    users_free(&existing);
    users_free(&imported);
    return code;
}

int ctl_user_import(struct ctl *ctl)
{
    struct buf text;
    size_t n = 0;
    bool replace = ctl->argc > 0 && strcmp(ctl->argv[0], "--replace") == 0;
    if (ctl->argc > 1 + replace)
        return EX_USAGE;
    const char *source = ctl->argc > replace ? ctl->argv[replace] : "-", *path = ctl_users_file(ctl);
    if (!path)
        return EX_CONFIG;
    if (!ctl_read_file(source, IMPORT_MAX, &text))
        return EX_NOINPUT;
    int code =
        import_text(path, buf_span(&text), strcmp(source, "-") == 0 ? "standard input" : source, replace, &n);
    buf_free(&text);
    if (code == EX_OK && n > 0)
        code = ctl_user_give(path, ctl->conf.user);
    if (code == EX_OK)
        printf(ctl->json ? "{\"ok\": true, \"imported\": %zu}\n" : "%zu users imported\n", n);
    return code;
}
