/* How much may be sent: several limits may apply, all must allow. */
#include <stdio.h>
#include <string.h>

#include "gateway/guard/guard_private.h"
#include "gateway/guard/words.h"
#include "gateway/policy/pattern.h"

struct limit {
    enum kind kind;
    char name[NAME_SIZE];
    const char *shown;
    struct guard_rate rate;
};

/* The sender's and the address's. */
#define LIMITS_MAX 2

/* The first account that matches counts; what it does not say is as for every user. */
static struct guard_rate rate_of_user(const struct guard_settings *settings, const char *user, bool recipient)
{
    struct guard_rate everybody = recipient ? settings->user_recipients : settings->user_messages;
    for (size_t i = 0; i < settings->n_accounts; i++) {
        const struct guard_account *account = &settings->accounts[i];
        if (!pattern_matches(account->pattern, user))
            continue;
        struct guard_rate own = recipient ? account->recipients : account->messages;
        return own.count > 0 ? own : everybody;
    }
    return everybody;
}

static struct guard_rate rate_of_client(const struct guard_settings *settings, const char *client,
                                        bool recipient)
{
    for (size_t i = 0; i < settings->n_clients; i++)
        if (strcmp(settings->clients[i].name, client) == 0)
            return recipient ? settings->clients[i].recipients : settings->clients[i].messages;
    return (struct guard_rate){0};
}

static size_t add_limit(struct limit limits[LIMITS_MAX], size_t n, enum kind kind, const char *name,
                        struct guard_rate rate)
{
    if (!name || rate.count <= 0)
        return n;
    limits[n] = (struct limit){.kind = kind, .shown = name, .rate = rate};
    name_for_kind(kind, name, limits[n].name);
    return n + 1;
}

static bool is_over(struct guard *guard, const struct limit *limit, bool recipient, int64_t now,
                    char text_out[200])
{
    char window[WORDS_SIZE], wait[WORDS_SIZE], shown[64];
    struct row *row = rows_find(guard, limit->kind, limit->name, now);
    if (!row)
        return false;
    window_move(&row->window, limit->rate.window_ms, now);
    if (window_sum(&row->window) < limit->rate.count)
        return false;
    words_window(limit->rate.window_ms, window);
    words_wait(window_free_at(&row->window, limit->rate.count) - now, wait);
    words_plain(limit->shown, shown, sizeof shown);
    bool one = limit->rate.count == 1;
    const char *what = recipient ? one ? "recipient" : "recipients" : one ? "message" : "messages";
    snprintf(text_out, 200, "%lld %s in %s %s the limit for %s: try again in %s",
             (long long)limit->rate.count, what, window, one ? "is" : "are", shown, wait);
    return true;
}

/* False: out of memory; then nothing may pass uncounted. */
static bool count(struct guard *guard, const struct limit *limit, int64_t now)
{
    struct row *row = rows_get(guard, limit->kind, limit->name, now);
    if (!row)
        return false;
    window_move(&row->window, limit->rate.window_ms, now);
    window_add(&row->window);
    rows_touch(guard, row, now);
    return true;
}

bool guard_may_send(struct guard *guard, bool recipient, const char *user, const char *client,
                    const char *address, int64_t now, char text_out[200])
{
    const struct guard_settings *settings = guard->settings;
    struct limit limits[LIMITS_MAX];
    size_t n = 0;
    if (user)
        n = add_limit(limits, n, recipient ? KIND_USER_RECIPIENTS : KIND_USER_MESSAGES, user,
                      rate_of_user(settings, user, recipient));
    else if (client)
        n = add_limit(limits, n, recipient ? KIND_CLIENT_RECIPIENTS : KIND_CLIENT_MESSAGES, client,
                      rate_of_client(settings, client, recipient));
    n = add_limit(limits, n, recipient ? KIND_ADDRESS_RECIPIENTS : KIND_ADDRESS_MESSAGES, address,
                  recipient ? settings->address_recipients : settings->address_messages);
    text_out[0] = '\0';
    for (size_t i = 0; i < n; i++)
        if (is_over(guard, &limits[i], recipient, now, text_out))
            return false;
    for (size_t i = 0; i < n; i++) {
        if (!count(guard, &limits[i], now)) {
            snprintf(text_out, 200, "Not possible now, try again later");
            return false;
        }
    }
    return true;
}
