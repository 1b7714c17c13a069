#include "gateway/message/originators.h"

#include <stdlib.h>

#include "gateway/message/mailbox.h"

static const struct kind {
    const char *name;
    const char *letters; /* as header_line_passes_for wants them */
} kinds[] = {
    {"From", "From"}, {"Sender", "Sender"}, {"Resent-From", "ResentFrom"}, {"Resent-Sender", "ResentSender"}};
#define KINDS (sizeof kinds / sizeof kinds[0])

struct walk {
    originator_fn *each;
    void *arg;
    const char *field;
    unsigned n;        /* mailboxes so far */
    unsigned in_field; /* of them in this field */
};

static enum status take(void *arg, struct span address, struct error *err)
{
    struct walk *walk = arg;
    if (walk->n >= ORIGINATORS_MAX)
        return error_set(err, STATUS_LIMIT, "more than %d addresses in From, Sender and their like",
                         ORIGINATORS_MAX);
    walk->n++;
    walk->in_field++;
    char *copy = span_dup(address);
    if (!copy)
        return error_set(err, STATUS_TEMPORARY, "out of memory for an address");
    enum status st = walk->each(walk->arg, walk->field, copy, err);
    free(copy);
    return st;
}

/* An error of EACH is passed on as it is; one in the writing of the field names the field. */
static enum status read_field(struct walk *walk, const struct header_field *field, struct error *err)
{
    walk->in_field = 0;
    struct error why;
    enum status st = mailboxes_each(field->value, take, walk, &why);
    if (st == STATUS_INVALID)
        return error_set(err, st,
                         "the %s field is not one that every mail program reads alike (RFC 5322): %s",
                         walk->field, why.text);
    if (st != STATUS_OK) {
        *err = why;
        return st;
    }
    if (walk->in_field == 0)
        return error_set(err, STATUS_INVALID, "the %s field names nobody", walk->field);
    return STATUS_OK;
}

static const struct kind *kind_of(struct span name)
{
    for (size_t i = 0; i < KINDS; i++)
        if (span_is(name, kinds[i].name))
            return &kinds[i];
    return NULL;
}

static enum status check_disguise(struct span raw, struct error *err)
{
    for (size_t i = 0; i < KINDS; i++)
        if (header_line_passes_for(raw, kinds[i].letters))
            return error_set(err, STATUS_INVALID,
                             "a line of the header is no field, but could be taken for %s", kinds[i].name);
    return STATUS_OK;
}

enum status originators_each(struct span header, originator_fn *each, void *arg, struct error *err)
{
    struct walk walk = {.each = each, .arg = arg};
    struct header_field field;
    bool has_from = false;
    enum status st = STATUS_OK;
    while (st == STATUS_OK && header_next(&header, &field)) {
        const struct kind *kind = kind_of(field.name);
        if (kind) {
            walk.field = kind->name;
            has_from = has_from || kind == &kinds[0];
            st = read_field(&walk, &field, err);
        } else if (field.name.len == 0) {
            st = check_disguise(field.raw, err);
        }
    }
    if (st == STATUS_OK && !has_from)
        st = error_set(err, STATUS_INVALID, "the message has no From field (RFC 5322)");
    return st;
}
