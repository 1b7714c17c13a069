#include "gateway/submission/identity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/net/peer_pattern.h"
#include "gateway/policy/sender.h"
#include "gateway/submission/refused.h"
#include "gateway/submission/session.h"

#define TEXT_MAX 900 /* of a refusal: two names and an address */

/* ---- relay clients ---- */

static bool has_certificate(const struct submission_client *client, const struct conn *conn)
{
    struct tls_peer peer;
    if (!tls_peer_get(conn, &peer))
        return false;
    for (size_t i = 0; i < client->n_certificates; i++)
        if (peer_pattern_matches(client->certificates[i], &peer))
            return true;
    return false;
}

static bool is_in_networks(const struct submission_client *client, const struct conn *conn)
{
    struct network_address address;
    return network_address_parse(conn_peer(conn), &address) &&
           networks_have(client->networks, client->n_networks, &address);
}

/* All that the client is to be known by; one that is to be known by nothing is nobody. */
static bool is_client(const struct submission_client *client, const struct conn *conn)
{
    if (client->n_networks + client->n_certificates == 0)
        return false;
    return (client->n_networks == 0 || is_in_networks(client, conn)) &&
           (client->n_certificates == 0 || has_certificate(client, conn));
}

void identity_recognise(struct session *s)
{
    struct log_line line;
    s->relay = NULL;
    for (size_t i = 0; i < s->listener->n_clients && !s->relay && conn_is_tls(s->conn); i++)
        if (is_client(s->listener->clients[i], s->conn))
            s->relay = s->listener->clients[i];
    if (!s->relay)
        return;
    session_log(s, &line, LOG_LEVEL_INFO, "relay-client");
    log_end(&line);
}

/* ---- users, or whoever it is ---- */

bool identity_take_user(struct session *s, struct sasl_result *result, enum reply_id *why_out)
{
    struct client_key key = limits_user_key(result->user);
    if (!limits_enter(&s->server->users, &key)) {
        *why_out = REPLY_TOO_MANY_USER_SESSIONS;
        return false;
    }
    s->user = strdup(result->user);
    if (!s->user) {
        limits_leave(&s->server->users, &key);
        *why_out = REPLY_AUTH_LATER;
        return false;
    }
    s->user_key = key;
    s->send_as = result->send_as;
    s->n_send_as = result->n_send_as;
    result->send_as = NULL;
    result->n_send_as = 0;
    return true;
}

void identity_forget(struct session *s)
{
    if (s->user)
        limits_leave(&s->server->users, &s->user_key);
    free(s->user);
    s->user = NULL;
    s->relay = NULL;
    for (size_t i = 0; i < s->n_send_as; i++)
        free(s->send_as[i]);
    free(s->send_as);
    s->send_as = NULL;
    s->n_send_as = 0;
}

bool identity_is_known(const struct session *s)
{
    return s->user || s->relay;
}

const char *identity_client(const struct session *s)
{
    return s->relay && !s->user ? s->relay->name : NULL;
}

char *const *identity_send_as(const struct session *s, size_t *n_out)
{
    if (identity_client(s)) {
        *n_out = s->relay->n_send_as;
        return s->relay->send_as;
    }
    *n_out = s->n_send_as;
    return s->send_as;
}

static void refuse(struct session *s, const char *address)
{
    const struct reply_entry *entry = reply_entry(REPLY_SENDER_REFUSED);
    char text[TEXT_MAX], reply[TEXT_MAX + 20];
    struct log_line line;
    sender_refusal(address, s->user, identity_client(s), text, sizeof text);
    snprintf(reply, sizeof reply, "%d %s %s", entry->code, entry->enhanced, text);
    session_log(s, &line, LOG_LEVEL_NOTICE, "sender-refused");
    log_str(&line, "from", address);
    log_end(&line);
    refused_record(s, "", "", reply);
    session_reply_text(s, REPLY_SENDER_REFUSED, text);
}

bool identity_check_reverse_path(struct session *s)
{
    const char *address = s->transaction.envelope.reverse_path;
    size_t n;
    char *const *send_as = identity_send_as(s, &n);
    if (address[0] == '\0' || sender_owns(send_as, n, address))
        return true;
    refuse(s, address);
    return false;
}
