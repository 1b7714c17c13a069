/* What a delivery to a domain would find and demand, asked of DNS as a delivery asks; no mail
 * host is connected to. */
#ifndef SEALGATE_DELIVERY_SURVEY_H
#define SEALGATE_DELIVERY_SURVEY_H

#include <jansson.h>

#include "gateway/delivery/destination.h"

struct survey;

/* ANSWER (a new reference, the handler's; NULL: out of memory): see sealctl(8), tls. */
typedef void survey_done_fn(void *arg, json_t *answer);

struct survey_settings {
    struct event_base *base;
    struct resolver *resolver;
    struct sts *sts; /* NULL: policies are not looked for */
    const struct destination_settings *destinations;
};

/*
 * DOMAIN as route_domain gives it. DONE is called once, from the loop, unless cancelled. SETTINGS must
 * outlive it. NULL: out of memory (err).
 */
struct survey *survey_start(const struct survey_settings *settings, const char *domain, bool requiretls,
                            survey_done_fn *done, void *arg, struct error *err);
void survey_cancel(struct survey *survey);

#endif
