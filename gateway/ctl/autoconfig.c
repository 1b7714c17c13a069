/* sealctl autoconfig …: works on the configuration alone, without the gateway. */
#include "gateway/ctl/autoconfig.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "gateway/ctl/ctl.h"

#define N_FILES 3

typedef void format_fn(const struct autoconfig_site *site, const struct autoconfig_account *account,
                       struct buf *out);

/* Site and account for the verb's first argument; prints what is wrong. Free both, on failure too. */
static int prepare(struct ctl *ctl, bool whole_domain, struct autoconfig_site *site,
                   struct autoconfig_account *account)
{
    struct error err;
    *account = (struct autoconfig_account){0};
    if (autoconfig_site(&ctl->conf, site, &err) != STATUS_OK)
        return ctl_fail(EX_CONFIG, "%s", err.text);
    if (autoconfig_account(&ctl->conf, ctl->argv[0], whole_domain, account, &err) != STATUS_OK)
        return ctl_fail(EX_DATAERR, "%s", err.text);
    return EX_OK;
}

/* On standard error, so that the document can be piped on. */
static void warn(const struct autoconfig_site *site)
{
    if (!site->incoming.host)
        ctl_fail(
            EX_OK,
            "only sending is described: set \"incoming\" in autoconfig { … } for the server that mail is "
            "read from; Thunderbird and Apple's Mail take no settings without it");
    if (site->login == AUTOCONFIG_SCRAM)
        ctl_fail(EX_OK,
                 "auth mechanisms offers nothing but SCRAM, which many mail programs cannot do; \"plain\" is "
                 "as safe inside TLS");
}

static int print(struct ctl *ctl, const char *kind, struct buf *text)
{
    struct error err;
    if (buf_check(text, "the document", &err) != STATUS_OK)
        return ctl_fail(EX_SOFTWARE, "%s", err.text);
    if (ctl->json) {
        json_t *answer = json_pack("{s:b, s:s, s:s, s:s}", "ok", 1, "format", kind, "for", ctl->argv[0],
                                   "text", buf_str(text));
        json_dumpf(answer, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(answer);
    } else {
        fputs(buf_str(text), stdout);
    }
    return fflush(stdout) == 0 ? EX_OK : EX_IOERR;
}

static int show(struct ctl *ctl, const char *kind, format_fn *format)
{
    struct autoconfig_site site;
    struct autoconfig_account account;
    if (ctl->argc != 1)
        return EX_USAGE;
    int code = prepare(ctl, false, &site, &account);
    if (code == EX_OK) {
        struct buf text;
        warn(&site);
        format(&site, &account, &text);
        code = print(ctl, kind, &text);
        buf_free(&text);
    }
    autoconfig_account_free(&account);
    autoconfig_site_free(&site);
    return code;
}

static int thunderbird(struct ctl *ctl)
{
    return show(ctl, "thunderbird", autoconfig_mozilla);
}

static int outlook(struct ctl *ctl)
{
    return show(ctl, "outlook", autoconfig_outlook);
}

static int apple(struct ctl *ctl)
{
    return show(ctl, "apple", autoconfig_apple);
}

static int srv(struct ctl *ctl)
{
    return show(ctl, "srv", autoconfig_srv);
}

/* Below the root of the site of DOMAIN; the first below that of autoconfig.DOMAIN, where Thunderbird looks
 * first. */
static int write_files(const struct autoconfig_site *site, const struct autoconfig_account *account,
                       const char *folder, json_t *written)
{
    char beside[300];
    snprintf(beside, sizeof beside, "autoconfig.%s/mail/config-v1.1.xml", account->domain);
    const struct {
        const char *name;
        format_fn *format;
    } files[N_FILES] = {{beside, autoconfig_mozilla},
                        {".well-known/autoconfig/mail/config-v1.1.xml", autoconfig_mozilla},
                        {"autodiscover/autodiscover.xml", autoconfig_outlook}};
    for (size_t i = 0; i < N_FILES; i++) {
        struct buf text;
        struct error err;
        files[i].format(site, account, &text);
        enum status st = buf_check(&text, "the document", &err);
        if (st == STATUS_OK)
            st = autoconfig_write(folder, files[i].name, buf_span(&text), &err);
        buf_free(&text);
        if (st != STATUS_OK)
            return ctl_fail(EX_CANTCREAT, "%s", err.text);
        json_array_append_new(written, json_sprintf("%s/%s", folder, files[i].name));
    }
    return EX_OK;
}

static void print_written(struct ctl *ctl, json_t *written)
{
    size_t i;
    json_t *path;
    if (ctl->json) {
        json_t *answer = json_pack("{s:b, s:O}", "ok", 1, "files", written);
        json_dumpf(answer, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(answer);
        return;
    }
    json_array_foreach(written, i, path)
    {
        ctl_put(stdout, json_string_value(path));
        putchar('\n');
    }
}

static int static_files(struct ctl *ctl)
{
    struct autoconfig_site site;
    struct autoconfig_account account;
    if (ctl->argc != 2 || !ctl->argv[1][0])
        return EX_USAGE;
    json_t *written = json_array();
    int code = prepare(ctl, true, &site, &account);
    if (code == EX_OK) {
        warn(&site);
        code = write_files(&site, &account, ctl->argv[1], written);
    }
    if (code == EX_OK)
        print_written(ctl, written);
    json_decref(written);
    autoconfig_account_free(&account);
    autoconfig_site_free(&site);
    return code != EX_OK || fflush(stdout) == 0 ? code : EX_IOERR;
}

const struct ctl_verb ctl_autoconfig_verbs[] = {
    {"autoconfig", "thunderbird", "ADDRESS", "config-v1.1.xml, for Thunderbird and others", thunderbird},
    {"autoconfig", "outlook", "ADDRESS", "Autodiscover XML", outlook},
    {"autoconfig", "apple", "ADDRESS", "configuration profile (.mobileconfig)", apple},
    {"autoconfig", "srv", "ADDRESS", "SRV records for the zone of the domain", srv},
    {"autoconfig", "static", "DOMAIN FOLDER", "files that a web server hands to every user of DOMAIN",
     static_files},
    {NULL, NULL, NULL, NULL, NULL},
};
