/* Which due copies are leased next: fairly between lanes, none for a destination that cannot be reached. */
#include <stdlib.h>
#include <string.h>

#include "gateway/queue/lease_lane.h"

/* Senders looked at in one transaction, so many at a time, and lanes of one sender. */
#define SENDERS_MAX 256
#define SENDERS_AT_ONCE 64
#define LANES_MAX 32

/* A sender whose turn it is. */
struct turn {
    char *sender; /* owned */
    struct lane lanes[LANES_MAX];
    size_t n_lanes;
    size_t next; /* lane */
    size_t n_aside;
    bool over;
};

/* ---- senders and their lanes ---- */

static void forget_turns(struct claim *c)
{
    for (size_t i = 0; i < c->n_turns; i++) {
        for (size_t k = 0; k < c->turns[i].n_lanes; k++)
            free(c->turns[i].lanes[k].domain);
        free(c->turns[i].sender);
    }
    c->n_turns = 0;
}

/* The sender behind AFTER that has lanes, owned; NULL: there is none. */
static enum status next_sender(const struct claim *c, const char *after, char **sender_out, struct error *err)
{
    struct sql_stmt *stmt;
    bool row = false;
    *sender_out = NULL;
    enum status st = sql_prepare(c->sql,
                                 after ? "SELECT sender FROM lane WHERE sender > ?1 ORDER BY sender LIMIT 1"
                                       : "SELECT sender FROM lane ORDER BY sender LIMIT 1",
                                 &stmt, err);
    if (st != STATUS_OK)
        return st;
    if (after)
        sql_bind_str(stmt, 1, after);
    st = sql_step(stmt, &row, err);
    if (st != STATUS_OK || !row)
        return st;
    *sender_out = span_dup(span_str(sql_col_str(stmt, 0)));
    sql_reset(stmt);
    return *sender_out ? STATUS_OK : error_set(err, STATUS_TEMPORARY, "out of memory for what is due");
}

/* Its due lanes, the longest due first. */
static enum status load_lanes(const struct claim *c, struct turn *turn, struct error *err)
{
    struct sql_stmt *stmt;
    bool row = false;
    enum status st = sql_prepare(c->sql,
                                 "SELECT id, expires_ms, domain FROM lane WHERE sender = ?1 AND due_ms <= ?2 "
                                 "ORDER BY due_ms LIMIT ?3",
                                 &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_str(stmt, 1, turn->sender);
    sql_bind_int(stmt, 2, c->now_ms);
    sql_bind_int(stmt, 3, LANES_MAX);
    for (st = sql_step(stmt, &row, err); st == STATUS_OK && row; st = sql_step(stmt, &row, err)) {
        struct lane *lane = &turn->lanes[turn->n_lanes];
        *lane = (struct lane){.id = sql_col_int(stmt, 0),
                              .expires_ms = sql_col_int(stmt, 1),
                              .domain = span_dup(span_str(sql_col_str(stmt, 2)))};
        if (!lane->domain) {
            st = error_set(err, STATUS_TEMPORARY, "out of memory for what is due");
            break;
        }
        turn->n_lanes++;
    }
    sql_reset(stmt);
    return st;
}

/* SENDER is owned from here on. */
static enum status add_turn(struct claim *c, char *sender, struct error *err)
{
    struct turn *turn = &c->turns[c->n_turns++];
    *turn = (struct turn){.sender = sender};
    /* Those of a sender over its share, however many they are, are not even looked at. */
    if (shares_allow(&c->shares, "", sender))
        return load_lanes(c, turn, err);
    turn->over = true;
    return STATUS_OK;
}

/* One copy of the sender, from the lane behind the one that was served last. */
static enum status serve_turn(struct claim *c, struct turn *turn, struct error *err)
{
    enum status st = STATUS_OK;
    enum lane_yield yield = LANE_WAITS;

