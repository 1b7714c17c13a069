/*
 * A queue with very many recipients: how long the role takes to open it, what memory it needs, and how long
 * it takes to lease, to finish and to answer. The queue's own code on a database of its own, without the
 * other roles; times are of the processor, so that other programs beside it count little. Run by `make
 * bench-queue`:
 *
 *     queue_million FOLDER RECIPIENTS DOMAINS SENDERS
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "gateway/queue/lease.h"
#include "gateway/queue/link.h"
#include "gateway/queue/outcome.h"
#include "gateway/queue/schema.h"
#include "gateway/queue/store.h"
#include "gateway/queue/verbs.h"

#define WINDOW 200
#define ROUNDS 200
#define PER_TRANSACTION 10000 /* quick to fill; not measured */
#define BODY_LEN 1024         /* bodies cost pages of the file, not time of these queries */
#define INSTANCE "00000000000000000001"

struct bench {
    struct queue_settings settings;
    struct sql *sql;
    int64_t now_ms;
    long recipients, domains, senders;
    char body[BODY_LEN];
};

#define MUST(call)                                                                                           \
    do {                                                                                                     \
        if ((call) != STATUS_OK) {                                                                           \
            fprintf(stderr, "%s: %s\n", #call, err.text);                                                    \
            exit(1);                                                                                         \
        }                                                                                                    \
    } while (0)

static double ms_since(int64_t start_us)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)(t.tv_sec * 1000000 + t.tv_nsec / 1000 - start_us) / 1000;
}

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static long memory_kb(const char *field)
{
    char line[200];
    long kb = 0;
    FILE *f = fopen("/proc/self/status", "re");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, field, strlen(field)) == 0)
            kb = atol(line + strlen(field) + 1);
    if (f)
        fclose(f);
    return kb;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void say(const char *what, double *ms, size_t n)
{
    qsort(ms, n, sizeof *ms, by_size);
    printf("  %-44s %9.3f ms  (p99 %.3f, most %.3f)\n", what, ms[n / 2], ms[n * 99 / 100], ms[n - 1]);
}

/* ---- the queue ---- */

static void insert(struct bench *b, long n)
{
    struct error err;
    char address[80], user[40];
    snprintf(address, sizeof address, "user%ld@domain%ld.example", n, n % b->domains);
    snprintf(user, sizeof user, "sender%ld@example.org", n / b->domains % b->senders);
    struct envelope_recipient to = {.address = address};
    struct copy_recipient r = {.address = address, .rule = user, .fingerprint = user, .source = user};
    struct store_copy copy = {.state = COPY_QUEUED,
                              .format = FORMAT_SMIME,
                              .body_len = sizeof b->body,
                              .recipients = &r,
                              .n_recipients = 1};
    struct queue_store store = {.envelope = {.received_ms = b->now_ms,
                                             .reverse_path = user,
                                             .user = user,
                                             .recipients = &to,
                                             .n_recipients = 1},
                                .copies = &copy,
                                .n_copies = 1};
    id_make(store.envelope.id);
    MUST(store_insert(b->sql, &b->settings, &store, span_of(b->body, sizeof b->body), b->now_ms, &err));
}

static void fill(struct bench *b)
{
    struct error err;
    int64_t start = now_us();
    for (long n = 0; n < b->recipients;) {
        MUST(sql_begin(b->sql, &err));
        for (int i = 0; i < PER_TRANSACTION && n < b->recipients; i++)
            insert(b, n++);
        MUST(sql_commit(b->sql, &err));
    }
    double ms = ms_since(start);
    printf("  %-44s %9.3f ms\n", "stored, each", ms / (double)b->recipients);
}

static void open_again(struct bench *b)
{
    struct error err;
    struct lease_cursor cursor = {0};
    struct row_ids ids = {0};
    int64_t next;
    sql_close(b->sql);
    int64_t start = now_us();
    MUST(sql_open(b->settings.path, queue_schema, &b->sql, &err));
    MUST(lease_next_due(b->sql, b->now_ms, &next, &err));
    printf("  %-44s %9.3f ms\n", "opened, and knows when to wake", ms_since(start));
    start = now_us();
    MUST(sql_begin(b->sql, &err));
    MUST(lease_claim(b->sql, &b->settings, INSTANCE, WINDOW, b->now_ms, &cursor, &ids, &err));
    MUST(sql_commit(b->sql, &err));
    printf("  %-44s %9.3f ms  (%zu copies)\n", "the first claim, cold", ms_since(start), ids.n);
    free(ids.ids);
}

