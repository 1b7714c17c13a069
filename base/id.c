#include "base/id.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"

#define TIME_DIGITS 9
#define RANDOM_DIGITS (ID_SIZE - 1 - TIME_DIGITS)

static const char alphabet[] = "0123456789abcdefghijklmnopqrstuv";

static void put_digits(char *out, int n, uint64_t value)
{
    for (int i = n - 1; i >= 0; i--) {
        out[i] = alphabet[value & 31];
        value >>= 5;
    }
}

void id_make(char out[ID_SIZE])
{
    uint64_t noise = 0;
    /* getrandom() of 8 bytes cannot fail or be short once the kernel's pool is up (getrandom(2)). */
    if (getrandom(&noise, sizeof noise, 0) != (ssize_t)sizeof noise)
        abort();
    put_digits(out, TIME_DIGITS, (uint64_t)clock_wall_ms());
    put_digits(out + TIME_DIGITS, RANDOM_DIGITS, noise);
    out[ID_SIZE - 1] = '\0';
}

bool id_is_valid(const char *s)
{
    return strlen(s) == ID_SIZE - 1 && strspn(s, alphabet) == ID_SIZE - 1;
}
