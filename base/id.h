/* Queue ids: what appears in the 250 reply, in every log line and in file names. */
#ifndef SEALGATE_BASE_ID_H
#define SEALGATE_BASE_ID_H

#include <stdbool.h>

/* 20 characters [0-9a-v] and NUL: 9 of time (sorts by age), 11 random (55 bits). */
#define ID_SIZE 21

void id_make(char out[ID_SIZE]);

/* Exactly the form above; anything else (../, NUL, %2f) is false (A24). */
bool id_is_valid(const char *s);

#endif