static void finish(struct bench *b, int64_t copy_id, enum delivery_outcome what, enum delivery_reach reach)
{
    struct error err;
    struct outcome_counts counts;
    struct queue_lease lease;
    int fd;
    MUST(lease_load(b->sql, copy_id, &lease, &fd, &err));
    close(fd);
    struct outcome_recipient r = {.id = lease.recipients[0].id, .outcome = what, .reach = reach};
    const struct queue_outcome outcome = {.copy_id = copy_id, .recipients = &r, .n_recipients = 1};
    MUST(outcome_apply(b->sql, &b->settings, INSTANCE, &outcome, span_of(NULL, 0), b->now_ms, &counts, &err));
    queue_lease_free(&lease);
}

/* In each round one copy ends and what is due takes its place, as in a busy queue; commits are not counted.
 */
static void cycle(struct bench *b, const char *what, enum delivery_outcome outcome, enum delivery_reach reach)
{
    static double ended[ROUNDS], claimed[ROUNDS];
    struct error err;
    struct lease_cursor cursor = {0};
    struct row_ids kept;
    char name[80];
    for (int i = 0; i < ROUNDS; i++) {
        struct row_ids ids = {0};
        MUST(lease_kept(b->sql, INSTANCE, &kept, &err));
        MUST(sql_begin(b->sql, &err));
        int64_t start = now_us();
        if (kept.n > 0)
            finish(b, kept.ids[(size_t)i % kept.n], outcome, reach);
        ended[i] = ms_since(start);
        start = now_us();
        MUST(lease_claim(b->sql, &b->settings, INSTANCE, WINDOW, b->now_ms, &cursor, &ids, &err));
        claimed[i] = ms_since(start);
        MUST(sql_commit(b->sql, &err));
        free(ids.ids);
        free(kept.ids);
    }
    snprintf(name, sizeof name, "%s: outcome", what);
    say(name, ended, ROUNDS);
    snprintf(name, sizeof name, "%s: claim", what);
    say(name, claimed, ROUNDS);
}

static void ask(struct bench *b, const char *what, verb_read_fn *verb)
{
    struct error err;
    struct link link = {0};
    struct queue queue = {.sql = b->sql, .settings = &b->settings, .link = &link, .base = event_base_new()};
    queue.group = group_new(queue.base, b->sql, NULL, &err);
    json_t *args = json_object(), *reply = NULL;
    int64_t start = now_us();
    MUST(verb(&queue, args, &reply, &err));
    printf("  %-44s %9.3f ms\n", what, ms_since(start));
    json_decref(args);
    json_decref(reply);
    group_free(queue.group);
    event_base_free(queue.base);
}

static void measure(struct bench *b)
{
    struct stat st;
    fill(b);
    open_again(b);
    cycle(b, "all due, delivered", OUTCOME_DELIVERED, REACH_OK);
    cycle(b, "all due, deferred by a 4xx", OUTCOME_DEFERRED, REACH_OK);
    cycle(b, "all due, destinations down", OUTCOME_DEFERRED, REACH_NO_HOST);
    ask(b, "queue list, first page", verb_queue_list);
    ask(b, "held list", verb_held_list);
    ask(b, "queue status", verb_queue_status);
    if (stat(b->settings.path, &st) == 0)
        printf("  database %.0f MB; memory %ld MB, at most %ld MB\n", (double)st.st_size / 1e6,
               memory_kb("VmRSS:") / 1024, memory_kb("VmHWM:") / 1024);
}

int main(int argc, char **argv)
{
    char path[400];
    struct error err;
    static struct bench b;
    if (argc != 5) {
        fputs("usage: queue_million FOLDER RECIPIENTS DOMAINS SENDERS\n", stderr);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    snprintf(path, sizeof path, "%s/queue.db", argv[1]);
    b.recipients = atol(argv[2]);
    b.domains = atol(argv[3]);
    b.senders = atol(argv[4]);
    b.now_ms = clock_wall_ms();
    b.settings = (struct queue_settings){
        .path = path,
        .retry = {.first_retry_ms = 300000, .last_retry_ms = 14400000, .lifetime_ms = INT64_C(432000000)},
        .delay_warning_ms = 14400000,
        .hold_ms = 604800000,
        .recheck_ms = 900000};
    memset(b.body, 'x', sizeof b.body);
    printf("%ld recipients, %ld domains, %ld senders\n", b.recipients, b.domains, b.senders);
    MUST(sql_open(path, queue_schema, &b.sql, &err));
    measure(&b);
    sql_close(b.sql);
    return 0;
}