    for (size_t i = 0; st == STATUS_OK && yield != LANE_SERVED && i < turn->n_lanes; i++) {
        struct lane *lane = &turn->lanes[turn->next++ % turn->n_lanes];
        if (lane->over)
            continue;
        yield = LANE_WAITS;
        if (shares_allow(&c->shares, lane->domain, turn->sender))
            st = lane_serve(c, turn->sender, lane, &yield, err);
        lane->over = yield != LANE_SERVED;
        if (yield == LANE_ASIDE && ++turn->n_aside == LANES_MAX)
            c->set_aside_all = true;
    }
    turn->over = yield != LANE_SERVED;
    return st;
}

static bool is_open(const struct claim *c)
{
    return c->shares.copies < c->shares.window;
}

/* A copy of each sender, then the next of each. *LAST_OUT: who was served last, of TURNS; else as it was. */
static enum status serve_turns(struct claim *c, const char **last_out, struct error *err)
{
    enum status st = STATUS_OK;

    for (bool going = true; st == STATUS_OK && going && is_open(c);) {
        going = false;
        for (size_t i = 0; st == STATUS_OK && i < c->n_turns && is_open(c); i++) {
            struct turn *turn = &c->turns[i];
            if (turn->over)
                continue;
            st = serve_turn(c, turn, err);
            going = true;
            if (!turn->over)
                *last_out = turn->sender;
        }
    }
    return st;
}

/* ---- the round of senders ---- */

static void set_text(char **text, const char *to)
{
    char *copy = to ? strdup(to) : NULL;

    free(*text);
    *text = copy; /* NULL also for want of memory: from the first again */
}

static void begin_round(const struct claim *c, struct lease_cursor *cursor)
{
    set_text(&cursor->end, cursor->sender);
    if (!cursor->end)
        set_text(&cursor->sender, NULL);
    cursor->wrapped = false;
    cursor->again = false;
    cursor->since_ms = c->now_ms;
}

/* The next sender of the round; NULL: it is over. */
static enum status step(const struct claim *c, struct lease_cursor *cursor, char **sender_out,
                        struct error *err)
{
    enum status st = next_sender(c, cursor->sender, sender_out, err);

    if (st == STATUS_OK && !*sender_out && !cursor->wrapped && cursor->end) {
        cursor->wrapped = true;
        st = next_sender(c, NULL, sender_out, err);
    }
    if (st == STATUS_OK && *sender_out && cursor->wrapped && strcmp(*sender_out, cursor->end) > 0) {
        free(*sender_out);
        *sender_out = NULL;
    }
    return st;
}

/* As many of the next senders as there is room for. */
static enum status gather(struct claim *c, struct lease_cursor *cursor, bool *over_out, struct error *err)
{
    int64_t room = c->shares.window - c->shares.copies;
    enum status st = STATUS_OK;

    while (st == STATUS_OK && c->n_turns < SENDERS_AT_ONCE && (int64_t)c->n_turns < room) {
        char *sender;
        st = step(c, cursor, &sender, err);
        *over_out = st == STATUS_OK && !sender;
        if (st != STATUS_OK || *over_out)
            break;
        set_text(&cursor->sender, sender);
        st = add_turn(c, sender, err);
        if (st == STATUS_OK && !cursor->sender)
            st = error_set(err, STATUS_TEMPORARY, "out of memory for what is due");
    }
    return st;
}

/* A round would find nothing when no lane is due. */
static enum status ask_due(const struct claim *c, bool *due_out, struct error *err)
{
    int64_t due = 0;
    enum status st =
        rows_ask(c->sql, "SELECT 1 FROM lane WHERE due_ms <= ?1 LIMIT 1", &c->now_ms, 1, &due, err);
    *due_out = due != 0;
    return st;
}

/*
 * A part of a round. While there is room all that a sender has is leased when it is its turn, so one round is
 * enough, and one that finds nothing that may be leased ends too.
 */
static enum status serve_all(struct claim *c, struct lease_cursor *cursor, struct error *err)
{
    bool over = false;
    bool due = true;
    size_t n = 0;
    enum status st = ask_due(c, &due, err);

