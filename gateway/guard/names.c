#include <glib.h>
#include <stdio.h>

#include "gateway/guard/address.h"
#include "gateway/guard/guard_private.h"

/* Without spaces at both ends, and one for several. */
static void squeeze(const char *from, char *to, size_t size)
{
    size_t n = 0;
    for (; *from && n + 1 < size; from++)
        if (*from != ' ' || (n > 0 && to[n - 1] != ' '))
            to[n++] = *from;
    if (n > 0 && to[n - 1] == ' ')
        n--;
    to[n] = '\0';
}

/* LDAP ignores case and spaces, SASLprep (RFC 4013) maps compatibility forms: who guesses must not get a new
 * count for each spelling. GLib's mappings want valid UTF-8. */
void name_of_user(const char *user, char out[NAME_SIZE])
{
    char *valid = g_utf8_make_valid(user, -1);
    char *normal = g_utf8_normalize(valid, -1, G_NORMALIZE_ALL_COMPOSE);
    char *folded = g_utf8_casefold(normal, -1);
    squeeze(folded, out, NAME_SIZE);
    g_free(valid);
    g_free(normal);
    g_free(folded);
}

void name_for_kind(enum kind kind, const char *name, char out[NAME_SIZE])
{
    struct address address;
    address_read(name, &address);
    switch (kind) {
    case KIND_ADDRESS:
    case KIND_CLEAR:
        snprintf(out, NAME_SIZE, "%s", address.host);
        break;
    case KIND_NETWORK:
        snprintf(out, NAME_SIZE, "%s", address.network);
        break;
    case KIND_ADDRESS_MESSAGES:
    case KIND_ADDRESS_RECIPIENTS:
        snprintf(out, NAME_SIZE, "%s", address.client);
        break;
    case KIND_USER:
    case KIND_KNOWN:
    case KIND_USER_MESSAGES:
    case KIND_USER_RECIPIENTS:
        name_of_user(name, out);
        break;
    default:
        snprintf(out, NAME_SIZE, "%s", name);
    }
}
