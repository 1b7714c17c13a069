#include "gateway/main/delivery_conf.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/net/tls.h"

/* Either an IPv4 or an IPv6 address, without port. */
static bool parse_source(const char *text, struct sockaddr_storage *out)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    *out = (struct sockaddr_storage){0};
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1)
        out->ss_family = AF_INET;
    else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1)
        out->ss_family = AF_INET6;
    return out->ss_family != 0;
}

static enum status sources_from_conf(const struct conf *conf, struct delivery_sources *sources,
                                     struct error *err)
{
    for (size_t i = 0; i < conf->delivery_source_address.n; i++) {
        const char *text = conf->delivery_source_address.items[i];
        struct sockaddr_storage source;
        if (!parse_source(text, &source))
            return error_set(err, STATUS_INVALID, "\"%.100s\" is no IPv4 or IPv6 address", text);
        struct sockaddr_storage *place = source.ss_family == AF_INET ? &sources->ipv4 : &sources->ipv6;
        if (place->ss_family != 0)
            return error_set(err, STATUS_INVALID, "\"%.100s\" is a second address of its kind", text);
        *place = source;
    }
    return STATUS_OK;
}

static enum login_binding binding_from(const char *word)
{
    if (word && strcmp(word, "require") == 0)
        return LOGIN_BINDING_REQUIRE;
    return word && strcmp(word, "never") == 0 ? LOGIN_BINDING_NEVER : LOGIN_BINDING_AUTO;
}

enum status delivery_from_conf(const struct conf *conf, struct delivery_settings *settings,
                               char **password_out, struct error *err)
{
    *password_out = NULL;
    settings->per_destination = (unsigned)conf->delivery_per_destination;
    settings->idle_ms = conf->delivery_idle_ms;
    settings->delay_warning_ms = conf->queue_delay_warning_ms;
    settings->timeouts = (struct delivery_timeouts){.connect_ms = conf->delivery_connect_ms,
                                                    .handshake_ms = conf->delivery_handshake_ms,
                                                    .greeting_ms = conf->delivery_greeting_ms,
                                                    .command_ms = conf->delivery_command_ms,
                                                    .data_ms = conf->delivery_data_ms,
                                                    .end_of_data_ms = conf->delivery_end_of_data_ms};
    enum status st = sources_from_conf(conf, &settings->sources, err);
    if (st == STATUS_OK && conf->delivery_password_file)
        st = secret_line_load(conf->delivery_password_file, password_out, err);
    settings->credentials = (struct credentials){.user = conf->delivery_user,
                                                 .password = *password_out,
                                                 .binding = binding_from(conf->delivery_channel_binding)};
    return st;
}

enum status delivery_certificate_from_conf(const struct conf *conf, SSL_CTX *ctx, struct error *err)
{
    const struct tls_server_settings pair = {.certificate_path = conf->delivery_certificate,
                                             .key_path = conf->delivery_key};
    return pair.certificate_path && pair.key_path ? tls_add_certificate(ctx, &pair, err) : STATUS_OK;
}

static void check_together(const char *one, const char *other, const char *names, const char *path,
                           struct buf *problems)
{
    if (!one != !other)
        buf_printf(problems, "%s: delivery: %s are given together or not at all\n", path, names);
}

static bool is_verified(const char *level)
{
    return strcmp(level, "none") != 0 && strcmp(level, "may") != 0 && strcmp(level, "encrypt") != 0;
}

/* The client would send no password where the level lets in an unproven host, and no mail either: better said
 * now. */
static void check_levels(const struct conf *conf, const char *path, struct buf *problems)
{
    static const char words[] = "the password is sent over verified TLS only: verify or secure";
    if (!is_verified(conf->delivery_tls))
        buf_printf(problems, "%s: delivery tls: %s\n", path, words);
    for (size_t i = 0; i < conf->n_tls_policies; i++)
        if (!is_verified(conf->tls_policies[i].level))
            buf_printf(problems, "%s: tls-policy \"%s\": level: %s\n", path, conf->tls_policies[i].domain,
                       words);
}

static void check_files(const struct conf *conf, const char *path, struct buf *problems)
{
    struct error err = {0};
    char *password = NULL;
    struct delivery_settings settings = {0};
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    if (delivery_from_conf(conf, &settings, &password, &err) != STATUS_OK)
        buf_printf(problems, "%s: delivery: %s\n", path, err.text);
    if (ctx && delivery_certificate_from_conf(conf, ctx, &err) != STATUS_OK)
        buf_printf(problems, "%s: delivery certificate: %s\n", path, err.text);
    if (password)
        explicit_bzero(password, strlen(password));
    free(password);
    SSL_CTX_free(ctx);
}

void delivery_conf_check(const struct conf *conf, const char *path, struct buf *problems)
{
    bool secrets = conf->delivery_user || conf->delivery_certificate;
    check_together(conf->delivery_user, conf->delivery_password_file, "user and password-file", path,
                   problems);
    check_together(conf->delivery_certificate, conf->delivery_key, "certificate and key", path, problems);
    if (secrets && strcmp(conf->delivery_route, "mx") == 0)
        buf_printf(problems, "%s: delivery: user and certificate are for a smarthost: route must name one\n",
                   path);
    if (conf->delivery_channel_binding && !conf->delivery_user)
        buf_printf(problems, "%s: delivery channel-binding: is for a login, and there is no user\n", path);
    if (conf->delivery_user)
        check_levels(conf, path, problems);
    check_files(conf, path, problems);
}
