/* MAIL and RCPT: what the message needs of the host, and what the host is told of it. */
#include <stdio.h>

#include "gateway/delivery/client_private.h"

static bool lacks(struct client *c, struct result *result)
{
    const struct mail *mail = c->t->mail;
    if (c->ehlo.size_max > 0 && mail->message.len > c->ehlo.size_max)
        outcome_local(result, FAILURE_PERMANENT, "5.3.4",
                      "%s takes no message of more than %llu bytes, this one has %zu", c->where,
                      (unsigned long long)c->ehlo.size_max, mail->message.len);
    else if (mail->smtputf8 && !c->ehlo.smtputf8)
        outcome_local(result, FAILURE_PERMANENT, "5.6.7",
                      "%s does not know SMTPUTF8, which the sender's address or the header needs", c->where);
    else if (mail->eight_bit && !c->ehlo.eightbitmime)
        outcome_local(result, FAILURE_PERMANENT, "5.6.3",
                      "%s does not know 8BITMIME, and the message cannot be converted without changing it",
                      c->where);
    else
        return false;
    return true;
}

/* Their own addresses need SMTPUTF8; the others' mail goes on (RFC 6531 §3.4). */
static void leave_out_international(struct client *c)
{
    struct result result;
    struct peer peer = client_peer(c);
    outcome_local(&result, FAILURE_PERMANENT, "5.6.7",
                  "%s does not know SMTPUTF8, which the recipient's address needs", c->where);
    for (size_t i = 0; i < c->t->n; i++) {
        struct recipient *r = c->t->recipients[i];
        if (r->smtputf8) {
            r->unfit = true;
            transaction_put_off(r, &result, &peer);
        }
    }
}

/* RFC 8689 §4.2.1; that the TLS is verified was seen when the demand was met. §5: a notification is not lost
 * only because the host does not announce REQUIRETLS. */
static bool is_private_enough(const struct client *c)
{
    const struct mail *mail = c->t->mail;
    return !mail->requiretls || (c->demand.requiretls && conn_is_tls(c->conn) &&
                                 (c->ehlo.requiretls || mail->reverse_path[0] == '\0'));
}

bool client_asks_for(const struct recipient *r)
{
    return !r->done && !r->unfit;
}

static bool asks_for_somebody(const struct transaction *t)
{
    for (size_t i = 0; i < t->n; i++)
        if (client_asks_for(t->recipients[i]))
            return true;
    return false;
}

bool client_can_take(struct client *c)
{
    struct result result;
    struct peer peer = client_peer(c);
    if (!is_private_enough(c)) {
        client_fail_demand(c, "4.7.4", "%s does not support REQUIRETLS, which the message demands", c->where);
        return false;
    }
    if (lacks(c, &result)) {
        /* Over TLS, which failed, it may offer more. */
        if (c->way == TLS_WAY_CLEAR_FAILED)
            outcome_not_final(&result, FAILURE_TEMPORARY);
        transaction_put_off_all(c->t, &result, &peer);
        return false;
    }
    if (!c->ehlo.smtputf8)
        leave_out_international(c);
    return asks_for_somebody(c->t);
}

/* Does an address or the header, as they are sent now, need SMTPUTF8? */
static bool is_international(const struct transaction *t)
{
    for (size_t i = 0; i < t->n; i++)
        if (client_asks_for(t->recipients[i]) && t->recipients[i]->smtputf8)
            return true;
    return t->mail->smtputf8;
}

void client_write_mail(struct client *c)
{
    const struct mail *mail = c->t->mail;
    bool ret = c->ehlo.dsn && mail->ret, envid = c->ehlo.dsn && mail->envid;
    char size[40] = "";
    if (c->ehlo.size)
        snprintf(size, sizeof size, " SIZE=%zu", mail->message.len);
    client_write(c, "MAIL FROM:<%s>%s%s%s%s%s%s%s%s\r\n", mail->reverse_path, size,
                 mail->eight_bit && c->ehlo.eightbitmime ? " BODY=8BITMIME" : "",
                 is_international(c->t) ? " SMTPUTF8" : "",
                 mail->requiretls && c->ehlo.requiretls ? " REQUIRETLS" : "", ret ? " RET=" : "",
                 ret ? mail->ret : "", envid ? " ENVID=" : "", envid ? mail->envid : "");
}

/* RFC 3461 §5.2.1: as the client gave them, and none that it did not give. */
void client_write_rcpt(struct client *c, struct recipient *r)
{
    const struct lease_recipient *l = r->lease;
    bool notify = c->ehlo.dsn && l->notify, orcpt = c->ehlo.dsn && l->orcpt;
    r->asked = true;
    r->dsn_known = c->ehlo.dsn;
    client_write(c, "RCPT TO:<%s>%s%s%s%s\r\n", l->address, notify ? " NOTIFY=" : "", notify ? l->notify : "",
                 orcpt ? " ORCPT=" : "", orcpt ? l->orcpt : "");
}
