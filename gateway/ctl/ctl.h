/* What the verbs of sealctl share: options, the connection to the gateway, printing. */
#ifndef SEALGATE_CTL_CTL_H
#define SEALGATE_CTL_CTL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "conf/conf.h"

struct ctl {
    struct conf conf;
    bool json; /* --json: the gateway's answer as it is */
    int argc;  /* behind the verb's words */
    char **argv;
};

/* A verb of one or two words. Returns the exit code (sysexits.h). */
struct ctl_verb {
    const char *group; /* "key" */
    const char *name;  /* "add"; NULL: the group alone is the verb */
    const char *usage; /* arguments, for the help */
    const char *help;
    int (*run)(struct ctl *ctl);
};

/* Each ended by a NULL group. */
extern const struct ctl_verb ctl_key_verbs[];
extern const struct ctl_verb ctl_queue_verbs[];
extern const struct ctl_verb ctl_held_verbs[];
extern const struct ctl_verb ctl_audit_verbs[];
extern const struct ctl_verb ctl_user_verbs[];
extern const struct ctl_verb ctl_status_verbs[];
extern const struct ctl_verb ctl_guard_verbs[];
extern const struct ctl_verb ctl_tls_verbs[];
extern const struct ctl_verb ctl_tls_report_verbs[];
extern const struct ctl_verb ctl_autoconfig_verbs[];

/*
 * Asks the gateway: REQUEST's reference is stolen. On success *ANSWER_OUT is a new reference and the result
 * is EX_OK; else the error was printed to standard error and the result is the exit code for it.
 */
int ctl_ask(struct ctl *ctl, json_t *request, json_t **answer_out);

/* PRINT, or the JSON itself with --json. PRINT may be NULL: prints nothing. */
int ctl_show(struct ctl *ctl, json_t *answer, void (*print)(json_t *answer));

/* ctl_ask, then ctl_show. */
int ctl_do(struct ctl *ctl, json_t *request, void (*print)(json_t *answer));

/* TEXT (NULL: "-") with control characters shown as "?". */
void ctl_put(FILE *stream, const char *text);

/* "sealctl: text" to standard error, control characters shown as "?"; returns CODE. */
int ctl_fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The exit code for an error category. */
int ctl_exit_code(const char *status_class);

struct ctl_column {
    const char *title;
    const char *
        key; /* in each object; strings, numbers, booleans ("yes", "no"), null ("-"), arrays joined by ", " */
};

/* An array of objects as aligned columns; control characters are shown as "?". EMPTY is printed when there is
 * no row. */
void ctl_table(json_t *rows, const struct ctl_column *columns, size_t n_columns, const char *empty);

/* "key: value" lines of an object, nested arrays of objects indented. */
void ctl_fields(json_t *object);

/* What sealctl status says of GUARD: who is blocked, and who still tries without TLS. */
void ctl_guard_status(json_t *guard);

/* Reads a file of at most MAX bytes, "-" for standard input; prints the error. False on failure. */
bool ctl_read_file(const char *path, size_t max, struct buf *out);

#endif
