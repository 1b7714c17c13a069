/* Durations for people. */
#ifndef SEALGATE_GUARD_WORDS_H
#define SEALGATE_GUARD_WORDS_H

#include <stddef.h>
#include <stdint.h>

#define WORDS_SIZE 32

/* As in the configuration: "1h", "90min", "1d", "1500ms". */
void words_window(int64_t ms, char out[WORDS_SIZE]);

/* Rounded up, so that it is not too early: "12 minutes", "1 minute", "40 seconds", "3 hours". */
void words_wait(int64_t ms, char out[WORDS_SIZE]);

/* TEXT, with "?" for all that is not printable ASCII; cut to SIZE with its NUL. */
void words_plain(const char *text, char *out, size_t size);

#endif
