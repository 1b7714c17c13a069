#include "gateway/policy/certificate_pattern.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

#define DIGITS 64

static const char *behind(const char *pattern, const char *kind)
{
    size_t len = strlen(kind);
    return strncmp(pattern, kind, len) == 0 ? pattern + len : NULL;
}

/* As certificates are compared: lower case, no colons. False: no fingerprint. */
static bool fingerprint_of(const char *hex, char out[DIGITS + 1])
{
    size_t n = 0;
    for (; *hex; hex++) {
        if (*hex == ':' && n > 0 && n % 2 == 0)
            continue;
        if (n == DIGITS || !isxdigit((unsigned char)*hex))
            return false;
        out[n++] = (char)tolower((unsigned char)*hex);
    }
    out[n] = '\0';
    return n == DIGITS;
}

bool certificate_pattern_is_valid(const char *pattern)
{
    char fingerprint[DIGITS + 1];
    const char *hex = behind(pattern, "sha256:"), *subject = behind(pattern, "subject:");
    return hex ? fingerprint_of(hex, fingerprint) : subject && *subject;
}

bool certificate_pattern_matches(const char *pattern, const char *sha256, const char *subject)
{
    char fingerprint[DIGITS + 1];
    const char *hex = behind(pattern, "sha256:"), *name = behind(pattern, "subject:");
    if (hex)
        return sha256 && fingerprint_of(hex, fingerprint) && strcmp(fingerprint, sha256) == 0;
    return name && *name && subject && strcmp(name, subject) == 0;
}
