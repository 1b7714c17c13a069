/* Shared by the files of the auth role only. */
#ifndef SEALGATE_AUTH_ROLE_H
#define SEALGATE_AUTH_ROLE_H

#include <gsasl.h>
#include <stdbool.h>

#include "base/call.h"
#include "gateway/auth/auth.h"
#include "gateway/auth/fake_keys.h"
#include "gateway/auth/table.h"
#include "gateway/guard/guard.h"
#include "gateway/users/users_watch.h"

struct event_base;

struct auth_role {
    const struct auth_settings *settings;
    struct event_base *base;
    Gsasl *library;
    struct users_watch users; /* with settings->users_path only */
    struct fake_secret secret;
    struct guard *guard;
    struct exchange_table exchanges;
    unsigned in_hand; /* requests that are not answered yet */
    bool draining;    /* SIGTERM came: ends as soon as nothing is in hand */
};

/*
 * The handlers of the types of request (role.c). REQUEST belongs to the handler, which ends it with
 * request_free and free.
 */
void exchange_on_start(struct auth_role *role, struct request *request);
void exchange_on_step(struct auth_role *role, struct request *request);
void exchange_on_abort(struct auth_role *role, struct request *request);
void counting_on_ask(struct auth_role *role, struct request *request);
void counting_on_clear(struct auth_role *role, struct request *request);

/* The guard verbs of sealctl: a server_request_fn for the role (control.c). */
void auth_control_request(void *arg, struct request *request);

/* Ends all exchanges, without answers. */
void exchange_end_all(struct auth_role *role);

/* To be called when in_hand went down: ends the loop if it is time. */
void auth_check_end(struct auth_role *role);

#endif
