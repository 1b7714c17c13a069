/* A directory as a backend: the password is right when a bind as the user's entry succeeds. */
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/net/tls.h"
#include "gateway/passwords/backend.h"
#include "gateway/passwords/ldap_session.h"
#include "gateway/passwords/ldap_template.h"

#define NAME_SPACE 4096 /* of a DN or filter with a user in it */

struct directory {
    const struct ldap_settings *settings;
    SSL_CTX *tls;
    char *name_attribute;    /* whose value is the user's name; NULL: none can be told */
    const char **attributes; /* to be read from the entry, NULL at the end */
};

/* ---- what an entry says of the user ---- */

static void write_name(struct span name, struct password_result *result)
{
    if (name.len < sizeof result->user && !memchr(name.p, '\0', name.len))
        memcpy(result->user, name.p, name.len); /* else it stays empty: no user name */
}

/* A directory takes a name in any case, with spaces around it or several for one (RFC 4518 §2.6.1): one user
 * is to have one name all the same. */
static void write_asked(const char *asked, struct password_result *result)
{
    size_t n = 0;
    for (const char *p = asked; *p && n + 1 < sizeof result->user; p++)
        if (*p != ' ' || (n > 0 && p[1] && p[1] != ' '))
            result->user[n++] = *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p;
    result->user[n] = '\0';
}

/* The value that the user gave, as the directory writes it; else its first; else as the user gave it. */
static void take_name(const struct directory *d, LDAP *ld, LDAPMessage *entry, const char *asked,
                      struct password_result *result)
{
    struct berval **values = d->name_attribute ? ldap_get_values_len(ld, entry, d->name_attribute) : NULL;
    struct span name = {0};
    for (int i = ldap_count_values_len(values) - 1; i >= 0; i--) {
        name = span_of(values[i]->bv_val, values[i]->bv_len);
        if (span_is(name, asked))
            break;
    }
    if (name.p)
        write_name(name, result);
    else
        write_asked(asked, result);
    ldap_value_free_len(values);
}

static enum status add_address(struct password_result *result, struct span address)
{
    char **items = NULL;
    char *copy = result->n_addresses < PASSWORD_ADDRESSES_MAX ? span_dup(address) : NULL;
    if (copy)
        items = reallocarray(result->addresses, result->n_addresses + 1, sizeof *items);
    if (!items) {
        free(copy);
        return STATUS_LIMIT;
    }
    result->addresses = items;
    result->addresses[result->n_addresses++] = copy;
    return STATUS_OK;
}

static enum status take_addresses(const struct directory *d, LDAP *ld, LDAPMessage *entry,
                                  struct password_result *result, struct error *err)
{
    enum status st = STATUS_OK;
    for (size_t a = 0; st == STATUS_OK && a < d->settings->n_address_attributes; a++) {
        struct berval **values = ldap_get_values_len(ld, entry, d->settings->address_attributes[a]);
        for (int i = 0; st == STATUS_OK && i < ldap_count_values_len(values); i++) {
            struct span address;
            if (ldap_value_address(span_of(values[i]->bv_val, values[i]->bv_len), &address))
                st = add_address(result, address);
        }
        ldap_value_free_len(values);
    }
    return st == STATUS_OK ? st
                           : error_set(err, STATUS_TEMPORARY, "more than %d addresses of one user",
                                       PASSWORD_ADDRESSES_MAX);
}

static enum status take_entry(const struct directory *d, struct ldap_session *session, LDAPMessage *found,
                              const char *asked, struct password_result *result, struct error *err)
{
    LDAPMessage *entry = ldap_first_entry(session->ld, found);
    if (!entry)
        return error_set(err, STATUS_TEMPORARY, "an entry that cannot be read");
    take_name(d, session->ld, entry, asked, result);
    return take_addresses(d, session->ld, entry, result, err);
}

/* ---- user-dn ---- */

/* As the user, who may not be allowed to read that; only addresses cannot be done without. */
static enum status read_own_entry(const struct directory *d, struct ldap_session *session, const char *dn,
                                  const char *asked, struct password_result *result, struct error *err)
{
    LDAPMessage *found = NULL;
    enum status st =
        ldap_session_find(session, dn, LDAP_SCOPE_BASE, "(objectClass=*)", d->attributes, &found, err);
    if (st == STATUS_OK)
        st = take_entry(d, session, found, asked, result, err);
    ldap_msgfree(found);
    if (st == STATUS_OK)
        return st;
    if (d->settings->n_address_attributes > 0)
        return error_set(err, STATUS_TEMPORARY, "the user cannot read address-attributes: %s", err->text);
    write_asked(asked, result);
    return STATUS_OK;
}

static enum status by_name(const struct directory *d, struct ldap_session *session,
                           const struct password_check *check, struct password_result *result,
                           struct error *err)
{
    struct buf dn;
    buf_init(&dn, NAME_SPACE);
    enum status st = ldap_template_fill(d->settings->user_dn, check->user, &dn, err);
    if (st == STATUS_OK && !buf_str(&dn))
        st = error_set(err, STATUS_DENIED, "no name is so long");
    if (st == STATUS_OK)
        st = ldap_session_bind(session, buf_str(&dn), check->password, err);
    if (st == STATUS_OK)
        st = read_own_entry(d, session, buf_str(&dn), check->user, result, err);
    buf_free(&dn);
    return st;
}

/* ---- base and filter ---- */

