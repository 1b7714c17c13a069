/* What queue does not answer for, whatever the other roles say. */
#include <strings.h>

#include "gateway/queue/store.h"

static bool in_copies(const struct queue_store *store, const char *address)
{
    for (size_t i = 0; i < store->n_copies; i++)
        for (size_t j = 0; j < store->copies[i].n_recipients; j++)
            if (strcasecmp(store->copies[i].recipients[j].address, address) == 0)
                return true;
    return false;
}

/* What is held as a notice goes out without a certificate: no mail of anybody may get there. */
static enum status check_notice(const struct queue_store *store, const struct store_copy *copy,
                                struct error *err)
{
    if (copy->state == COPY_NOTICE && store->envelope.reverse_path[0] != '\0')
        return error_set(err, STATUS_INVALID, "a notice has a reverse-path");
    return STATUS_OK;
}

static enum status check_copy(const struct store_copy *copy, size_t size, struct error *err)
{
    if (copy->n_recipients == 0)
        return error_set(err, STATUS_INVALID, "a copy has no recipient");
    if (copy->body_len == 0 || copy->body_at > size || copy->body_len > size - copy->body_at)
        return error_set(err, STATUS_INVALID, "a copy's body is empty or outside the memory file");
    if (copy->header_at > size || copy->header_len > size - copy->header_at)
        return error_set(err, STATUS_INVALID, "a copy's header is outside the memory file");
    /* Promise 4: no plaintext on disk. */
    if (copy->format <= FORMAT_CLEAR && !copy->locked)
        return error_set(err, STATUS_INVALID, "a body is neither sealed nor under the spool key");
    /* Promise 2: what was held or is returned can never be taken for what a rule sends clear. */
    if ((copy->format == FORMAT_NONE) != (copy->state != COPY_QUEUED))
        return error_set(err, STATUS_INVALID, "a %s copy is to be %s", copy_format_word(copy->format),
                         copy->state == COPY_QUEUED ? "delivered" : "held or returned");
    return STATUS_OK;
}

enum status store_check(const struct queue_store *store, struct span bodies, struct error *err)
{
    if (!id_is_valid(store->envelope.id))
        return error_set(err, STATUS_INVALID, "a message to be queued has no valid id");
    if (!store->envelope.reverse_path)
        return error_set(err, STATUS_INVALID, "a message to be queued has no reverse-path");
    if (store->n_copies == 0)
        return error_set(err, STATUS_INVALID, "a message to be queued has no copies");
    for (size_t i = 0; i < store->n_copies; i++) {
        enum status st = check_copy(&store->copies[i], bodies.len, err);
        if (st == STATUS_OK)
            st = check_notice(store, &store->copies[i], err);
        if (st != STATUS_OK)
            return st;
    }
    for (size_t i = 0; i < store->envelope.n_recipients; i++)
        if (!in_copies(store, store->envelope.recipients[i].address))
            return error_set(err, STATUS_INVALID, "recipient <%s> is in none of the copies",
                             store->envelope.recipients[i].address);
    return STATUS_OK;
}