    if (!cursor->more)
        begin_round(c, cursor);
    while (st == STATUS_OK && due && is_open(c) && !over && n < SENDERS_MAX) {
        const char *last = NULL;
        st = gather(c, cursor, &over, err);
        n += c->n_turns;
        if (st == STATUS_OK)
            st = serve_turns(c, &last, err);
        if (last && !is_open(c))
            set_text(&cursor->sender, last);
        forget_turns(c);
        if (st == STATUS_OK)
            st = ask_due(c, &due, err);
    }
    cursor->again = cursor->again || c->set_aside_all;
    cursor->more = st == STATUS_OK && due && is_open(c) && (!over || cursor->again);
    if (over && cursor->more)
        begin_round(c, cursor);
    return st;
}

/* ---- what the administrator asked for ---- */

/* Lanes with a message that is to be tried now (`queue retry`), as turns of one lane each. */
static enum status load_hastened(struct claim *c, struct error *err)
{
    struct sql_stmt *stmt;
    bool row = false;
    enum status st = sql_prepare(
        c->sql, "SELECT id, expires_ms, domain, sender FROM lane WHERE due_ms = 0 LIMIT ?1", &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_int(stmt, 1, SENDERS_AT_ONCE);
    for (st = sql_step(stmt, &row, err); st == STATUS_OK && row; st = sql_step(stmt, &row, err)) {
        struct turn *turn = &c->turns[c->n_turns++];
        *turn = (struct turn){.sender = span_dup(span_str(sql_col_str(stmt, 3))), .n_lanes = 1};
        turn->lanes[0] = (struct lane){.id = sql_col_int(stmt, 0),
                                       .expires_ms = sql_col_int(stmt, 1),
                                       .domain = span_dup(span_str(sql_col_str(stmt, 2)))};
        if (!turn->sender || !turn->lanes[0].domain) {
            st = error_set(err, STATUS_TEMPORARY, "out of memory for what is due");
            break;
        }
    }
    sql_reset(stmt);
    return st;
}

/* It goes before anybody's turn, for it is to be the probe of its destination; a copy of each lane, then the
 * lane is as any other. */
static enum status serve_hastened(struct claim *c, struct error *err)
{
    enum status st = load_hastened(c, err);

    for (size_t i = 0; st == STATUS_OK && i < c->n_turns && is_open(c); i++) {
        const struct turn *turn = &c->turns[i];
        enum lane_yield yield;
        st = rows_run(c->sql, "UPDATE lane SET due_ms = 1 WHERE id = ?1", &turn->lanes[0].id, 1, err);
        if (st == STATUS_OK)
            st = lane_serve(c, turn->sender, &turn->lanes[0], &yield, err);
    }
    forget_turns(c);
    return st;
}

static enum status claim(struct claim *c, int64_t window, struct lease_cursor *cursor, struct error *err)
{
    c->turns = calloc(SENDERS_AT_ONCE, sizeof *c->turns);
    if (!c->turns)
        return error_set(err, STATUS_TEMPORARY, "out of memory for leases");
    enum status st = shares_load(c->sql, c->instance, window, &c->shares, err);
    if (st == STATUS_OK)
        st = serve_hastened(c, err);
    if (st == STATUS_OK)
        st = serve_all(c, cursor, err);
    forget_turns(c);
    free(c->turns);
    shares_free(&c->shares);
    return st;
}

enum status lease_claim(struct sql *sql, const struct queue_settings *settings, const char *instance,
                        int64_t window, int64_t now_ms, struct lease_cursor *cursor, struct row_ids *ids,
                        struct error *err)
{
    struct claim c = {.sql = sql, .settings = settings, .instance = instance, .now_ms = now_ms, .ids = ids};
    enum status st = claim(&c, window, cursor, err);

    if (st != STATUS_OK)
        cursor->more = false;
    return st;
}

void lease_cursor_free(struct lease_cursor *cursor)
{
    free(cursor->sender);
    free(cursor->end);
    *cursor = (struct lease_cursor){0};
}

enum status lease_next_due(struct sql *sql, int64_t now_ms, int64_t *next_ms_out, struct error *err)
{
    return rows_ask(sql, "SELECT MIN(due_ms) FROM lane WHERE due_ms > ?1", &now_ms, 1, next_ms_out, err);
}
