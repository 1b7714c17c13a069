#include "gateway/main/check_notes.h"

#include <string.h>

#include "gateway/main/signing_conf.h"
#include "gateway/main/tls_conf.h"
#include "gateway/net/tls_server.h"

struct notes {
    const char *path;
    struct buf *lines;
};

static void note_stale(void *arg, const char *file)
{
    const struct notes *notes = arg;
    buf_printf(notes->lines, "%s: note: tls ocsp: %s is stale and not stapled; fetch a new one\n",
               notes->path, file);
}

/* Reading them again costs little, and keeps notes apart from problems. */
static void note_ocsp(const struct conf *conf, struct notes *notes)
{
    struct tls_server *server;
    struct error err;
    if (tls_server_from_conf(conf, NULL, &server, &err) != STATUS_OK)
        return; /* a problem, and told as one */
    tls_server_stale_ocsp(server, note_stale, notes);
    tls_server_close(server);
}

static bool is_named(const struct conf *conf, const char *client)
{
    for (size_t i = 0; i < conf->n_listens; i++)
        for (size_t j = 0; j < conf->listens[i].clients.n; j++)
            if (strcmp(conf->listens[i].clients.items[j], client) == 0)
                return true;
    return false;
}

static void note_clients(const struct conf *conf, struct notes *notes)
{
    for (size_t i = 0; i < conf->n_clients; i++) {
        const struct conf_client *client = &conf->clients[i];
        if (client->send_as.n == 0)
            buf_printf(notes->lines, "%s: note: client %s: may send nothing without send-as\n", notes->path,
                       client->name);
        if (!is_named(conf, client->name))
            buf_printf(notes->lines, "%s: note: client %s: is let in nowhere: no listen section names it\n",
                       notes->path, client->name);
    }
}

void check_notes(const struct conf *conf, const char *path, struct buf *notes)
{
    struct notes all = {.path = path, .lines = notes};
    note_ocsp(conf, &all);
    note_clients(conf, &all);
    signing_conf_notes(conf, path, notes);
}
