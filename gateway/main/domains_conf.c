#include "gateway/main/domains_conf.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/wire/domain.h"

/* A section whose title is a domain. */
struct title {
    char **domain;
    int line;
};

struct titles {
    const char *kind; /* "tls-policy" */
    struct title *items;
    size_t n;
};

static bool is_ipv4(const char *text)
{
    struct in_addr address;
    return inet_pton(AF_INET, text, &address) == 1;
}

/* "example.org", ".example.org" or an address literal, as domain_fit takes them; NULL: none of them. */
static char *pattern_from_text(const char *text)
{
    char pattern[DOMAIN_MAX + 2];
    if (domain_is_address_literal(span_str(text)))
        return strdup(text);
    if (is_ipv4(text))
        return NULL;
    char *domain = domain_from_text(text[0] == '.' ? text + 1 : text);
    if (!domain || text[0] != '.')
        return domain;
    snprintf(pattern, sizeof pattern, ".%s", domain);
    free(domain);
    return strdup(pattern);
}

/* What was meant, where that can be guessed: "*.example.org", "@example.org" and "192.0.2.1" are the usual
 * mistakes. */
static char *guess(const char *text)
{
    char literal[32];
    if (!is_ipv4(text))
        return pattern_from_text(text + strspn(text, "*@"));
    snprintf(literal, sizeof literal, "[%s]", text);
    return strdup(literal);
}

static void complain_of_title(const struct titles *titles, const struct title *title, const char *path,
                              struct buf *problems)
{
    char *meant = guess(*title->domain);
    buf_printf(problems, "%s:%d: %s \"%.300s\": is no domain; write ", path, title->line, titles->kind,
               *title->domain);
    if (meant)
        buf_printf(problems, "\"%s\"\n", meant);
    else
        buf_append_str(problems, "it as in \"example.org\", or \".example.org\" with what is below it\n");
    free(meant);
}

static void convert_titles(const struct titles *titles, const char *path, struct buf *problems)
{
    for (size_t i = 0; i < titles->n; i++) {
        const struct title *title = &titles->items[i];
        char *pattern = pattern_from_text(*title->domain);
        if (!pattern) {
            complain_of_title(titles, title, path, problems);
            continue;
        }
        for (size_t j = 0; j < i; j++)
            if (strcmp(*titles->items[j].domain, pattern) == 0)
                buf_printf(problems, "%s:%d: %s \"%.300s\": is the same domain as in line %d; keep one\n",
                           path, title->line, titles->kind, *title->domain, titles->items[j].line);
        free(*title->domain);
        *title->domain = pattern;
    }
}

static struct title *make_titles(size_t n, struct buf *problems)
{
    struct title *items = calloc(n ? n : 1, sizeof *items);
    if (!items)
        problems->failed = true;
    return items;
}

static void convert_tls_policies(const struct conf *conf, const char *path, struct buf *problems)
{
    struct titles titles = {.kind = "tls-policy", .n = conf->n_tls_policies};
    titles.items = make_titles(titles.n, problems);
    if (!titles.items)
        return;
    for (size_t i = 0; i < titles.n; i++)
        titles.items[i] = (struct title){&conf->tls_policies[i].domain, conf->tls_policies[i].line};
    convert_titles(&titles, path, problems);
    free(titles.items);
}

static void convert_retry_policies(const struct conf *conf, const char *path, struct buf *problems)
{
    struct titles titles = {.kind = "retry-policy", .n = conf->n_retry_policies};
    titles.items = make_titles(titles.n, problems);
    if (!titles.items)
        return;
    for (size_t i = 0; i < titles.n; i++)
        titles.items[i] = (struct title){&conf->retry_policies[i].domain, conf->retry_policies[i].line};
    convert_titles(&titles, path, problems);
    free(titles.items);
}

/* An address stays as it is, and so does a name with underscores: hosts in private networks have them. */
static char *host_from_text(const char *text)
{
    struct in6_addr address;
    if (is_ipv4(text) || inet_pton(AF_INET6, text, &address) == 1)
        return strdup(text);
    char *host = domain_from_text(text);
    if (host || !domain_is_client_name(span_str(text)))
        return host;
    size_t len = strlen(text);
    return span_dup(span_of(text, text[len - 1] == '.' ? len - 1 : len));
}

/* "[host]:port"; what has another form is for check.c to complain of. */
static void convert_route(struct conf *conf, const char *path, struct buf *problems)
{
    char *route = conf->delivery_route, *converted = NULL;
    const char *end = route[0] == '[' ? strstr(route, "]:") : NULL;
    if (!end || end == route + 1)
        return;
    char *text = span_dup(span_of(route + 1, (size_t)(end - route) - 1));
    if (!text) {
        problems->failed = true;
        return;
    }
    char *host = host_from_text(text);
    if (!host)
        buf_printf(problems,
                   "%s:%d: delivery route: \"%.300s\" is neither a host name nor an address; write it as in "
                   "\"[mail.example.org]:587\"\n",
                   path, conf->delivery_route_line, text);
    else if (asprintf(&converted, "[%s%s", host, end) < 0)
        problems->failed = true;
    if (converted && !problems->failed) {
        conf->delivery_route = converted;
        free(route);
    }
    free(host);
    free(text);
}

void domains_conf_convert(struct conf *conf, const char *path, struct buf *problems)
{
    convert_tls_policies(conf, path, problems);
    convert_retry_policies(conf, path, problems);
    convert_route(conf, path, problems);
}
