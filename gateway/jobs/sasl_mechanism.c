#include "gateway/jobs/sasl_mechanism.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* In the order in which they are offered: some clients take the first they know. */
static const struct {
    enum sasl_mechanism mechanism;
    const char *name;
} names[] = {
    {SASL_SCRAM_SHA_256_PLUS, "SCRAM-SHA-256-PLUS"},
    {SASL_SCRAM_SHA_256, "SCRAM-SHA-256"},
    {SASL_EXTERNAL, "EXTERNAL"},
    {SASL_PLAIN, "PLAIN"},
    {SASL_LOGIN, "LOGIN"},
};

#define N_NAMES (sizeof names / sizeof *names)

enum sasl_mechanism sasl_mechanism_find(const char *name)
{
    for (size_t i = 0; i < N_NAMES; i++)
        if (strcasecmp(name, names[i].name) == 0)
            return names[i].mechanism;
    return SASL_NO_MECHANISM;
}

const char *sasl_mechanism_name(enum sasl_mechanism mechanism)
{
    for (size_t i = 0; i < N_NAMES; i++)
        if (names[i].mechanism == mechanism)
            return names[i].name;
    return "";
}

unsigned sasl_mechanisms_offered(unsigned allowed, bool has_exporter, bool has_certificate)
{
    if (!has_exporter)
        allowed &= ~(unsigned)SASL_SCRAM_SHA_256_PLUS;
    if (!has_certificate)
        allowed &= ~(unsigned)SASL_EXTERNAL;
    return allowed & SASL_ALL_MECHANISMS;
}

void sasl_mechanisms_list(unsigned offered, char out[SASL_LIST_SIZE])
{
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < N_NAMES; i++)
        if (offered & names[i].mechanism)
            len +=
                (size_t)snprintf(out + len, SASL_LIST_SIZE - len, "%s%s", len > 0 ? " " : "", names[i].name);
}
