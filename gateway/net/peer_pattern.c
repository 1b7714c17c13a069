#include "gateway/net/peer_pattern.h"

#include <ctype.h>
#include <string.h>

static const char sha256[] = "sha256:";
static const char subject[] = "subject:";

/* What stands behind PREFIX; NULL: something else. */
static const char *behind(const char *pattern, const char *prefix)
{
    size_t len = strlen(prefix);
    return strncmp(pattern, prefix, len) == 0 ? pattern + len : NULL;
}

/* In the form of tls_peer; false: no fingerprint. */
static bool read_fingerprint(const char *hex, char out[TLS_PEER_FINGERPRINT_SIZE])
{
    size_t n = 0;
    for (; *hex && n < TLS_PEER_FINGERPRINT_SIZE - 1; hex++) {
        if (*hex == ':' && n > 0 && n % 2 == 0 && hex[-1] != ':')
            continue;
        if (!isxdigit((unsigned char)*hex))
            return false;
        out[n++] = (char)tolower((unsigned char)*hex);
    }
    out[n] = '\0';
    return n == TLS_PEER_FINGERPRINT_SIZE - 1 && !*hex;
}

bool peer_pattern_is_valid(const char *pattern)
{
    char fingerprint[TLS_PEER_FINGERPRINT_SIZE];
    const char *hex = behind(pattern, sha256);
    const char *name = behind(pattern, subject);
    return (hex && read_fingerprint(hex, fingerprint)) || (name && name[0]);
}

bool peer_pattern_matches(const char *pattern, const struct tls_peer *peer)
{
    char fingerprint[TLS_PEER_FINGERPRINT_SIZE];
    const char *hex = behind(pattern, sha256);
    const char *name = behind(pattern, subject);
    if (hex)
        return read_fingerprint(hex, fingerprint) && strcmp(fingerprint, peer->fingerprint) == 0;
    return name && name[0] && strcmp(name, peer->subject) == 0;
}
