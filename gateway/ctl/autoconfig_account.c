#include <idn2.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/ctl/autoconfig.h"
#include "gateway/wire/domain.h"
#include "gateway/wire/path.h"

/* True for C0, DEL, C1 and U+FFFE, U+FFFF at the front of TEXT, which is UTF-8. */
static bool is_excluded(const unsigned char *text)
{
    if (text[0] < ' ' || text[0] == 0x7f)
        return true;
    if (text[0] == 0xc2)
        return text[1] < 0xa0;
    return text[0] == 0xef && text[1] == 0xbf && text[2] >= 0xbe;
}

bool autoconfig_text_is_plain(const char *text)
{
    json_t *utf8 = json_string(text); /* NULL for anything but well-formed UTF-8 */
    json_decref(utf8);
    for (const char *p = text; utf8 && *p; p++)
        if (is_excluded((const unsigned char *)p))
            return false;
    return utf8;
}

char *autoconfig_a_labels(const char *domain)
{
    char *ascii = NULL;
    if (idn2_to_ascii_8z(domain, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
        return NULL;
    char *copy = domain_is_valid(span_str(ascii)) ? strdup(ascii) : NULL;
    idn2_free(ascii);
    /* What is ASCII already may have kept its case. */
    for (char *c = copy; c && *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    return copy;
}

/*
 * The grammar of MAIL and RCPT, so that nothing is set up here that the server would refuse. RFC 6531 §3.3
 * lets characters beyond ASCII stand wherever a letter may: a letter stands for each of their bytes in what
 * is parsed.
 */
static bool local_part_is_valid(const char *text, size_t len)
{
    struct path path;
    char mailbox[PATH_MAX_BYTES];
    int n = snprintf(mailbox, sizeof mailbox, "%.*s@example.org", (int)len, text);
    if (n < 0 || (size_t)n >= sizeof mailbox)
        return false;
    for (char *c = mailbox; *c; c++)
        if ((unsigned char)*c > 127)
            *c = 'x';
    return path_parse_mailbox(span_str(mailbox), &path) == PATH_OK && path.local_part.len == len;
}

/* True when the users of DOMAIN log in with their local part (auth domains). */
static bool has_short_users(const struct conf *conf, const char *domain)
{
    bool found = false;
    for (size_t i = 0; i < conf->auth_domains.n && !found; i++) {
        char *other = autoconfig_a_labels(conf->auth_domains.items[i]);
        found = other && strcmp(other, domain) == 0;
        free(other);
    }
    return found;
}

static enum status set_names(const struct conf *conf, const char *whom, size_t local_len,
                             struct autoconfig_account *account, struct error *err)
{
    const char *name = conf->autoconfig_name;
    if (name && !autoconfig_text_is_plain(name))
        return error_set(err, STATUS_INVALID, "autoconfig name is not UTF-8 without control characters");
    account->short_user = has_short_users(conf, account->domain);
    account->name = strdup(name ? name : account->domain);
    if (local_len > 0) {
        account->address = strdup(whom);
        account->user = account->short_user ? strndup(whom, local_len) : strdup(whom);
    }
    if (!account->name || (local_len > 0 && (!account->address || !account->user)))
        return error_set(err, STATUS_TEMPORARY, "out of memory");
    return STATUS_OK;
}

enum status autoconfig_account(const struct conf *conf, const char *whom, bool whole_domain,
                               struct autoconfig_account *account_out, struct error *err)
{
    const char *at = whole_domain ? NULL : strrchr(whom, '@');
    size_t local_len = at ? (size_t)(at - whom) : 0;
    *account_out = (struct autoconfig_account){0};
    if (!whole_domain && (!autoconfig_text_is_plain(whom) || !at || !local_part_is_valid(whom, local_len)))
        return error_set(err, STATUS_INVALID, "\"%s\" is not an address that could send through this server",
                         whom);
    account_out->domain = autoconfig_a_labels(at ? at + 1 : whom);
    if (!account_out->domain)
        return error_set(err, STATUS_INVALID, "\"%s\" is not a domain", at ? at + 1 : whom);
    return set_names(conf, whom, local_len, account_out, err);
}

void autoconfig_account_free(struct autoconfig_account *account)
{
    free(account->address);
    free(account->domain);
    free(account->name);
    free(account->user);
    *account = (struct autoconfig_account){0};
}
