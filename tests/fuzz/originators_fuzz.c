/* Originator fields: what the strict reader takes, GMime reads alike; and neither crashes or runs away (A8).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/message/inspect.h"
#include "gateway/message/originators.h"
#include "gateway/policy/sender.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth)
{
    if (!truth)
        abort();
}

struct found {
    char *addresses[ORIGINATORS_MAX];
    size_t n;
};

static enum status collect(void *arg, const char *field, const char *address, struct error *err)
{
    (void)field, (void)err;
    struct found *found = arg;
    must(found->n < ORIGINATORS_MAX && strchr(address, '@') && !strpbrk(address, "<>\r\n"));
    found->addresses[found->n] = strdup(address);
    must(found->addresses[found->n++] != NULL);
    return STATUS_OK;
}

/* Each is an address that owns itself and, having no wildcard, itself alone. GMime turns A-labels into what
 * they stand for, also where they are none that IDNA allows. */
static bool are_plain(const struct found *found)
{
    for (size_t i = 0; i < found->n; i++)
        if (strpbrk(found->addresses[i], "*?") || strcasestr(found->addresses[i], "xn--") ||
            !sender_owns(&found->addresses[i], 1, found->addresses[i]))
            return false;
    return true;
}

/* Whom GMime sees, the strict reader must have seen, or somebody could be named unchecked. */
static void check_list(const struct found *found, const struct address_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        must(sender_owns((char *const *)found->addresses, found->n, list->items[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct found found = {.n = 0};
    struct error err;
    struct message_facts facts;
    struct span header = span_of(data, size);
    message_inspect_start();
    if (size > 4096 || memmem(data, size, "\n\r\n", 3) || memmem(data, size, "\n\n", 2))
        return 0;
    enum status st = originators_each(header, collect, &found, &err);
    must(st == STATUS_OK || st == STATUS_INVALID || st == STATUS_LIMIT);
    if (st == STATUS_OK && are_plain(&found)) {
        must(message_inspect(header, &facts, &err) == STATUS_OK);
        check_list(&found, &facts.from);
        check_list(&found, &facts.sender);
        message_facts_free(&facts);
    }
    for (size_t i = 0; i < found.n; i++)
        free(found.addresses[i]);
    return 0;
}
