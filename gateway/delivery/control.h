/* The verbs of sealctl that the delivery role answers: delivery.tls, delivery.status. */
#ifndef SEALGATE_DELIVERY_CONTROL_H
#define SEALGATE_DELIVERY_CONTROL_H

#include "gateway/delivery/survey.h"
#include "gateway/delivery/task.h"

struct delivery_control;

/* Answers requests at SERVICE_FD. SURVEYS (copied) and TASKS must outlive it. NULL: out of memory (err). */
struct delivery_control *delivery_control_start(const struct survey_settings *surveys,
                                                const struct tasks *tasks, int service_fd, struct error *err);
/* Takes no more requests; those in hand are still answered. */
void delivery_control_drain(struct delivery_control *control);
void delivery_control_stop(struct delivery_control *control);

#endif
