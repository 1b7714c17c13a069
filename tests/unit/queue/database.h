/* A queue database in a folder of its own, and messages to put into it. */
#ifndef SEALGATE_TESTS_UNIT_QUEUE_DATABASE_H
#define SEALGATE_TESTS_UNIT_QUEUE_DATABASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it. */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memfile.h"
#include "gateway/queue/audit.h"
#include "gateway/queue/hold.h"
#include "gateway/queue/lease.h"
#include "gateway/queue/outcome.h"
#include "gateway/queue/rows.h"
#include "gateway/queue/schema.h"
#include "gateway/queue/store.h"

#define T0 INT64_C(1800000000000)
#define MINUTE INT64_C(60000)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

struct database {
    char dir[64];
    char path[80];
    char backup_path[80];
    struct queue_settings settings;
    struct sql *sql;
};

#define OK(call)                                                                                             \
    do {                                                                                                     \
        if ((call) != STATUS_OK)                                                                             \
            fail_msg("%s: %s", #call, err.text);                                                             \
    } while (0)

static inline void database_open(struct database *d)
{
    struct error err;
    OK(sql_open(d->path, queue_schema, &d->sql, &err));
}

static inline void database_folder(struct database *d)
{
    const char *tmp = getenv("TMPDIR");

    *d = (struct database){0};
    snprintf(d->dir, sizeof d->dir, "%.40s/sgq.XXXXXX", tmp && *tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(d->dir));
    snprintf(d->path, sizeof d->path, "%s/queue.db", d->dir);
    snprintf(d->backup_path, sizeof d->backup_path, "%s/backup.db", d->dir);
    d->settings = (struct queue_settings){
        .backup_path = d->backup_path,
        .path = d->path,
        .retry = {.first_retry_ms = 5 * MINUTE, .last_retry_ms = 4 * HOUR, .lifetime_ms = 5 * DAY},
        .delay_warning_ms = 4 * HOUR,
        .hold_ms = 7 * DAY,
        .recheck_ms = 15 * MINUTE,
        .worked_ms = MINUTE};
}

static inline void database_make(struct database *d)
{
    database_folder(d);
    database_open(d);
}

static inline void database_remove(struct database *d)
{
    char name[100];
    static const char *const suffixes[] = {"", "-wal", "-shm"};

    sql_close(d->sql);
    for (size_t i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%s%s", d->path, suffixes[i]);
        unlink(name);
    }
    unlink(d->backup_path);
    rmdir(d->dir);
}

/* First column of the first row of any SQL text. */
static inline int64_t database_ask(const struct database *d, const char *text)
{
    struct error err;
    int64_t answer = 0;
    OK(rows_ask(d->sql, text, NULL, 0, &answer, &err));
    return answer;
}

static inline void database_run(const struct database *d, const char *text)
{
    struct error err;
    OK(rows_run(d->sql, text, NULL, 0, &err));
}

/* ---- messages ---- */

/* A message of up to three copies with one body each; all strings are static or stand in here. */
struct sample {
    struct queue_store store;
    struct store_copy copies[3];
    struct copy_recipient recipients[3][4];
    struct envelope_recipient to[12];
    char bodies[4096];
    size_t len;
};

static inline char *text(const char *s)
{
    return (char *)(uintptr_t)s;
}

static inline void sample_start(struct sample *s)
{
    *s = (struct sample){0};
    id_make(s->store.envelope.id);
    s->store.envelope.received_ms = T0;
    s->store.envelope.reverse_path = text("alice@example.org");
    s->store.envelope.user = text("alice");
    s->store.envelope.client_address = text("192.0.2.1");
    s->store.envelope.tls_version = text("TLSv1.3");
    s->store.envelope.tls_cipher = text("TLS_AES_256_GCM_SHA384");
    s->store.envelope.recipients = s->to;
    s->store.copies = s->copies;
    s->store.reply.outcome = SUBMIT_QUEUED;
    snprintf(s->store.reply.text, sizeof s->store.reply.text, "%s queued", s->store.envelope.id);
}

static inline struct store_copy *sample_copy(struct sample *s, enum copy_state state, enum copy_format format,
                                             const char *body)
{
    struct store_copy *copy = &s->copies[s->store.n_copies];

    *copy = (struct store_copy){.state = state,
                                .format = state == COPY_QUEUED ? format : FORMAT_NONE,
                                .locked = format == FORMAT_CLEAR,
                                .body_at = s->len,
                                .body_len = strlen(body),
                                .recipients = s->recipients[s->store.n_copies],
                                .cipher = text(format > FORMAT_CLEAR ? "AES256" : NULL)};
    memcpy(s->bodies + s->len, body, strlen(body));
    s->len += strlen(body);
    s->store.n_copies++;
    return copy;
}

static inline void sample_recipient(struct sample *s, struct store_copy *copy, const char *address)
{
    struct copy_recipient *r = &copy->recipients[copy->n_recipients++];

    *r = (struct copy_recipient){.address = text(address), .rule = text("default")};
    if (copy->format <= FORMAT_CLEAR) {
        r->reason = text("none found");
    } else {
        r->fingerprint = text("0123456789ABCDEF");
        r->source = text("administrator");
    }
    s->to[s->store.envelope.n_recipients++] = (struct envelope_recipient){.address = r->address};
}

/* One sealed copy for one recipient. */
static inline void sample_simple(struct sample *s, const char *address)
{
    sample_start(s);
    sample_recipient(s, sample_copy(s, COPY_QUEUED, FORMAT_OPENPGP, "sealed body"), address);
}

/* One held copy for one recipient, with a header for DSNs. */
static inline void sample_held(struct sample *s, const char *address)
{
    struct store_copy *copy;

    sample_start(s);
    copy = sample_copy(s, COPY_HELD, FORMAT_CLEAR, "locked body");
    sample_recipient(s, copy, address);
    copy->header_at = s->len;
    copy->header_len = strlen("Subject: [...]\r\n");
    memcpy(s->bodies + s->len, "Subject: [...]\r\n", copy->header_len);
    s->len += copy->header_len;
}

static inline struct span sample_bodies(const struct sample *s)
{
    return span_of(s->bodies, s->len);
}

static inline void database_store(const struct database *d, const struct sample *s, int64_t now_ms)
{
    struct error err;
    OK(sql_begin(d->sql, &err));
    OK(store_insert(d->sql, &d->settings, &s->store, sample_bodies(s), now_ms, &err));
    OK(sql_commit(d->sql, &err));
}

/* A sample_simple for ADDRESS. */
static inline void database_store_one(const struct database *d, const char *address, int64_t now_ms)
{
    struct sample s;
    sample_simple(&s, address);
    database_store(d, &s, now_ms);
}

#define DELIVERY_1 "00000000000000000001"
#define DELIVERY_2 "00000000000000000002"

/* Leases what is due; free the ids. */
static inline struct row_ids database_claim(const struct database *d, const char *instance, int64_t window,
                                            int64_t now_ms)
{
    struct error err;
    struct row_ids ids = {0};
    OK(sql_begin(d->sql, &err));
    struct lease_cursor cursor = {0};
    OK(lease_claim(d->sql, &d->settings, instance, window, now_ms, &cursor, &ids, &err));
    lease_cursor_free(&cursor);
    OK(sql_commit(d->sql, &err));
    return ids;
}

/* As database_claim; says only how many copies are leased. */
static inline size_t database_claim_count(const struct database *d, const char *instance, int64_t window,
                                          int64_t now_ms)
{
    struct row_ids ids = database_claim(d, instance, window, now_ms);
    free(ids.ids);
    return ids.n;
}

static inline void database_verify(const struct database *d)
{
    struct error err;
    struct audit_check check = {0};
    while (!check.done)
        OK(audit_verify(d->sql, &check, 7, &err));
    if (check.wrong)
        fail_msg("audit line %lld: %s", (long long)check.bad, check.why);
}

#endif
