#include "gateway/main/relay_conf.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/net/peer_pattern.h"

static enum status check_certificates(const struct conf *conf, const struct conf_client *from,
                                      struct error *err)
{
    if (from->certificates.n > 0 && !conf->tls_client_ca)
        return error_set(err, STATUS_INVALID,
                         "client %s: certificates need tls { client-ca } to be asked for", from->name);
    for (size_t i = 0; i < from->certificates.n; i++)
        if (!peer_pattern_is_valid(from->certificates.items[i]))
            return error_set(err, STATUS_INVALID,
                             "client %s: \"%.100s\" names no certificate: write \"sha256:HEX\" or "
                             "\"subject:CN=name\"",
                             from->name, from->certificates.items[i]);
    return STATUS_OK;
}

static enum status client_from(const struct conf *conf, const struct conf_client *from,
                               struct submission_client *client, struct error *err)
{
    struct network *networks;
    enum status st = check_certificates(conf, from, err);
    if (st != STATUS_OK)
        return st;
    st = networks_parse(from->networks.items, from->networks.n, &networks, err);
    if (st != STATUS_OK) {
        error_prefix(err, "client %s", from->name);
        return st;
    }
    *client = (struct submission_client){.name = from->name,
                                         .networks = networks,
                                         .n_networks = from->networks.n,
                                         .certificates = from->certificates.items,
                                         .n_certificates = from->certificates.n,
                                         .send_as = from->send_as.items,
                                         .n_send_as = from->send_as.n};
    return STATUS_OK;
}

enum status relay_clients_from_conf(const struct conf *conf, struct relay_clients *clients_out,
                                    struct error *err)
{
    *clients_out = (struct relay_clients){
        .clients = calloc(conf->n_clients ? conf->n_clients : 1, sizeof *clients_out->clients)};
    if (!clients_out->clients)
        return error_set(err, STATUS_TEMPORARY, "out of memory for the relay clients");
    for (; clients_out->n < conf->n_clients; clients_out->n++) {
        size_t i = clients_out->n;
        enum status st = client_from(conf, &conf->clients[i], &clients_out->clients[i], err);
        if (st != STATUS_OK) {
            relay_clients_free(clients_out);
            return st;
        }
    }
    return STATUS_OK;
}

static const struct submission_client *find(const struct relay_clients *clients, const char *name)
{
    for (size_t i = 0; i < clients->n; i++)
        if (strcmp(clients->clients[i].name, name) == 0)
            return &clients->clients[i];
    return NULL;
}

enum status relay_clients_of(const struct relay_clients *clients, const struct conf_listen *listen,
                             const struct submission_client *const **named_out, struct error *err)
{
    *named_out = NULL;
    size_t n = listen->clients.n;
    const struct submission_client **named = calloc(n ? n : 1, sizeof *named);
    if (!named)
        return error_set(err, STATUS_TEMPORARY, "out of memory for the relay clients");
    for (size_t i = 0; i < n; i++) {
        named[i] = find(clients, listen->clients.items[i]);
        if (named[i])
            continue;
        free(named);
        return error_set(err, STATUS_INTERNAL, "there is no client %s", listen->clients.items[i]);
    }
    *named_out = named;
    return STATUS_OK;
}

void relay_clients_free(struct relay_clients *clients)
{
    for (size_t i = 0; i < clients->n; i++)
        free((void *)(uintptr_t)clients->clients[i].networks);
    free(clients->clients);
    *clients = (struct relay_clients){0};
}
