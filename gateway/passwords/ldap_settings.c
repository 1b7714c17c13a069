#include "gateway/passwords/ldap_settings.h"

#include <errno.h>
#include <ldap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/net/tls.h"
#include "gateway/passwords/ldap_template.h"

static enum status check_url(const struct ldap_settings *s, struct error *err)
{
    LDAPURLDesc *url = NULL;
    enum status st = STATUS_OK;
    if (strpbrk(s->url, " ,?") || ldap_url_parse(s->url, &url) != LDAP_SUCCESS || !url->lud_host ||
        !*url->lud_host || (url->lud_dn && *url->lud_dn) ||
        (strcmp(url->lud_scheme, "ldap") != 0 && strcmp(url->lud_scheme, "ldaps") != 0))
        st = error_set(err, STATUS_INVALID,
                       "url: \"%s\" is neither ldaps://HOST[:PORT] nor ldap://HOST[:PORT]", s->url);
    else if (strcmp(url->lud_scheme, "ldap") == 0 && !s->start_tls)
        st = error_set(
            err, STATUS_INVALID,
            "start-tls = no with %s would send passwords in clear: use ldaps:// or start-tls = yes", s->url);
    ldap_free_urldesc(url);
    return st;
}

static enum status check_dn(const char *key, const char *dn, struct error *err)
{
    LDAPDN parsed = NULL;
    int rc = ldap_str2dn(dn, &parsed, LDAP_DN_FORMAT_LDAPV3);
    if (parsed)
        ldap_dnfree(parsed);
    return rc == LDAP_SUCCESS
               ? STATUS_OK
               : error_set(err, STATUS_INVALID, "%s: \"%s\" is no distinguished name", key, dn);
}

static enum status check_template(const char *key, const char *template, struct buf *sample,
                                  struct error *err)
{
    buf_init(sample, 4096);
    enum status st = ldap_template_fill(template, "sample", sample, err);
    if (st == STATUS_OK && !buf_str(sample))
        st = error_set(err, STATUS_INVALID, "is too long");
    return st == STATUS_OK ? st : error_prefix(err, "%s", key);
}

static enum status check_user_dn(const struct ldap_settings *s, struct error *err)
{
    struct buf dn;
    enum status st = check_template("user-dn", s->user_dn, &dn, err);
    if (st == STATUS_OK)
        st = check_dn("user-dn", buf_str(&dn), err);
    buf_free(&dn);
    return st;
}

/* The library judges a filter when it packs it, before it connects; that socket is nowhere. */
static enum status check_filter(const struct ldap_settings *s, struct error *err)
{
    struct buf filter;
    LDAP *ld = NULL;
    int id, rc = LDAP_SUCCESS;
    enum status st = check_template("filter", s->filter, &filter, err);
    if (st == STATUS_OK)
        rc = ldap_initialize(&ld, "ldapi://%2Fnonexistent%2Fsealgate");
    if (st == STATUS_OK && rc == LDAP_SUCCESS)
        rc = ldap_search_ext(ld, "", LDAP_SCOPE_BASE, buf_str(&filter), NULL, 0, NULL, NULL, NULL, 0, &id);
    if (st == STATUS_OK && rc == LDAP_FILTER_ERROR)
        st = error_set(err, STATUS_INVALID, "filter: \"%s\" is no search filter (RFC 4515)", s->filter);
    if (ld)
        ldap_unbind_ext(ld, NULL, NULL);
    buf_free(&filter);
    return st;
}

static enum status check_search(const struct ldap_settings *s, struct error *err)
{
    if (!s->base || !s->filter)
        return error_set(err, STATUS_INVALID, "user-dn, or base and filter are required");
    if (s->bind_dn && !s->bind_password)
        return error_set(
            err, STATUS_INVALID,
            "bind-dn without bind-password-file would be an anonymous search: give both or neither");
    if (!s->bind_dn && s->bind_password)
        return error_set(err, STATUS_INVALID, "bind-password-file without bind-dn: give both or neither");
    enum status st = check_dn("base", s->base, err);
    if (st == STATUS_OK && s->bind_dn)
        st = check_dn("bind-dn", s->bind_dn, err);
    return st == STATUS_OK ? check_filter(s, err) : st;
}

enum status ldap_settings_check(const struct ldap_settings *s, struct error *err)
{
    enum status st = check_url(s, err);
    if (st != STATUS_OK)
        return st;
    if (!s->user_dn)
        return check_search(s, err);
    if (s->base || s->filter || s->bind_dn || s->bind_password)
        return error_set(
            err, STATUS_INVALID,
            "user-dn excludes base, filter, bind-dn and bind-password-file: nothing is searched");
    return check_user_dn(s, err);
}
