/* The verbs of sealctl that the delivery role answers: delivery.tls, delivery.status,
 * delivery.tls-report.*. */
#ifndef SEALGATE_DELIVERY_CONTROL_H
#define SEALGATE_DELIVERY_CONTROL_H

#include "gateway/delivery/survey.h"
#include "gateway/delivery/task.h"

struct delivery_control;
struct tlsrpt;

/* Answers requests at SERVICE_FD. SURVEYS (copied), TASKS and REPORTS (NULL: none are sent) must outlive it.
 * NULL: out of memory (err). */
struct delivery_control *delivery_control_start(const struct survey_settings *surveys,
                                                const struct tasks *tasks, struct tlsrpt *reports,
                                                int service_fd, struct error *err);
/* Takes no more requests; those in hand are still answered. */
void delivery_control_drain(struct delivery_control *control);
void delivery_control_stop(struct delivery_control *control);

#endif