static enum status bind_as_searcher(const struct directory *d, struct ldap_session *session,
                                    struct error *err)
{
    const struct ldap_settings *s = d->settings;
    if (!s->bind_dn)
        return STATUS_OK;
    enum status st = ldap_session_bind(session, s->bind_dn, s->bind_password, err);
    if (st == STATUS_DENIED)
        st = error_set(err, STATUS_TEMPORARY, "the directory refuses the password of bind-dn");
    return st;
}

/* A bind that cannot succeed, so that a user who is not there takes as many steps as one who is (A19). */
static void bind_as_nobody(const struct directory *d, struct ldap_session *session, const char *password)
{
    struct buf dn;
    struct error err;
    buf_init(&dn, NAME_SPACE);
    buf_printf(&dn, "cn=sealgate-nobody%s%s", *d->settings->base ? "," : "", d->settings->base);
    if (buf_str(&dn))
        (void)(ldap_session_bind(session, buf_str(&dn), password, &err) == STATUS_OK);
    buf_free(&dn);
}

static enum status bind_as_found(const struct directory *d, struct ldap_session *session, LDAPMessage *found,
                                 const struct password_check *check, struct password_result *result,
                                 struct error *err)
{
    enum status st = take_entry(d, session, found, check->user, result, err);
    if (st != STATUS_OK)
        return st;
    char *dn = ldap_get_dn(session->ld, ldap_first_entry(session->ld, found));
    if (!dn)
        return error_set(err, STATUS_TEMPORARY, "an entry without name");
    st = ldap_session_bind(session, dn, check->password, err);
    ldap_memfree(dn);
    return st == STATUS_INVALID ? error_set(err, STATUS_TEMPORARY, "an entry with an empty name") : st;
}

static enum status by_search(const struct directory *d, struct ldap_session *session,
                             const struct password_check *check, struct password_result *result,
                             struct error *err)
{
    struct buf filter;
    LDAPMessage *found = NULL;
    buf_init(&filter, NAME_SPACE);
    enum status st = ldap_template_fill(d->settings->filter, check->user, &filter, err);
    if (st == STATUS_OK && !buf_str(&filter))
        st = error_set(err, STATUS_DENIED, "no name is so long");
    if (st == STATUS_OK)
        st = bind_as_searcher(d, session, err);
    if (st == STATUS_OK)
        st = ldap_session_find(session, d->settings->base, LDAP_SCOPE_SUBTREE, buf_str(&filter),
                               d->attributes, &found, err);
    if (st == STATUS_OK) {
        st = bind_as_found(d, session, found, check, result, err);
    } else if (st == STATUS_NOT_FOUND) {
        bind_as_nobody(d, session, check->password);
        st = STATUS_DENIED;
    }
    ldap_msgfree(found);
    buf_free(&filter);
    return st;
}

/* ---- the backend ---- */

static void check(void *state, const struct password_check *check, struct password_result *result)
{
    const struct directory *d = state;
    struct ldap_session session;
    struct error err = {0};
    enum status st = ldap_session_open(d->settings, d->tls, &session, &err);
    if (st == STATUS_OK)
        st = d->settings->user_dn ? by_name(d, &session, check, result, &err)
                                  : by_search(d, &session, check, result, &err);
    ldap_session_close(&session);
    if (st == STATUS_OK) {
        result->verdict = PASSWORD_OK;
    } else if (st == STATUS_DENIED) {
        password_result_free(result);
        result->verdict = PASSWORD_WRONG;
    } else {
        backend_unavailable(result, "%s: %s", d->settings->url, err.text);
    }
}

static void close_directory(void *state)
{
    struct directory *d = state;
    SSL_CTX_free(d->tls);
    free(d->name_attribute);
    free(d->attributes);
    free(d);
}

static bool choose_attributes(struct directory *d)
{
    const struct ldap_settings *s = d->settings;
    struct span name = ldap_template_attribute(s->user_dn ? s->user_dn : s->filter);
    size_t n = 0;
    d->attributes = calloc(s->n_address_attributes + 2, sizeof *d->attributes);
    d->name_attribute = name.len ? span_dup(name) : NULL;
    if (!d->attributes || (name.len && !d->name_attribute))
        return false;
    for (size_t i = 0; i < s->n_address_attributes; i++)
        d->attributes[n++] = s->address_attributes[i];
    d->attributes[n] = d->name_attribute ? d->name_attribute : n == 0 ? LDAP_NO_ATTRS : NULL;
    return true;
}

enum status backend_ldap_open(const struct ldap_settings *settings, struct backend *backend_out,
                              struct error *err)
{
    const struct tls_client_settings tls = {.ca_path = settings->ca_path};
    setenv("LDAPNOINIT", "1", 1); /* no ldap.conf(5) has a say here */
    enum status st = ldap_settings_check(settings, err);
    if (st != STATUS_OK)
        return st;
    struct directory *d = calloc(1, sizeof *d);
    if (!d)
        return error_set(err, STATUS_TEMPORARY, "out of memory for LDAP");
    d->settings = settings;
    st = tls_client_context(&tls, &d->tls, err);
    if (st == STATUS_OK && !choose_attributes(d))
        st = error_set(err, STATUS_TEMPORARY, "out of memory for LDAP");
    if (st != STATUS_OK)
        close_directory(d);
    *backend_out = (struct backend){.state = d, .check = check, .close = close_directory};
    return st;
}
