/* The delivery role without its process: for delivery_run and for tests with a loop of their own. */
#ifndef SEALGATE_DELIVERY_ROLE_H
#define SEALGATE_DELIVERY_ROLE_H

#include <stdbool.h>

#include "gateway/delivery/delivery.h"

struct event_base;
struct delivery_role;

/* SETTINGS must outlive it. NULL: err. */
struct delivery_role *delivery_start(struct event_base *base, const struct delivery_settings *settings,
                                     struct error *err);
/* No new transactions; what is under way ends. */
void delivery_drain(struct delivery_role *role);
/* Nothing is under way and queue knows of all outcomes. */
bool delivery_is_settled(const struct delivery_role *role);
void delivery_stop(struct delivery_role *role);

#endif
