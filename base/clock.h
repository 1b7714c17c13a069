/* Time: wall clock for what people read, monotonic for what we measure. */
#ifndef SEALGATE_BASE_CLOCK_H
#define SEALGATE_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* Milliseconds since 1970-01-01 UTC. */
int64_t clock_wall_ms(void);

/* Milliseconds of a clock that never jumps. */
int64_t clock_mono_ms(void);

/* "2026-11-22T09:10:11Z" (20 characters and NUL). */
#define CLOCK_ISO_SIZE 21
void clock_iso(int64_t wall_ms, char out[CLOCK_ISO_SIZE]);

/* RFC 5322 §3.3 date-time in UTC: "Sun, 22 Nov 2026 09:10:11 +0000". */
#define CLOCK_RFC5322_SIZE 40
void clock_rfc5322(int64_t wall_ms, char out[CLOCK_RFC5322_SIZE]);

#endif
