#include "gateway/delivery/destination.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/delivery/destination_private.h"

/* So many messages in a row are not the messages' fault. */
#define CUT_OFF_MAX 3

/* A message that no connection bears does not go round for ever. */
#define PUT_BACK_MAX 3

/* Connections of all destinations together: bounds descriptors, however many domains one message names. */
#define SESSIONS_MAX 500

static bool same_string(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* Before anything is known of the host. What the mail's rule demands is the same for both, and may be more
 * for one only: it does not make them alike. */
static struct tls_demand demand_of(const struct destinations *d, const struct mail *mail, const char *domain)
{
    const struct tls_hop hop = {.domain = domain,
                                .mx_host = d->settings->route.route,
                                .fixed_route = true,
                                .requiretls = mail->requiretls,
                                .tls_optional = mail->tls_optional};
    return tls_level_decide(&d->settings->tls, &hop);
}

bool destinations_same(const struct destinations *d, const struct mail *mail, const char *a, const char *b)
{
    if (strcmp(a, b) == 0)
        return true;
    if (!route_is_fixed(d->settings->route.route))
        return false;
    /* One route for all; what TLS is demanded may still differ. */
    struct tls_demand x = demand_of(d, mail, a);
    struct tls_demand y = demand_of(d, mail, b);
    return x.level == y.level && same_string(x.match_name, y.match_name);
}

static bool same_rule(const struct tls_rule *a, const struct tls_rule *b)
{
    return a->level == b->level && (a->level == TLS_LEVEL_NONE || same_string(a->name, b->name));
}

static bool same_wishes(const struct destination *destination, const struct mail *mail)
{
    return destination->requiretls == mail->requiretls && destination->tls_optional == mail->tls_optional &&
           same_rule(&destination->rule, &mail->rule);
}

static void destination_release(struct destination *destination)
{
    free(destination->domain);
    free((void *)(uintptr_t)destination->rule.name);
    free(destination);
}

/* False: out of memory. */
static bool set_demands(struct destination *destination, const char *domain, const struct mail *mail)
{
    const char *rule = mail->rule.level == TLS_LEVEL_NONE ? NULL : mail->rule.name;
    destination->domain = strdup(domain);
    destination->requiretls = mail->requiretls;
    destination->tls_optional = mail->tls_optional;
    destination->rule = (struct tls_rule){mail->rule.level, rule ? strdup(rule) : NULL};
    return destination->domain && (!rule || destination->rule.name);
}

/* Mail whose sender or rule wishes something of TLS never shares a connection with other mail: the demands
 * differ. */
static struct destination *find(struct destinations *d, const char *domain, const struct mail *mail)
{
    struct destination *destination;
    LIST_FOREACH(destination, &d->list, link)
    if (same_wishes(destination, mail) && destinations_same(d, mail, destination->domain, domain))
        return destination;
    destination = calloc(1, sizeof *destination);
    if (!destination)
        return NULL;
    if (!set_demands(destination, domain, mail)) {
        destination_release(destination);
        return NULL;
    }
    destination->all = d;
    concurrency_init(&destination->concurrency, d->settings->per_destination);
    TAILQ_INIT(&destination->waiting);
    LIST_INIT(&destination->sessions);
    LIST_INSERT_HEAD(&d->list, destination, link);
    return destination;
}

static void destination_free(struct destination *destination)
{
    LIST_REMOVE(destination, link);
    destination_release(destination);
}

static struct session *idle_session(struct destination *destination)
{
    struct session *s;
    LIST_FOREACH(s, &destination->sessions, link)
    if (session_is_idle(s))
        return s;
    return NULL;
}

struct transaction *destination_next(struct destination *destination)
{
    struct transaction *t = TAILQ_FIRST(&destination->waiting);
    if (t)
        TAILQ_REMOVE(&destination->waiting, t, link);
    return t;
}

/* A wrong password that many connections try at once, or each message anew, locks the account. */
static bool must_wait_for_login(const struct destinations *d)
{
    return d->settings->client.credentials.user && !d->logged_in && d->n_sessions > 0;
}

/* False: no slot is free. */
static bool start_one(struct destination *destination)
{
    struct destinations *d = destination->all;
    struct session *idle = idle_session(destination);
    if (idle) {
        session_deliver(idle, destination_next(destination));
        return true;
    }
    if (destination->n_sessions >= destination->concurrency.limit || d->n_sessions >= SESSIONS_MAX ||
        must_wait_for_login(d))
        return false;
    struct transaction *t = destination_next(destination);
    struct error err;
    struct result result;
    if (!session_start(destination, t, &err)) {
        outcome_local(&result, FAILURE_CONNECTION, "4.3.0", "%s", err.text);
        transaction_give_up(t, &result);
        t->on_done(t->arg, t);
    }
    return true;
}

static void on_pump(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct destinations *d = arg;
    struct destination *destination, *next;
    for (destination = LIST_FIRST(&d->list); destination; destination = next) {
        while (!TAILQ_EMPTY(&destination->waiting) && start_one(destination))
            ;
        next = LIST_NEXT(destination, link);
        if (TAILQ_EMPTY(&destination->waiting) && LIST_EMPTY(&destination->sessions))
            destination_free(destination);
    }
}

static void pump_soon(struct destinations *d)
{
    event_active(d->pump, EV_TIMEOUT, 0);
}

enum status destinations_submit(struct destinations *d, const char *domain, struct transaction *t,
                                struct error *err)
{
    struct destination *destination = find(d, domain, t->mail);
    if (!destination)
        return error_set(err, STATUS_TEMPORARY, "out of memory for a destination");
    TAILQ_INSERT_TAIL(&destination->waiting, t, link);
    pump_soon(d);
    return STATUS_OK;
}

void destination_session_ended(struct session *s)
{
    struct destination *destination = s->destination;
    LIST_REMOVE(s, link);
    destination->n_sessions--;
    destination->all->n_sessions--;
    pump_soon(destination->all);
}

/* Sessions beside the one that failed and is about to end: at work, or still looking for a host. */
static unsigned count_others(const struct destination *destination)
{
    return destination->n_sessions - 1;
}

void destination_succeeded(struct destination *destination)
{
    destination->cut_off = 0;
    concurrency_succeeded(&destination->concurrency);
}

bool destination_put_back(struct destination *destination, struct transaction *t)
{
    unsigned others = count_others(destination);
    concurrency_failed(&destination->concurrency, others);
    if (others == 0 || destination->all->draining || t->put_back == PUT_BACK_MAX)
        return false;
    t->put_back++;
    TAILQ_INSERT_HEAD(&destination->waiting, t, link);
    return true;
}

static void fail_waiting(struct destination *destination, const struct result *why)
{
    struct transaction_list waiting;
    TAILQ_INIT(&waiting);
    TAILQ_CONCAT(&waiting, &destination->waiting, link);
    struct transaction *t;
    while ((t = TAILQ_FIRST(&waiting))) {
        TAILQ_REMOVE(&waiting, t, link);
        transaction_give_up(t, why);
        t->on_done(t->arg, t);
    }
}

void destination_unreachable(struct destination *destination, const struct result *why)
{
    if (count_others(destination) == 0) /* else it is for the last one to say so */
        fail_waiting(destination, why);
}

void destination_cut_off(struct destination *destination, const struct result *why)
{
    if (++destination->cut_off >= CUT_OFF_MAX)
        destination_unreachable(destination, why);
}

void destinations_host_is_ready(struct destinations *d)
{
    if (!d->logged_in)
        pump_soon(d);
    d->logged_in = true;
}

void destinations_login_refused(struct destinations *d, const struct result *why)
{
    struct destination *destination;
    struct log_line line;
    log_start(&line, d->settings->log, LOG_LEVEL_ERROR, "login-refused");
    log_str(&line, "login", d->settings->client.credentials.user);
    log_str(&line, "reply", why->text);
    log_str(
        &line, "next",
        "set delivery user and password-file right and reload, then sealctl queue retry all; until then one "
        "message asks at each retry");
    log_end(&line);
    d->logged_in = false;
    LIST_FOREACH(destination, &d->list, link)
    fail_waiting(destination, why);
}

void destinations_drain(struct destinations *d)
{
    struct destination *destination;
    struct transaction *t;
    d->draining = true;
    LIST_FOREACH(destination, &d->list, link)
    {
        while ((t = destination_next(destination))) {
            transaction_abandon(t);
            t->on_done(t->arg, t);
        }
        struct session *s;
        while ((s = idle_session(destination)))
            session_end(s);
    }
}

struct destinations *destinations_new(struct event_base *base, struct resolver *resolver, struct sts *sts,
                                      const struct destination_settings *settings, struct error *err)
{
    struct destinations *d = calloc(1, sizeof *d);
    if (d)
        d->pump = event_new(base, -1, 0, on_pump, d);
    if (!d || !d->pump) {
        free(d);
        error_set(err, STATUS_TEMPORARY, "out of memory for destinations");
        return NULL;
    }
    d->base = base;
    d->resolver = resolver;
    d->sts = sts;
    d->settings = settings;
    LIST_INIT(&d->list);
    return d;
}

void destinations_free(struct destinations *d)
{
    struct destination *destination;
    while ((destination = LIST_FIRST(&d->list))) {
        while (!LIST_EMPTY(&destination->sessions))
            session_end(LIST_FIRST(&destination->sessions));
        struct transaction *t;
        while ((t = destination_next(destination)))
            transaction_free(t);
        destination_free(destination);
    }
    event_free(d->pump);
    free(d);
}
