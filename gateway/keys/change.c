/* The key verbs of sealctl that change something. */
#include <stdio.h>
#include <string.h>

#include "gateway/jobs/control_job.h"
#include "gateway/keys/verbs.h"

#define SOURCE_BY_HAND "local"
#define WARNING_SIZE 1400

enum status keys_read_text(json_t *request, const char *key, const char **text_out, struct error *err)
{
    *text_out = json_string_value(json_object_get(request, key));
    return *text_out ? STATUS_OK : error_set(err, STATUS_INVALID, "the request has no text \"%s\"", key);
}

void keys_log_change(const struct keys_role *role, const char *event, const struct certificate *c)
{
    struct log_line line;

    log_start(&line, role->settings->log, LOG_LEVEL_NOTICE, event);
    log_str(&line, "format", certificate_format_word(c->format));
    log_str(&line, "fingerprint", c->fingerprint);
    log_str(&line, "addresses", c->addresses);
    log_str(&line, "domains", c->domains);
    log_str(&line, "source", c->source);
    log_str(&line, "usable", c->usable ? "yes" : "no");
    log_str(&line, "reason", c->usable ? NULL : c->reason);
    log_end(&line);
}

/* ---- adding ---- */

/*
 * A15: another certificate for somebody whose certificate is pinned. It is kept, and not used while that one
 * can be.
 */
static void log_pin(const struct keys_role *role, const struct certificate *added,
                    const struct certificate *pinned)
{
    struct log_line line;

    log_start(&line, role->settings->log, LOG_LEVEL_WARNING, "key-behind-pinned");
    log_str(&line, "fingerprint", added->fingerprint);
    log_str(&line, "addresses", added->addresses);
    log_str(&line, "domains", added->domains);
    log_str(&line, "pinned", pinned->fingerprint);
    log_str(&line, "pinned_usable", pinned->usable ? "yes" : "no");
    log_end(&line);
}

static json_t *pin_warning(const struct certificate *added, const struct certificate *pinned)
{
    char text[WARNING_SIZE];

    snprintf(text, sizeof text, "%s (%.500s%s%.500s) is pinned and %s; %s does not replace it",
             pinned->fingerprint, pinned->addresses, pinned->domains ? "; all of " : "",
             pinned->domains ? pinned->domains : "", pinned->usable ? "stays in use" : "cannot be used now",
             added->fingerprint);
    return control_text(text);
}

static enum status tell_pins(struct keys_role *role, const struct certificate *added, json_t *warnings,
                             struct error *err)
{
    struct certificate_list pinned;
    enum status st = keystore_pinned_before(role->keystore, added->fingerprint, &pinned, err);

    for (size_t i = 0; st == STATUS_OK && i < pinned.n; i++) {
        log_pin(role, added, &pinned.items[i]);
        json_array_append_new(warnings, pin_warning(added, &pinned.items[i]));
    }
    certificate_list_free(&pinned);
    return st;
}

static enum status tell_added(struct keys_role *role, struct verb_answer *answer, struct error *err)
{
    json_t *warnings = json_array();
    enum status st = STATUS_OK;

    for (size_t i = 0; i < answer->list.n; i++)
        keys_log_change(role, "key-added", &answer->list.items[i]);
    for (size_t i = 0; st == STATUS_OK && i < answer->list.n; i++)
        st = tell_pins(role, &answer->list.items[i], warnings, err);
    answer->more = json_pack("{s:o}", "warnings", warnings);
    return st == STATUS_OK ? st : error_prefix(err, "added, but the pinned certificates could not be read");
}

/* Texts that may be left out. */
static enum status read_option(json_t *request, const char *key, const char **text, struct error *err)
{
    return json_object_get(request, key) ? keys_read_text(request, key, text, err) : STATUS_OK;
}

enum status keys_add(struct keys_role *role, json_t *request, struct verb_answer *answer, struct error *err)
{
    const char *data, *source = SOURCE_BY_HAND, *domain = NULL;
    struct buf file;
    enum status st = keys_read_text(request, "data", &data, err);

    if (st == STATUS_OK)
        st = read_option(request, "source", &source, err);
    if (st == STATUS_OK)
        st = read_option(request, "domain", &domain, err);
    if (st != STATUS_OK)
        return st;
    buf_init(&file, CONTROL_REQUEST_MAX);
    st = keys_base64_decode(data, &file, err);
    if (st == STATUS_OK)
        st = keystore_add_for_domain(role->keystore, buf_span(&file), source, domain, &answer->list, err);
    buf_free(&file);
    return st == STATUS_OK ? tell_added(role, answer, err) : st;
}

/* ---- pins and preferences ---- */

json_t *keys_format_json(enum certificate_format format)
{
    return format ? json_string(certificate_format_word(format)) : json_null();
}

enum status keys_pin(struct keys_role *role, json_t *request, struct verb_answer *answer, struct error *err)
{
    const char *fingerprint;
    json_t *pinned = json_object_get(request, "pinned");
    enum status st = keys_read_text(request, "fingerprint", &fingerprint, err);

    if (st == STATUS_OK && !json_is_boolean(pinned))
        st = error_set(err, STATUS_INVALID, "\"pinned\" is neither true nor false");
    if (st == STATUS_OK)
        st = keystore_pin(role->keystore, fingerprint, json_is_true(pinned), &answer->list, err);
    if (st == STATUS_OK)
        keys_log_change(role, json_is_true(pinned) ? "key-pinned" : "key-unpinned", &answer->list.items[0]);
    return st;
}

static enum status read_format(const char *word, enum certificate_format *format_out, struct error *err)
{
    *format_out = 0;
    if (strcmp(word, "none") == 0)
        return STATUS_OK;
    for (enum certificate_format f = CERTIFICATE_OPENPGP; f <= CERTIFICATE_SMIME; f++)
        if (strcmp(word, certificate_format_word(f)) == 0)
            *format_out = f;
    return *format_out ? STATUS_OK
                       : error_set(err, STATUS_INVALID, "not openpgp, smime or none: %.100s", word);
}

enum status keys_prefer(struct keys_role *role, json_t *request, struct verb_answer *answer,
                        struct error *err)
{
    const char *address, *word;
    enum certificate_format format;
    struct log_line line;
    enum status st = keys_read_text(request, "address", &address, err);

    if (st == STATUS_OK)
        st = keys_read_text(request, "format", &word, err);
    if (st == STATUS_OK)
        st = read_format(word, &format, err);
    if (st == STATUS_OK)
        st = keystore_prefer(role->keystore, address, format, err);
    if (st != STATUS_OK)
        return st;
    log_start(&line, role->settings->log, LOG_LEVEL_NOTICE, "key-preferred");
    log_str(&line, "address", address);
    log_str(&line, "format", word);
    log_end(&line);
    answer->more = json_pack("{s:s, s:o}", "address", address, "preferred", keys_format_json(format));
    return STATUS_OK;
}
