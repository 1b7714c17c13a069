#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "gateway/ctl/autoconfig.h"
#include "gateway/wire/domain.h"
#include "gateway/wire/path.h"

bool autoconfig_text_is_plain(const char *text)
{
    struct span rest = span_str(text);
    uint32_t c;
    while (rest.len > 0)
        if (!utf8_next(&rest, &c) || utf8_is_control(c) || c == 0xfffe || c == 0xffff)
            return false;
    return true;
}

/* True when the users of DOMAIN log in with their local part (auth domains). */
static bool has_short_users(const struct conf *conf, const char *domain)
{
    bool found = false;
    for (size_t i = 0; i < conf->auth_domains.n && !found; i++) {
        char *other = domain_to_a_labels(conf->auth_domains.items[i]);
        found = other && strcmp(other, domain) == 0;
        free(other);
    }
    return found;
}

static enum status set_names(const struct conf *conf, const struct path *path,
                             struct autoconfig_account *account, struct error *err)
{
    const char *name = conf->autoconfig_name;
    if (name && !autoconfig_text_is_plain(name))
        return error_set(err, STATUS_INVALID, "autoconfig name is not UTF-8 without control characters");
    account->short_user = has_short_users(conf, account->domain);
    account->name = strdup(name ? name : account->domain);
    bool good = account->name;
    if (path) {
        account->address = span_dup(path->address);
        account->user = span_dup(account->short_user ? path->local_part : path->address);
        good = good && account->address && account->user;
    }
    return good ? STATUS_OK : error_set(err, STATUS_TEMPORARY, "out of memory");
}

enum status autoconfig_account(const struct conf *conf, const char *whom, bool whole_domain,
                               struct autoconfig_account *account_out, struct error *err)
{
    struct path path = {.domain = span_str(whom)};
    *account_out = (struct autoconfig_account){0};
    /* By the grammar of MAIL, so that nothing is set up here that the server would refuse. */
    if (!whole_domain &&
        (!autoconfig_text_is_plain(whom) || path_parse_mailbox(span_str(whom), &path) != PATH_OK))
        return error_set(err, STATUS_INVALID, "\"%s\" is not an address that could send through this server",
                         whom);
    account_out->domain = domain_to_a_labels(path.domain.p); /* it ends where WHOM does */
    if (!account_out->domain)
        return error_set(err, STATUS_INVALID, "\"%s\" is not a domain", path.domain.p);
    return set_names(conf, whole_domain ? NULL : &path, account_out, err);
}

void autoconfig_account_free(struct autoconfig_account *account)
{
    free(account->address);
    free(account->domain);
    free(account->name);
    free(account->user);
    *account = (struct autoconfig_account){0};
}
